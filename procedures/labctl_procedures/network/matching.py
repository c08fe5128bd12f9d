"""Set the host's factors and biases by what the written array really answers.

Errors of cells add up over many layers: each layer's sums come out shifted and stretched, and the
next ones, which were made for others, go further astray. Layer after layer, training images are run
on the array, and factor and bias of each output are set so that its sums have the mean and the
standard deviation that the float network's have. No cell is written. It is what re-estimating the
moments of a batch normalisation does, on the array's own answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.graph import moments
from labctl_procedures.network.layers import FloatArray
from labctl_procedures.network.operators import FACTOR_BITS
from labctl_procedures.network.plan import LayerPlan, NetworkPlan
from labctl_procedures.network.signal_chain import Mac, batches_of

Bytes = npt.NDArray[np.uint8]
Moments = tuple[FloatArray, FloatArray]


def matched(
    plan: NetworkPlan, images: Bytes, mac: Mac, *, advance: Callable[[int], None] | None = None
) -> NetworkPlan:
    """Return the plan with the host's factors and biases set on the array.

    The last layer is left as it is: it may learn in place.

    Parameters
    ----------
    plan : NetworkPlan
        A network that is on the array.
    images : ndarray of shape (n, height, width) or (n, height, width, channels), uint8
        Training images, some hundred.
    mac : callable
        Who multiplies.
    advance : callable, optional
        Told after each layer: 1.

    Returns
    -------
    NetworkPlan
    """
    wanted = moments(plan.network, images)
    batches = batches_of(plan, images)
    for number in range(len(plan.layers) - 1):
        for batch in batches:
            batch.plan = plan
            batch.sums = mac(number, plan.copy_of(number, batch.copy), batch.vectors())
        sums = np.concatenate([batch.sums for batch in batches if batch.sums is not None])
        plan = _with_layer(plan, number, _matched(plan.layers[number], sums, wanted[number]))
        if advance is not None:
            advance(1)
    return plan


def _matched(layer: LayerPlan, sums: npt.NDArray[np.int32], wanted: Moments) -> LayerPlan:
    """Set factor and bias so that sums (n, outputs) get the moments wanted."""
    mean, spread = wanted[0] / layer.output_scale, wanted[1] / layer.output_scale
    factor = spread / np.maximum(sums.std(axis=0), 1.0)
    whole = np.maximum(np.rint(factor * 2**FACTOR_BITS), 1).astype(np.int64)
    bias = mean - sums.mean(axis=0) * whole / 2**FACTOR_BITS
    return replace(layer, factor=whole, bias=np.rint(bias).astype(np.int64))


def _with_layer(plan: NetworkPlan, number: int, layer: LayerPlan) -> NetworkPlan:
    old = plan.layers[number]
    return replace(plan, steps=tuple(layer if step is old else step for step in plan.steps))
