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
    """A layer in blocks: some inputs on bit lines, pairs of source lines for some outputs."""

    weights: IntArray
    """Shape (n_blocks, width): which weight of an output, flat in (height, width, channel), an
    input of the block meets; -1 for an unused input."""
    outputs: IntArray
    """Shape (n_blocks, n_lines): output to which a source line is added; lines 2 k and 2 k + 1 are
    a pair. 0 where the sign is 0."""
    signs: IntArray
    """Shape (n_blocks, n_lines): +1 or -1; 0 for an unused line."""

    @property
    def lines_used(self) -> IntArray:
        """Source lines of each block, shape (n_blocks,)."""
        return np.asarray(np.count_nonzero(self.signs, axis=1), np.int64)


def tile(layer: Layer, geometry: Geometry) -> Tiling:
    """Cut a layer into blocks.

    Where the kernel's window fits the bit lines, a block holds whole input channels (as many as
    fit); else runs of inputs. Outputs are split where a block would need more source lines than
    an array has.

    Parameters
    ----------
    layer : Layer
        The layer.
    geometry : Geometry
        The chip; one block must fit one array.

    Returns
    -------
    Tiling
        The blocks, inputs changing faster than outputs.

    Raises
    ------
    NetworkError
        If an array has fewer than two source lines.
    """
    pairs = geometry.rows // 2
    if pairs < 1:
        raise NetworkError(f"layer '{layer.name}': a weight needs two source lines of one array")
    runs = _input_runs(layer, geometry.columns)
    groups = np.array_split(np.arange(layer.outputs), -(-layer.outputs // pairs))
    width = max(len(run) for run in runs)
    n_lines = 2 * max(len(group) for group in groups)
    shape = (len(runs) * len(groups), n_lines)
    weights = np.full((shape[0], width), -1, np.int64)
    outputs, signs = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    blocks = [(run, group) for group in groups for run in runs]
    for block, (run, group) in enumerate(blocks):
        weights[block, : len(run)] = run
        outputs[block, : 2 * len(group)] = np.repeat(group, 2)
        signs[block, : 2 * len(group)] = np.tile([1, -1], len(group))
    return Tiling(weights, outputs, signs)


def _input_runs(layer: Layer, columns: int) -> list[IntArray]:
    """Return the flat weight indices of each block's inputs, channel by channel."""
    _, height, width, channels = layer.weights.shape
    area = height * width
    order = np.arange(area * channels).reshape(area, channels).T.reshape(-1)
    size = columns // area * area if area <= columns else columns
    return [order[start : start + size] for start in range(0, len(order), size)]


def place(
    copied: Sequence[Tiling], single: Sequence[Tiling], geometry: Geometry, copies: int
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

    Returns
    -------
    tuple of (list of list of ndarray) or None
        For the copied and for the single layers: for each layer, for each copy, source lines
        ``pe * rows + row`` of shape (n_blocks, n_lines), -1 where unused. None if they do not fit.
    """
    for spread in (True, False):
        shelf = _Shelf(geometry)
        by_copy = []
        for _ in range(copies):
            by_copy.append([shelf.lines_for(tiling) for tiling in copied])
            shelf.turn_over(spread=spread)
        once = [[shelf.lines_for(tiling)] for tiling in single]
        if not shelf.overflowed:
            by_layer = [[layers[i] for layers in by_copy] for i in range(len(copied))]
            return by_layer, once
    return None


def arrays_needed(tilings: Sequence[Tiling], geometry: Geometry) -> int:
    """Return how many arrays the layers fill when packed one after another."""
    shelf = _Shelf(geometry)
    for tiling in tilings:
        shelf.lines_for(tiling)
    return shelf.pe + (shelf.row > 0)


class _Shelf:
    """Hands out source lines from the first array to the last."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.pe = 0
        self.row = 0

    @property
    def overflowed(self) -> bool:
        return self.pe + (self.row > 0) > self.geometry.pes

    def lines_for(self, tiling: Tiling) -> IntArray:
        lines = np.full(tiling.signs.shape, -1, np.int64)
        for block, used in enumerate(tiling.lines_used):
            if self.row + used > self.geometry.rows:
                self.turn_over(spread=True)
            first = self.pe * self.geometry.rows + self.row
            lines[block, :used] = np.arange(first, first + used)
            self.row += int(used)
        return lines

    def turn_over(self, *, spread: bool) -> None:
        if spread and self.row > 0:
            self.pe, self.row = self.pe + 1, 0
