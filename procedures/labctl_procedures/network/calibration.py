"""Input scales, ADC ranges and host scales of a plan, from training images on exact cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.graph import IMAGE
from labctl_procedures.network.operators import FACTOR_BITS
from labctl_procedures.network.plan import Coding, HostPlan, LayerPlan, NetworkPlan, Ratio
from labctl_procedures.network.reference import ExactLayer
from labctl_procedures.network.signal_chain import (
    host_counts,
    input_maps,
    layer_counts,
    layer_inputs,
)

Bytes = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]

LARGEST_COUNT = 2**24
"""Counts on the host stay below this for the calibration images: 2**31 is far."""


@dataclass(frozen=True, eq=False)
class _Value:
    """What a node made of the calibration images."""

    counts: Int32Array | Bytes
    """Shape (n, height, width, channels)."""
    scale: float
    """Float activation of one count."""

    @property
    def peak(self) -> float:
        """Largest size of an activation."""
        return max(abs(int(self.counts.min())), abs(int(self.counts.max()))) * self.scale


def calibrated(plan: NetworkPlan, images: Bytes, *, headroom: float) -> NetworkPlan:
    """Set input scales, ADC ranges, biases and the host's scales, node after node.

    Parameters
    ----------
    plan : NetworkPlan
        A plan with levels, blocks and lines.
    images : ndarray of shape (n, height, width) or (n, height, width, channels), uint8
        Training images.
    headroom : float
        ADC range over the largest current that they cause.

    Returns
    -------
    NetworkPlan

    Raises
    ------
    NetworkError
        If a layer's border cannot be coded.
    """
    maps = plan.network.check_images(images)
    walk = _Walk(plan, headroom, {IMAGE: _Value(maps, plan.network.input_scale)})
    steps = tuple(walk.step(i, step) for i, step in enumerate(plan.steps))
    return replace(plan, steps=steps)


@dataclass
class _Walk:
    """The calibration images on their way through the nodes."""

    plan: NetworkPlan
    headroom: float
    values: dict[int, _Value] = field(default_factory=dict)

    def step(self, i: int, draft: LayerPlan | HostPlan) -> LayerPlan | HostPlan:
        """Return step `i` with its scales, and keep what it makes."""
        given = [self.values[number] for number in self.plan.network.nodes[i].inputs]
        done, made = (
            self._layer(draft, given[0], is_image=given[0] is self.values.get(IMAGE))
            if isinstance(draft, LayerPlan)
            else _host(draft, given)
        )
        self.values[i + 1] = made
        for number in self.plan.network.expiring[i]:
            del self.values[number]
        return done

    def _layer(
        self, draft: LayerPlan, given: _Value, *, is_image: bool
    ) -> tuple[LayerPlan, _Value]:
        coding = None if is_image else _coding_for(given)
        layer = _coded(draft, coding, given.scale / (coding.ratio.factor if coding else 1.0))
        vectors = layer_inputs(layer, input_maps(layer, given.counts)[0])
        layer = self._with_range(layer, vectors)
        sums = ExactLayer(layer, self.plan.cell_levels).mac(vectors)
        return layer, _Value(layer_counts(layer, sums), layer.output_scale)

    def _with_range(self, draft: LayerPlan, vectors: Bytes) -> LayerPlan:
        """Set a layer's ADC range from its calibration vectors, and what follows from it."""
        levels = self.plan.cell_levels
        peak = max(1, ExactLayer(draft, levels).peak_current(vectors))
        steps = 2**draft.mac.adc_bits - 1
        numerator, denominator = _odd_fraction(peak * self.headroom / steps)
        step = numerator / denominator  # of the ADC, in units
        weight_scale = draft.output_scale
        output_scale = weight_scale * draft.input_scale * step / levels.pitch
        zero = draft.coding.zero if draft.coding else 0
        scales = weight_scale * draft.factor / 2**FACTOR_BITS
        kernels = draft.levels.reshape(draft.layer.outputs, -1).sum(axis=1) * scales
        bias = draft.layer.bias - kernels * (zero * draft.input_scale)
        full_scale = step * steps * levels.unit * draft.mac.read_voltage
        return replace(
            draft,
            mac=replace(draft.mac, adc_full_scale=full_scale),
            lsb=(numerator, denominator),
            output_scale=output_scale,
            bias=np.rint(bias / output_scale).astype(np.int64),
        )


def _odd_fraction(step: float) -> tuple[int, int]:
    """Return a fraction near `step` whose numerator is odd, its denominator a power of two."""
    denominator = 64
    while step * denominator < 64:
        denominator *= 2
    return int(step * denominator) | 1, denominator


def _coding_for(value: _Value) -> Coding:
    return Coding.for_range(int(value.counts.min()), int(value.counts.max()))


def _coded(draft: LayerPlan, coding: Coding | None, input_scale: float) -> LayerPlan:
    """Set how a layer's input is coded, and the code of its border."""
    zero = coding.zero if coding else 0
    layer = draft.layer
    border = np.full(layer.in_shape[2], zero, np.int64)
    if layer.border is not None:
        border += np.rint(layer.border / input_scale).astype(np.int64)
    if border.min() < 0 or border.max() > 255:
        raise NetworkError(
            f"layer '{layer.name}': its border has the values {layer.border}, codes "
            f"{border.tolist()}; its input codes are 0 to 255, worth {input_scale:.4g} each"
        )
    return replace(draft, coding=coding, input_scale=input_scale, border=border.astype(np.uint8))


def _host(draft: HostPlan, given: Sequence[_Value]) -> tuple[HostPlan, _Value]:
    """Bring a digital operator's inputs to one scale, fine enough and not too fine."""
    scale = max(
        min(value.scale for value in given), max(value.peak for value in given) / LARGEST_COUNT
    )
    ratios = tuple(Ratio.of(value.scale / scale) for value in given)
    plan = HostPlan(draft.work.in_counts(scale), ratios)
    counts = host_counts(plan, [value.counts for value in given])
    return plan, _Value(counts, scale * plan.work.gain)
