"""A network on an array, as a plan one can look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, Geometry
from labctl_data.mac_plan import MacPlan
from labctl_procedures.network.cell_levels import CellLevels
from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.graph import Network
from labctl_procedures.network.layers import FloatArray, Layer
from labctl_procedures.network.operators import Operator
from labctl_procedures.network.tiling import Tiling

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ratio:
    """Counts become others: ``floor(count * multiplier / 2**shift + 1/2)``."""

    multiplier: int
    """Whole number below 2**15, where the factor is below that."""
    shift: int
    """Power of two it is divided by, at least 1."""

    @classmethod
    def of(cls, factor: float) -> Ratio:
        """Return the ratio nearest to `factor`."""
        shift = 1
        while factor * 2 ** (shift + 1) < 2**15 and shift < 40:
            shift += 1
        return cls(max(1, round(factor * 2**shift)), shift)

    @property
    def factor(self) -> float:
        """Counts for one count."""
        return self.multiplier / float(2**self.shift)

    def apply(self, counts: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return other counts; shape as `counts`."""
        if self.multiplier == 1 << self.shift:
            return counts
        half = 1 << (self.shift - 1)
        return ((counts.astype(np.int64) * self.multiplier + half) >> self.shift).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Coding:
    """Counts become input codes of a layer: scaled as `Ratio` says, moved, cut to 0 ... 255."""

    ratio: Ratio
    """Codes for one count."""
    zero: int
    """Code of 0; above 0 where an input can be negative."""

    @classmethod
    def for_range(cls, low: int, high: int) -> Coding:
        """Return the coding that sends counts from `low` to `high` to 0 ... 255, and 0 to a code.

        Counts that are never negative have code 0 for 0.
        """
        low, high = min(low, 0), max(high, 0)
        factor = 255 / max(high - low, 1)
        return cls(Ratio.of(factor), round(-low * factor))


