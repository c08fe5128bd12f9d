"""Map a network on a chip: levels, blocks, source lines, input scales and ADC ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_procedures.network.calibration import calibrated
from labctl_procedures.network.cell_levels import CellLevels
from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.graph import Network
from labctl_procedures.network.layers import FloatArray, Labels, Layer
from labctl_procedures.network.operators import FACTOR_BITS
from labctl_procedures.network.plan import HostPlan, LayerPlan, NetworkPlan
from labctl_procedures.network.quantize import quantize
from labctl_procedures.network.reference import ExactLayer
from labctl_procedures.network.remapping import around_stuck
from labctl_procedures.network.signal_chain import Mac, run
from labctl_procedures.network.tiling import IntArray, Tiling, arrays_needed, place, tile

Bytes = npt.NDArray[np.uint8]


_LIMITS = (
    ("most_copies", 1, 1000),
    ("spare_rows", 0, 10**6),
    ("spare_columns", 0, 10**6),
    ("adc_bits", 1, 16),
    ("adc_headroom", 0.01, 100.0),
    ("calibration_images", 1, 10**6),
)


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
    copied: Literal["convolutions", "first"] = "convolutions"
    """What is copied: all convolutions, or the first layer alone (the ResNet of Yao et al.)."""
    levels_by: Literal["layer", "output"] = "layer"
    """What shares the size of a level: a layer, or each output of a convolution for itself, with a
    digital factor. A fully connected layer, which may learn in place, has one size always."""
    spare_rows: int = 0
    """Source lines of each array that are left free, for lines with stuck cells to move to."""
    spare_columns: int = 0
    """Bit lines of each array that are left free, for inputs that would meet stuck cells."""
    adc_bits: int = 8
    """Resolution of a conversion."""
    adc_headroom: float = 1.1
    """ADC range over the largest current of the calibration images, for cells above target."""
    calibration_images: int = 256
    """How many of the images given set the scales."""
    read_voltage: float = 0.2
    """Voltage of a 1 bit, in V."""

    def __post_init__(self) -> None:
        """Refuse numbers that lay out nothing."""
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if not low <= value <= high:
                raise NetworkError(f"mapping: asked for {name} {value}, not within {low}-{high}")

    def room(self, geometry: Geometry) -> Geometry:
        """Return what of a chip's arrays is not spare.

        Raises
        ------
        NetworkError
            If nothing is left.
        """
        rows, columns = geometry.rows - self.spare_rows, geometry.columns - self.spare_columns
        if rows < 2 or columns < 1:
            raise NetworkError(
                f"mapping: asked for {self.spare_rows} spare rows and {self.spare_columns} spare "
                f"columns of arrays of {geometry.rows} x {geometry.columns}; two source lines and "
                "one bit line are the least a weight needs"
            )
        return Geometry(geometry.pes, rows, columns)


def map_network(
    network: Network,
    geometry: Geometry,
    calibration_images: Bytes,
    settings: MappingSettings | None = None,
    *,
    known_stuck: npt.NDArray[np.int8] | None = None,
) -> NetworkPlan:
    """Lay a network out on a chip.

    Parameters
    ----------
    network : Network
        The float network.
    geometry : Geometry
        The chip.
    calibration_images : ndarray of shape (n, height, width) or (n, height, width, channels), uint8
        Training images, never test images: they set input scales and ADC ranges.
    settings : MappingSettings, optional
        Levels, copies, ADC.
    known_stuck : ndarray of shape (pe, row, col), int8, optional
        Stuck classes, e.g. `Station.known_stuck`: lines go to rows, and inputs to bit lines, where
        stuck cells do least harm.

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
    if not network.layers:
        raise NetworkError(f"network '{network.name}': holds no layer for the array")
    room = chosen.room(geometry)
    tilings = [tile(layer, room) for layer in network.layers]
    lines = _lines(network, tilings, geometry, chosen)
    cell_levels = CellLevels.between(chosen.low, chosen.high, chosen.cell_levels)
    drafts = iter(
        [
            _draft(layer, tiling, rows, cell_levels, chosen)
            for layer, tiling, rows in zip(network.layers, tilings, lines, strict=True)
        ]
    )
    steps = tuple(
        next(drafts) if isinstance(node.work, Layer) else HostPlan(node.work, ())
        for node in network.nodes
    )
    plan = NetworkPlan(network, geometry, cell_levels, steps)
    if known_stuck is not None and known_stuck.any():
        plan = around_stuck(plan, known_stuck)
    images = calibration_images[: chosen.calibration_images]
    return calibrated(plan, images, headroom=chosen.adc_headroom)


