"""Retention side by side: a run is left between two looks and gone on with at the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.queue.job import JobRequest

if TYPE_CHECKING:
    from labctl_instruments.station import Station

PATIENCE = 30.0
"""A run waits for its next look if that is due within so many s of bench time."""


_AFTER = 1.001
"""A look stands for all times up to this factor: what was read at 99.99 s was the look at 100 s."""


class Sitting:
    """Tells a retention run when to leave the bench to others: after a look, if the next is far.

    Parameters
    ----------
    times : sequence of float
        Times of the looks after the end of the writing, in s.
    cells : int
        Cells, which are the rows of a look.
    stored : int
        Rows that are stored already.
    """

    def __init__(self, times: Sequence[float], cells: int, stored: int = 0) -> None:
        self._times = np.asarray(times)
        self._cells, self._rows = cells, stored
        self._before = stored
        self._started: float | None = None
        self._now = 0.0

    def begun_at(self, started: float) -> None:
        """Count the times of the looks from `started`, in s of bench time."""
        self._started = started

    def see(self, rows: Mapping[str, Any]) -> None:
        """Take note of rows that were stored."""
        self._rows += int(np.size(rows["Row"]))
        self._now = float(np.max(rows["Time (s)"]))
        if self._started is None:
            self._started = self._now - float(self._times[0])

    def is_over(self) -> bool:
        """Return whether a look has just been finished and the next is far."""
        if self._rows == self._before or self._rows % self._cells or self._started is None:
            return False
        elapsed = self._now - self._started
        later = self._times[self._times > elapsed * _AFTER]
        return bool(later.size) and float(later[0]) - elapsed > PATIENCE


def sitting_of(request: JobRequest, path: Path, station: Station) -> Sitting:
    """Return the sitting of a retention run that is about to begin or to go on."""
    from labctl_data.run_file import open_run
    from labctl_procedures import catalogue

    procedure = catalogue.make(request.procedure, request.parameters)
    procedure.station = station
    times, cells = list(procedure.points()), len(getattr(procedure, "cells"))  # noqa: B009
    if not path.exists():
        return Sitting(times, cells)
    run = open_run(path)
    sitting = Sitting(times, cells, run.rows)
    began = _began(path)
    if began is not None:
        sitting.begun_at(began)
    return sitting


def next_look(request: JobRequest, path: Path) -> float | None:
    """Return the bench time of the next look of a run, in s; None where nothing is to be awaited.

    A run whose writing has not been finished goes on at once.
    """
    from labctl_data.run_file import open_run
    from labctl_procedures import catalogue

    began = _began(path)
    if began is None:
        return None
    done = open_run(path).points
    times = enumerate(catalogue.make(request.procedure, request.parameters).points())
    return next((began + time for number, time in times if number not in done), None)


def _began(path: Path) -> float | None:
    """Return when the writing of a run ended, in s of bench time; None if it has not."""
    from labctl_data.run_file import open_run

    run = open_run(path)
    if "verified_at" not in run.maps:
        return None
    times, _ = run.map("verified_at")
    return float(times[-1]) if len(times) else None
