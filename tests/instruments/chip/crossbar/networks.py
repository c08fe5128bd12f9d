"""Crossbars for the tests, and a second way to solve them: all nodes in one sparse system."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from labctl_instruments.chip.crossbar import Wires


def random_cells(shape: tuple[int, int], seed: int = 0, opens: float = 0.1) -> np.ndarray:
    """Return cells from 1 to 100 uS, evenly on a log scale; some are open."""
    rng = np.random.default_rng(seed)
    cells = np.exp(rng.uniform(np.log(1e-6), np.log(1e-4), shape))
    return np.where(rng.random(shape) < opens, 0.0, cells)


def random_lines(count: int, seed: int = 0, floating: float = 0.0) -> np.ndarray:
    """Return voltages within +-0.2 V; some float, the first never."""
    rng = np.random.default_rng(seed)
    lines = rng.uniform(-0.2, 0.2, count)
    floats = rng.random(count) < floating
    floats[0] = False
    return np.where(floats, np.nan, lines)


def solve_directly(
    cells: np.ndarray, bit: np.ndarray, source: np.ndarray, wires: Wires
) -> tuple[np.ndarray, np.ndarray]:
    """Return the voltages of both sides of all cells, by LU factorisation of all nodes."""
    rows, columns = cells.shape
    tops = np.arange(rows * columns).reshape(rows, columns)
    bottoms = tops + rows * columns
    ground = np.zeros((2, 2 * rows * columns))  # conductance to drivers, and what they feed
    at_bit, at_source = ~np.isnan(bit), ~np.isnan(source)
    ground[0, tops[0][at_bit]] = 1.0 / wires.bit_line
    ground[1, tops[0][at_bit]] = bit[at_bit] / wires.bit_line
    ground[0, bottoms[:, 0][at_source]] = 1.0 / wires.source_line
    ground[1, bottoms[:, 0][at_source]] = source[at_source] / wires.source_line
    one = np.concatenate([tops.ravel(), tops[:-1].ravel(), bottoms[:, :-1].ravel()])
    other = np.concatenate([bottoms.ravel(), tops[1:].ravel(), bottoms[:, 1:].ravel()])
    between = np.concatenate(
        [
            cells.ravel(),
            np.full((rows - 1) * columns, 1.0 / wires.bit_line),
            np.full(rows * (columns - 1), 1.0 / wires.source_line),
        ]
    )
    size = 2 * rows * columns
    joined = sparse.coo_matrix((between, (one, other)), (size, size))
    joined = joined + joined.T
    diagonal = ground[0] + np.asarray(joined.sum(axis=1)).ravel()
    nodes = spsolve((sparse.diags(diagonal) - joined).tocsc(), ground[1])
    return nodes[tops], nodes[bottoms]
