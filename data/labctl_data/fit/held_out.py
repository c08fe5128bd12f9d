"""Keep some cells out of a fit, so that what it made can be judged on cells it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.errors import FitError
from labctl_data.fit.observations import geometry_of
from labctl_data.run_file.layout import Array
from labctl_data.run_file.reader import Run

ADDRESS = ("pe", "row", "column")
LEAST_CELLS = 20
"""Cells below which neither a part is worth the name."""
SEED = 1
"""Of the draw that decides whose turn it is to be kept out."""


@dataclass(frozen=True, eq=False)
class RunOfCells(Run):
    """A run, as if only some of its cells had been measured.

    Rows that are of no single cell (sums of rows) stay with it.
    """

    chosen: npt.NDArray[np.bool_]
    """Which cells of the chip, shape (pe, row, col)."""

    def records(self) -> dict[str, Array]:
        """Return all columns, rows of other cells left out."""
        rows = super().records()
        if not set(ADDRESS) <= rows.keys():
            return rows
        addresses = [rows[name].astype(np.int64) for name in ADDRESS]
        single = np.all([each >= 0 for each in addresses], axis=0)
        index = np.ravel_multi_index(tuple(addresses), self.chosen.shape, mode="clip")
        kept = ~single | self.chosen.ravel()[index]
        return {name: values[kept] for name, values in rows.items()}

    def record(self, name: str, *, start: int = 0, stop: int | None = None) -> Array:
        """Return a column; see `Run.record`."""
        return self.records()[name][start:stop]


@dataclass(frozen=True, eq=False)
class Split:
    """Cells that a fit may see, and cells that judge it."""

    held_out: npt.NDArray[np.bool_]
    """Where a cell is kept out, shape (pe, row, col)."""

    def fitted(self, run: Run) -> Run:
        """Return a run without the cells that are kept out."""
        return RunOfCells(run.path, ~self.held_out)

    def judging(self, run: Run) -> Run:
        """Return a run of the cells that are kept out alone."""
        return RunOfCells(run.path, self.held_out)


def split_cells(runs: Sequence[Run], share: float) -> Split:
    """Part the cells of some runs in two, by a draw that is always the same.

    Parameters
    ----------
    runs : sequence of Run
        Of one chip.
    share : float
        Share of the cells that is kept out, 0 to 1.

    Raises
    ------
    FitError
        If the share leaves hardly any cell on either side.
    """
    geometry = geometry_of(runs)
    seen = np.zeros(geometry.n_cells, bool)
    for run in runs:
        rows = run.records()
        if set(ADDRESS) <= rows.keys():
            addresses = np.stack([rows[name].astype(np.int64) for name in ADDRESS])
            addresses = addresses[:, np.all(addresses >= 0, axis=0)]
            seen[np.ravel_multi_index(tuple(addresses), geometry.shape)] = True
    cells = np.flatnonzero(seen)
    n = round(share * len(cells))
    if not LEAST_CELLS <= n <= len(cells) - LEAST_CELLS:
        raise FitError(
            f"asked to keep {share:g} of the cells out of the fit, found {len(cells)} cells in the "
            f"runs: {n} to judge and {len(cells) - n} to fit, where {LEAST_CELLS} are the least"
        )
    held_out = np.zeros(geometry.n_cells, bool)
    held_out[np.random.default_rng(SEED).permutation(cells)[:n]] = True
    return Split(held_out.reshape(geometry.shape))
