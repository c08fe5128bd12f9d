"""What a run that ended early has stored, as the procedure that goes on with it sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, Geometry
from labctl_data.run_file import Run
from labctl_instruments.station import FloatArray

Records = Mapping[str, npt.NDArray[Any]]
"""Rows of a run by dataset name; columns of one length."""
IntArray = npt.NDArray[np.int64]

READING = 0.5
"""Pulses of no higher magnitude, in V, are stress in read polarity; beyond it they program."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A run file to go on with."""

    run: Run
    """The file, recovered."""
    geometry: Geometry
    """Size of the chip."""
    undelivered: int | None = None
    """Last message of the ledger, if it never reached the bench by its counters."""

    @cached_property
    def finished(self) -> dict[int, tuple[int, int]]:
        """Rows, from first to last + 1, of each finished point of the plan."""
        return self.run.points

    @cached_property
    def records(self) -> Records:
        """All rows."""
        return self.run.records()

    def rows_of(self, number: int) -> Records:
        """Return the rows of a finished point."""
        return self._rows(*self.finished[number])

    def half_done(self) -> Records:
        """Return the rows of the point that was begun and not finished."""
        return self._rows(max((stop for _, stop in self.finished.values()), default=0), None)

    def pulses(self, cells: Cells) -> IntArray:
        """Return the programming pulses given to each of `cells` in this run, (n,)."""
        return self._given(cells, self._ledger["amplitude"] > READING, self._ledger["count"])

    def stress(self, cells: Cells) -> IntArray:
        """Return the read pulses given to each of `cells` as stress in this run, (n,)."""
        return self._given(cells, self._ledger["amplitude"] <= READING, self._ledger["count"])

    def messages(self, cells: Cells) -> IntArray:
        """Return the messages that pulsed or swept each of `cells` in this run, (n,)."""
        every = np.ones(len(self._ledger["count"]), bool)
        return self._given(cells, every, every.astype(np.int64))

    def snapshot(self, name: str, cells: Cells) -> tuple[float, FloatArray] | None:
        """Return time (s) and values (n,) at `cells` of the last snapshot of a map, if any."""
        if name not in self.run.maps:
            return None
        times, images = self.run.map(name)
        if not len(times):
            return None
        return float(times[-1]), images[-1][cells.pe, cells.row, cells.column]

    @cached_property
    def _ledger(self) -> Records:
        """The ledger without what never reached the bench."""
        table = self.run.ledger
        settled = [segment.undelivered for segment in self.run.segments] + [self.undelivered]
        lost = [message for message in settled if message is not None]
        delivered = ~np.isin(table["message"], lost)
        return {name: values[delivered] for name, values in table.items()}

    def _given(self, cells: Cells, which: npt.NDArray[np.bool_], weights: Any) -> IntArray:  # noqa: ANN401
        table = self._ledger
        addresses = np.stack([table[name][which] for name in ("pe", "row", "column")], axis=-1)
        index = Cells.of(addresses).index(self.geometry)
        total = np.bincount(index, weights[which], minlength=self.geometry.n_cells)
        return np.asarray(total[cells.index(self.geometry)], np.int64)

    def _rows(self, start: int, stop: int | None) -> Records:
        return {name: values[start:stop] for name, values in self.records.items()}
