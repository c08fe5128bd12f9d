"""Map a network on a chip: levels, blocks, source lines, input scales and ADC ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_procedures.network.cell_levels import CellLevels
from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.layers import Labels, Layer, Network
from labctl_procedures.network.plan import CodeScale, LayerPlan, NetworkPlan
from labctl_procedures.network.quantize import quantize
from labctl_procedures.network.reference import ExactLayer
from labctl_procedures.network.signal_chain import Mac, layer_inputs, next_maps, pad_images, run
from labctl_procedures.network.tiling import IntArray, Tiling, arrays_needed, place, tile

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MappingSettings:
    """How a network is laid out."""

    low: float = 2e-6
    """Lowest conductance of a cell, in S."""
    high: float = 20e-6
    """Highest conductance of a cell, in S."""
    cell_levels: int = 8
    """Levels of a cell; a pair of cells makes a weight of 2 n - 1 levels."""
    most_copies: int = 3
    """Most copies of the convolutions, as far as they fit (Yao et al.: three groups)."""
    adc_bits: int = 8
    """Resolution of a conversion."""
    adc_headroom: float = 1.1
    """ADC range over the largest current of the calibration images, for cells above target."""
    calibration_images: int = 256
    """How many of the images given set the scales."""
    read_voltage: float = 0.2
    """Voltage of a 1 bit, in V."""


def map_network(
    network: Network,
    geometry: Geometry,
    calibration_images: Bytes,
    settings: MappingSettings | None = None,
) -> NetworkPlan:
    """Lay a network out on a chip.

    Parameters
    ----------
    network : Network
        The float network.
    geometry : Geometry
        The chip.
    calibration_images : ndarray of shape (n, height, width), uint8
        Training images, never test images: they set input scales and ADC ranges.
    settings : MappingSettings, optional
        Levels, copies, ADC.

    Returns
    -------
    NetworkPlan
        With one conversion a source line, a block and a bit.

    Raises
    ------
    NetworkError
        If the network does not fit the chip (what would fit is said), or there is no image.
    """
    chosen = settings or MappingSettings()
    if len(calibration_images) == 0:
        raise NetworkError(f"network '{network.name}': no calibration images")
    if network.layers[-1].pool is not None:
        raise NetworkError(
            f"network '{network.name}': layer '{network.layers[-1].name}' is pooled and the last; "
            "the array's last layer must answer the scores"
        )
    tilings = [tile(layer, geometry) for layer in network.layers]
    lines = _lines(network, tilings, geometry, chosen)
    cell_levels = CellLevels.between(chosen.low, chosen.high, chosen.cell_levels)
    drafts = [
        _draft(layer, tiling, rows, cell_levels, chosen)
        for layer, tiling, rows in zip(network.layers, tilings, lines, strict=True)
    ]
    plan = NetworkPlan(network, geometry, cell_levels, tuple(drafts))
    return _calibrated(plan, calibration_images[: chosen.calibration_images], chosen)


def _lines(
    network: Network, tilings: Sequence[Tiling], geometry: Geometry, settings: MappingSettings
) -> list[tuple[IntArray, ...]]:
    """Return the source lines of each layer's copies."""
    convolutions = [layer.positions > 1 for layer in network.layers]
    copied = [t for t, many in zip(tilings, convolutions, strict=True) if many]
    single = [t for t, many in zip(tilings, convolutions, strict=True) if not many]
    for copies in range(settings.most_copies if copied else 1, 0, -1):
        placed = place(copied, single, geometry, copies)
        if placed is not None:
            of_copied, of_single = (iter(part) for part in placed)
            return [tuple(next(of_copied if many else of_single)) for many in convolutions]
    largest = max(range(len(tilings)), key=lambda i: int(tilings[i].lines_used.sum()))
    raise NetworkError(
        f"network '{network.name}': needs {arrays_needed(tilings, geometry)} arrays of "
        f"{geometry.rows} x {geometry.columns} cells, the chip has {geometry.pes}; its largest "
        f"layer '{network.layers[largest].name}' "
        f"({network.layers[largest].inputs} inputs x {network.layers[largest].outputs} outputs) "
        f"takes {int(tilings[largest].lines_used.sum())} of {geometry.n_lines} source lines; "
        f"{geometry.pes * geometry.columns} inputs x {geometry.rows // 2} outputs fill the chip"
    )