def _lines(
    network: Network, tilings: Sequence[Tiling], geometry: Geometry, settings: MappingSettings
) -> list[tuple[IntArray, ...]]:
    """Return the source lines of each layer's copies."""
    many = _copied(network, settings)
    copied = [t for t, is_copied in zip(tilings, many, strict=True) if is_copied]
    single = [t for t, is_copied in zip(tilings, many, strict=True) if not is_copied]
    spare = settings.spare_rows
    for copies in range(settings.most_copies if copied else 1, 0, -1):
        placed = place(copied, single, geometry, copies=copies, spare_rows=spare)
        if placed is not None:
            of_copied, of_single = (iter(part) for part in placed)
            return [tuple(next(of_copied if one else of_single)) for one in many]
    largest = max(range(len(tilings)), key=lambda i: tilings[i].lines_used)
    needed = arrays_needed(tilings, geometry, spare_rows=spare)
    raise NetworkError(
        f"network '{network.name}': needs {needed} arrays of "
        f"{geometry.rows} x {geometry.columns} cells, the chip has {geometry.pes}; its largest "
        f"layer '{network.layers[largest].name}' "
        f"({network.layers[largest].inputs} inputs x {network.layers[largest].outputs} outputs) "
        f"takes {tilings[largest].lines_used} of {geometry.n_lines} source lines, "
        f"{_lines_together(tilings[largest])} at a time in one array; "
        f"{geometry.pes * geometry.columns} inputs x {geometry.rows // 2} outputs fill the chip"
    )


def _lines_together(tiling: Tiling) -> int:
    """Return how many source lines of a block must lie in one array, at most."""
    return max(int(part.stop - part.start) for part in tiling.parts)


def _copied(network: Network, settings: MappingSettings) -> list[bool]:
    """Tell of each layer whether it is held several times."""
    if settings.copied == "first":
        return [number == 0 for number in range(len(network.layers))]
    return [layer.positions > 1 for layer in network.layers]


def _draft(
    layer: Layer,
    tiling: Tiling,
    lines: tuple[IntArray, ...],
    cell_levels: CellLevels,
    settings: MappingSettings,
) -> LayerPlan:
    """Plan all of a layer but its scales, which calibration sets."""
    levels, scales = _quantized(layer, cell_levels.highest, settings)
    largest = float(scales.max())
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
        levels,
        mac,
        lsb=(1, 1),
        lines=lines,
        coding=None,
        border=np.zeros(layer.in_shape[2], np.uint8),
        input_scale=1.0,
        output_scale=largest,  # of one level and code; the ADC step comes in later
        factor=np.rint(scales / largest * 2**FACTOR_BITS).astype(np.int64),
        bias=np.zeros(layer.outputs, np.int64),
    )


def _quantized(
    layer: Layer, highest: int, settings: MappingSettings
) -> tuple[IntArray, FloatArray]:
    """Return the levels of a layer's weights, and the weight of one level of each output."""
    if settings.levels_by == "layer" or layer.positions == 1:
        found = quantize(layer.weights, highest=highest, scale=layer.weight_scale)
        return found.levels, np.full(layer.outputs, found.scale)
    each = [quantize(kernel, highest=highest) for kernel in layer.weights]
    return np.stack([one.levels for one in each]), np.array([one.scale for one in each])


def exact_mac(plan: NetworkPlan) -> Mac:
    """Return the MACs of the plan's exact levels, without noise and spread."""
    layers = [ExactLayer(layer, plan.cell_levels) for layer in plan.layers]
    return lambda number, copy, vectors: layers[number].mac(vectors)


def accuracy_quantized(plan: NetworkPlan, images: Bytes, labels: Labels) -> float:
    """Return the share of images (0-1) classified rightly by exact levels and the ADC."""
    return float(np.mean(run(plan, images, exact_mac(plan)).values.argmax(axis=1) == labels))