@dataclass(frozen=True, eq=False)
class Pairs:
    """The n weights of one copy of a layer, each with its pair of cells."""

    inputs: IntArray
    """Place in the input vector that meets the weight, shape (n,)."""
    outputs: IntArray
    """Output it is added to, shape (n,)."""
    cells: Cells
    """The 2 n cells: plus, minus, plus, minus, ..."""


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """One layer on the array, with its signal chain.

    A position's input codes x (uint8) meet signed levels w; the array answers
    ``y = sum over bits k of 2**k * (code of line + minus code of line -)``, of which
    ``y * output_scale`` is the float layer's sum without bias.
    """

    layer: Layer
    """The float layer."""
    tiling: Tiling
    """Its blocks."""
    levels: IntArray
    """Signed levels, shape (outputs, kernel height, kernel width, channels)."""
    mac: MacPlan
    """The digital sum plan; the ADC range comes from training images."""
    lsb: tuple[int, int]
    """One ADC step, as a fraction (numerator, denominator) of `CellLevels.unit` times the read
    voltage: the numerator is odd, the denominator a power of two, so no current lies on an edge."""
    lines: tuple[IntArray, ...]
    """For each copy, the source line of each block and line, (n_blocks, n_lines); -1 unused."""
    coding: Coding | None
    """How counts become input codes; None where the input is the image, whose bytes are codes."""
    border: npt.NDArray[np.uint8]
    """Code around the input map, of each channel, shape (channels,)."""
    input_scale: float
    """Float activation of one step of an input code."""
    output_scale: float
    """Float sum of one count of the array's answer, times its output's `factor`."""
    factor: IntArray
    """What answers are multiplied by, over 2**16, shape (outputs,); all 2**16 where outputs share
    the size of a level."""
    bias: IntArray
    """Added to the answers after that, in counts, shape (outputs,): the float layer's bias, and
    what inputs coded around `Coding.zero` would otherwise add."""

    @cached_property
    def starts(self) -> IntArray:
        """Where each kernel position starts in a flat padded map, shape (positions,)."""
        _, width, channels = self.layer.padded_shape
        rows = np.arange(self.layer.sum_shape[0]) * self.layer.stride[0]
        columns = np.arange(self.layer.sum_shape[1]) * self.layer.stride[1]
        return np.asarray(((rows[:, None] * width + columns) * channels).reshape(-1), np.int64)

    @cached_property
    def taps(self) -> IntArray:
        """Offset of each input from there, shape (n_inputs,); -1 for an unused input."""
        _, kernel_height, kernel_width, channels = self.layer.weights.shape
        row, column, channel = np.unravel_index(
            np.maximum(self.tiling.weights, 0), (kernel_height, kernel_width, channels)
        )
        offsets = (row * self.layer.padded_shape[1] + column) * channels + channel
        return np.where(self.tiling.weights < 0, -1, offsets).reshape(-1).astype(np.int64)

    @cached_property
    def cell_levels(self) -> IntArray:
        """Level of each cell, shape (n_blocks, n_lines, width); -1 where there is none.

        The line of a pair that takes the weight's sign holds its size, the other level 0.
        """
        flat = self.levels.reshape(self.layer.outputs, -1)
        signed = flat[self.tiling.outputs[:, :, None], self.tiling.weights[:, None, :]]
        levels = np.maximum(signed * self.tiling.signs[:, :, None], 0)
        unused = (self.tiling.signs[:, :, None] == 0) | (self.tiling.weights[:, None, :] < 0)
        return np.where(unused, -1, levels)

    def cells(self, copy: int, geometry: Geometry) -> Cells:
        """Return the cells of one copy, in the order of the levels >= 0 of `cell_levels`."""
        lines = np.broadcast_to(self.lines[copy][:, :, None], self.cell_levels.shape)
        columns = np.broadcast_to(self.mac.columns[:, None, :], self.cell_levels.shape)
        used = self.cell_levels >= 0
        pe, row = np.divmod(lines[used], geometry.rows)
        return Cells.of(np.stack([pe, row, columns[used]], axis=-1))

    def pairs(self, copy: int, geometry: Geometry) -> Pairs:
        """Return the weights of one copy with their cells."""
        plus = self.tiling.signs[:, ::2, None] != 0
        block, pair, place = np.nonzero(plus & (self.tiling.weights[:, None, :] >= 0))
        lines = np.stack([self.lines[copy][block, 2 * pair + side] for side in (0, 1)], axis=1)
        pe, row = np.divmod(lines, geometry.rows)
        column = np.broadcast_to(self.mac.columns[block, place][:, None], row.shape)
        return Pairs(
            block * self.tiling.weights.shape[1] + place,
            self.tiling.outputs[block, 2 * pair],
            Cells.of(np.stack([pe, row, column], axis=-1)),
        )

    @property
    def conversions(self) -> int:
        """ADC conversions an image: one a source line, block and input bit."""
        lines = int(np.count_nonzero(self.tiling.signs))
        return self.layer.positions * lines * self.mac.input_bits


@dataclass(frozen=True, eq=False)
class HostPlan:
    """What the host does between layers, in counts."""

    work: Operator
    """The operator, its own numbers in counts."""
    ratios: tuple[Ratio, ...]
    """Brings each input to one scale."""