def _draft(
    layer: Layer,
    tiling: Tiling,
    lines: tuple[IntArray, ...],
    cell_levels: CellLevels,
    settings: MappingSettings,
) -> LayerPlan:
    """Plan all of a layer but its scales, which calibration sets."""
    quantized = quantize(layer.weights, highest=cell_levels.highest, scale=layer.weight_scale)
    columns = np.where(tiling.weights < 0, -1, np.arange(tiling.weights.shape[1]))
    mac = MacPlan(
        columns,
        tiling.outputs,
        tiling.signs,
        adc_full_scale=1.0,
        adc_bits=settings.adc_bits,
        read_voltage=settings.read_voltage,
    )
    return LayerPlan(
        layer,
        tiling,
        quantized.levels,
        mac,
        lsb=(1, 1),
        lines=lines,
        input_scale=1.0,
        output_scale=quantized.scale,  # of one level and code; the ADC step comes in later
        bias=np.zeros(layer.outputs, np.int64),
        next_codes=None,
    )


def _calibrated(plan: NetworkPlan, images: Bytes, settings: MappingSettings) -> NetworkPlan:
    """Set input scales, ADC ranges, biases and code scales, layer after layer."""
    maps = pad_images(plan, images)
    input_scale = plan.network.input_scale
    layers: list[LayerPlan] = []
    for number, draft in enumerate(plan.layers):
        vectors = layer_inputs(draft, maps)
        layer = _with_range(draft, vectors, input_scale, plan.cell_levels, settings)
        if number + 1 < len(plan.layers):
            sums = ExactLayer(layer, plan.cell_levels).mac(vectors)
            codes = CodeScale.for_peak(int((sums + layer.bias).max()))
            layer = replace(layer, next_codes=codes)
            maps, _ = next_maps(layer, sums, plan.layers[number + 1])
            input_scale = layer.output_scale / codes.factor
        layers.append(layer)
    return replace(plan, layers=tuple(layers))


def _with_range(
    draft: LayerPlan,
    vectors: Bytes,
    input_scale: float,
    cell_levels: CellLevels,
    settings: MappingSettings,
) -> LayerPlan:
    """Set a layer's ADC range from its calibration vectors, and what follows from it."""
    peak = max(1, ExactLayer(draft, cell_levels).peak_current(vectors))
    steps = 2**settings.adc_bits - 1
    step = peak * settings.adc_headroom / steps  # of the ADC, in units
    denominator = 64
    while step * denominator < 64:
        denominator *= 2
    numerator = int(step * denominator) | 1
    step = numerator / denominator
    full_scale = step * steps * cell_levels.unit * settings.read_voltage
    output_scale = draft.output_scale * input_scale * step / cell_levels.pitch
    return replace(
        draft,
        mac=replace(draft.mac, adc_full_scale=full_scale),
        lsb=(numerator, denominator),
        input_scale=input_scale,
        output_scale=output_scale,
        bias=np.rint(draft.layer.bias / output_scale).astype(np.int64),
    )


def exact_mac(plan: NetworkPlan) -> Mac:
    """Return the MACs of the plan's exact levels, without noise and spread."""
    layers = [ExactLayer(layer, plan.cell_levels) for layer in plan.layers]
    return lambda number, copy, vectors: layers[number].mac(vectors)


def accuracy_quantized(plan: NetworkPlan, images: Bytes, labels: Labels) -> float:
    """Return the share of images (0-1) classified rightly by exact levels and the ADC."""
    return float(np.mean(run(plan, images, exact_mac(plan)).values.argmax(axis=1) == labels))
