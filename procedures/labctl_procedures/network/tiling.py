"""Cut a layer into blocks that fit an array, and find each block its source lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.layers import Layer

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tiling:
    """A layer in blocks: some inputs on bit lines, pairs of source lines for all outputs."""

    weights: IntArray
    """Shape (n_blocks, width): which weight of an output, flat in (height, width, channel), an
    input of the block meets; -1 for an unused input."""
    outputs: IntArray
    """Shape (n_blocks, n_lines): output to which a source line is added; lines 2 k and 2 k + 1 are
    a pair. 0 where the sign is 0."""
    signs: IntArray
    """Shape (n_blocks, n_lines): +1 or -1; 0 for an unused line."""
    parts: tuple[slice, ...]
    """Lines of a block that lie in one array; where there are more parts than one, arrays that are
    driven alike share the block."""

    @property
    def lines_used(self) -> int:
        """Source lines of all blocks."""
        return int(np.count_nonzero(self.signs))


def tile(layer: Layer, geometry: Geometry) -> Tiling:
    """Cut a layer into blocks.

    Where the kernel's window fits the bit lines, a block holds whole input channels (as many as
    fit); else runs of inputs. Where it needs more source lines than an array has, it is parted.

    Parameters
    ----------
    layer : Layer
        The layer.
    geometry : Geometry
        The chip.

    Returns
    -------
    Tiling
        The blocks, in the order of their inputs.

    Raises
    ------
    NetworkError
        If an array has fewer than two source lines.
    """
    pairs = geometry.rows // 2
    if pairs < 1:
        raise NetworkError(f"layer '{layer.name}': a weight needs two source lines of one array")
    runs = _input_runs(layer, geometry.columns)
    shape = (len(runs), 2 * layer.outputs)
    weights = np.full((len(runs), max(len(run) for run in runs)), -1, np.int64)
    for block, run in enumerate(runs):
        weights[block, : len(run)] = run
    return Tiling(
        weights,
        outputs=np.broadcast_to(np.repeat(np.arange(layer.outputs), 2), shape).copy(),
        signs=np.broadcast_to(np.tile([1, -1], layer.outputs), shape).copy(),
        parts=tuple(
            slice(2 * start, 2 * min(start + pairs, layer.outputs))
            for start in range(0, layer.outputs, pairs)
        ),
    )


def _input_runs(layer: Layer, columns: int) -> list[IntArray]:
    """Return the flat weight indices of each block's inputs, whole channels first.

    Within a block they rise, so that neighbours in a map are neighbours in the vector.
    """
    _, height, width, channels = layer.weights.shape
    area = height * width
    order = np.arange(area * channels).reshape(area, channels).T.reshape(-1)
    size = columns // area * area if area <= columns else columns
    return [np.sort(order[start : start + size]) for start in range(0, len(order), size)]


def place(
    copied: Sequence[Tiling],
    single: Sequence[Tiling],
    geometry: Geometry,
    *,
    copies: int,
    spare_rows: int = 0,
) -> tuple[list[list[IntArray]], list[list[IntArray]]] | None:
    """Give each block source lines of one array.

    Each copy of the copied layers, and then the rest, starts on an array of its own where the chip
    has room for that; else the blocks are packed one after another.

    Parameters
    ----------
    copied, single : sequence of Tiling
        Layers that are held `copies` times, and layers held once.
    geometry : Geometry
        The chip.
    copies : int
        How often the copied layers are held.
    spare_rows : int
        Last source lines of each array, which are left free.

    Returns
    -------
    tuple of (list of list of ndarray) or None
        For the copied and for the single layers: for each layer, for each copy, source lines
        ``pe * rows + row`` of shape (n_blocks, n_lines), -1 where unused. None if they do not fit.
    """
    for spread in (True, False):
        shelf = _Shelf(geometry, spare_rows)
        by_copy = []
        for _ in range(copies):
            by_copy.append([shelf.lines_for(tiling) for tiling in copied])
            shelf.turn_over(spread=spread)
        once = [[shelf.lines_for(tiling)] for tiling in single]
        if not shelf.overflowed:
            by_layer = [[layers[i] for layers in by_copy] for i in range(len(copied))]
            return by_layer, once
    return None


def arrays_needed(tilings: Sequence[Tiling], geometry: Geometry, *, spare_rows: int = 0) -> int:
    """Return how many arrays the layers fill when packed one after another."""
    shelf = _Shelf(geometry, spare_rows)
    for tiling in tilings:
        shelf.lines_for(tiling)
    return shelf.pe + (shelf.row > 0)


class _Shelf:
    """Hands out source lines from the first array to the last."""

    def __init__(self, geometry: Geometry, spare_rows: int) -> None:
        self.geometry = geometry
        self.rows = geometry.rows - spare_rows
        self.pe = 0
        self.row = 0

    @property
    def overflowed(self) -> bool:
        return self.pe + (self.row > 0) > self.geometry.pes

    def lines_for(self, tiling: Tiling) -> IntArray:
        lines = np.full(tiling.signs.shape, -1, np.int64)
        for block in range(len(lines)):
            for part in tiling.parts:
                used = len(lines[block, part])
                if self.row + used > self.rows:
                    self.turn_over(spread=True)
                first = self.pe * self.geometry.rows + self.row
                lines[block, part] = np.arange(first, first + used)
                self.row += used
        return lines

    def turn_over(self, *, spread: bool) -> None:
        if spread and self.row > 0:
            self.pe, self.row = self.pe + 1, 0