@dataclass(frozen=True, eq=False)
class NetworkPlan:
    """A network on a chip."""

    network: Network
    """The float network."""
    geometry: Geometry
    """The chip."""
    cell_levels: CellLevels
    """Conductances a cell may be written to."""
    steps: tuple[LayerPlan | HostPlan, ...]
    """What is done at each node of the network."""

    @cached_property
    def layers(self) -> tuple[LayerPlan, ...]:
        """The layers on the array, first to last."""
        return tuple(step for step in self.steps if isinstance(step, LayerPlan))

    def is_chain_from(self, number: int) -> bool:
        """Tell whether layer `number` and all after it are layers, each reading the one before."""
        first = self.steps.index(self.layers[number])
        return all(
            isinstance(self.steps[i], LayerPlan) and self.network.nodes[i].inputs == (i,)
            for i in range(first + 1, len(self.steps))
        )

    def last_layer_alone(self) -> NetworkPlan:
        """Return the plan of the last layer, whose images are its own padded input maps.

        What comes before it meets the array once, and the layer may then learn and be asked again
        and again; see `signal_chain.maps_into`.

        Raises
        ------
        NetworkError
            If the network does not end with a layer of the array.
        """
        last = self.steps[-1]
        if not isinstance(last, LayerPlan):
            raise NetworkError(
                f"network '{self.network.name}': ends with what the host does, not with a layer"
            )
        layer = replace(last.layer, in_shape=last.layer.padded_shape, padding=(0, 0, 0, 0))
        network = replace(Network.chain(layer.name, [layer]), input_scale=last.input_scale)
        return replace(self, network=network, steps=(replace(last, layer=layer, coding=None),))

    @property
    def copies(self) -> int:
        """How many groups of convolvers share the images: image i goes to group i % copies."""
        return max(len(layer.lines) for layer in self.layers)

    def copy_of(self, number: int, copy: int) -> int:
        """Return which copy of layer `number` serves group `copy`."""
        return copy if len(self.layers[number].lines) > 1 else 0

    @property
    def conversions(self) -> int:
        """ADC conversions an image."""
        return sum(layer.conversions for layer in self.layers)

    @cached_property
    def cells(self) -> Cells:
        """All cells of the plan, layer by layer and copy by copy."""
        parts = [
            layer.cells(copy, self.geometry).addresses
            for layer in self.layers
            for copy in range(len(layer.lines))
        ]
        return Cells.of(np.concatenate(parts))

    @cached_property
    def targets(self) -> FloatArray:
        """Conductance each cell is to have, shape (n,), in S."""
        parts = [
            self.cell_levels.conductance(layer.cell_levels[layer.cell_levels >= 0])
            for layer in self.layers
            for _ in layer.lines
        ]
        return np.concatenate(parts)

    @cached_property
    def layer_map(self) -> IntArray:
        """Number of the layer that holds each cell, shape (pe, row, col); -1 for none."""
        found = np.full(self.geometry.shape, -1, np.int64)
        for number, layer in enumerate(self.layers):
            for copy in range(len(layer.lines)):
                found[tuple(layer.cells(copy, self.geometry).addresses.T)] = number
        return found

    @cached_property
    def target_map(self) -> FloatArray:
        """Conductance each cell is to have, shape (pe, row, col), in S; NaN for none."""
        found = np.full(self.geometry.shape, np.nan)
        found[tuple(self.cells.addresses.T)] = self.targets
        return found

    def describe(self) -> str:
        """Return the plan as a table for people: one line a layer and copy."""
        head = (
            "layer        copy  blocks  inputs  lines  arrays:rows             conversions  ADC uA"
        )
        rows = [
            f"{layer.layer.name:<12} {copy:>4}  {layer.mac.n_blocks:>6}  {layer.mac.width:>6}  "
            f"{int(np.count_nonzero(layer.tiling.signs)):>5}  "
            f"{_where(lines, self.geometry):<22}  {layer.conversions:>11}  "
            f"{layer.mac.adc_full_scale * 1e6:6.2f}"
            for layer in self.layers
            for copy, lines in enumerate(layer.lines)
        ]
        return "\n".join([head, *rows, f"{self.conversions} conversions an image"])


def _where(lines: IntArray, geometry: Geometry) -> str:
    """Say which rows of which arrays the lines are."""
    pe, row = np.divmod(lines[lines >= 0], geometry.rows)
    return " ".join(f"{p}:{row[pe == p].min()}-{row[pe == p].max()}" for p in np.unique(pe))
