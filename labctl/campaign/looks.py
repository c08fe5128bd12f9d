"""Retention side by side: a run is left between two looks and gone on with at the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.queue.job import JobRequest

if TYPE_CHECKING:
    from labctl_instruments.station import Station

PATIENCE = 30.0
"""A run waits for its next look if that is due within so many s of bench time."""


EARLY = 10.0
"""A run is gone on with so many s of bench time before its next look, which waits for its time: one
whose time has passed would be left out."""
_AFTER = 1 + 1e-9
"""What is later by rounding alone is not later."""


class Sitting:
    """Tells a retention run when to leave the bench to others: between looks, if the next is far.

    Parameters
    ----------
    times : sequence of float
        Times of the looks after the end of the writing, in s.
    cells : int
        Cells, which are the rows of a look.
    now : callable
        Returns the bench time, in s.
    stored : int
        Rows that are stored already.
    started : float or None
        Bench time at which the writing ended, in s; None where it has not.
    """

    def __init__(
        self,
        times: Sequence[float],
        cells: int,
        now: Callable[[], float],
        *,
        stored: int = 0,
        started: float | None = None,
    ) -> None:
        self._times = np.asarray(times)
        self._cells, self._rows = cells, stored
        self._now = now
        self._started = started
        self._awaited: float | None = None

    def see(self, rows: Mapping[str, Any]) -> None:
        """Take note of rows that were stored."""
        self._rows += int(np.size(rows["Row"]))
        self._awaited = None
        if self._started is None:
            self._started = float(np.max(rows["Time (s)"])) - float(self._times[0])

    def is_over(self) -> bool:
        """Return whether no look is going on and the next is far."""
        if self._rows % self._cells or self._started is None:
            return False
        elapsed = self._now() - self._started
        if self._awaited is not None and elapsed < self._awaited + PATIENCE:
            return False  # its time has come, or will: it has not been read yet
        later = self._times[self._times > elapsed * _AFTER]
        if later.size and float(later[0]) - elapsed > PATIENCE:
            return True
        self._awaited = float(later[0]) if later.size else None
        return False


def sitting_of(request: JobRequest, path: Path, station: Station) -> Sitting:
    """Return the sitting of a retention run that is about to begin or to go on."""
    from labctl_data.run_file import open_run
    from labctl_procedures import catalogue

    procedure = catalogue.make(request.procedure, request.parameters)
    procedure.station = station
    times, cells = list(procedure.points()), len(getattr(procedure, "cells"))  # noqa: B009
    if not path.exists():
        return Sitting(times, cells, station.now)
    rows = open_run(path).rows
    return Sitting(times, cells, station.now, stored=rows, started=_began(path))


def next_look(request: JobRequest, path: Path, now: float) -> float | None:
    """Return the bench time of the next look of a run, in s; None where nothing is to be awaited.

    A run whose writing has not been finished goes on at once, and so does one that has missed its
    last look.

    Parameters
    ----------
    request : JobRequest
        What is measured.
    path : Path
        The run file.
    now : float
        Bench time now, in s: looks whose time has passed are not made up for.
    """
    from labctl_data.run_file import open_run
    from labctl_procedures import catalogue

    began = _began(path)
    if began is None:
        return None
    done = open_run(path).points
    times = enumerate(catalogue.make(request.procedure, request.parameters).points())
    left = [began + time for number, time in times if number not in done]
    return next((time for time in left if time > now), None)


def _began(path: Path) -> float | None:
    """Return when the writing of a run ended, in s of bench time; None if it has not."""
    from labctl_data.run_file import open_run

    run = open_run(path)
    if "verified_at" not in run.maps:
        return None
    times, _ = run.map("verified_at")
    return float(times[-1]) if len(times) else None
