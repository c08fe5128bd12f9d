"""How time passes in a campaign: with the wall, or with the clocks of its simulated benches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from labctl_instruments import load_bench
from labctl_instruments.station import Station

_LOOK_SECONDS = 0.2


class Pace(Protocol):
    """Whatever tells how long a campaign has been going on."""

    def now(self) -> float:
        """Return the bench time since the campaign began, in s."""
        ...

    def follow(self, bench: str, station: Station) -> None:
        """Take a bench into account, and bring its clock up to the campaign's."""

    def wait(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Return when so much bench time has passed, or `is_over`."""


class WallPace:
    """Time of real benches: the wall's, also while no process carried the campaign out.

    Parameters
    ----------
    began : datetime
        When the campaign began.
    """

    def __init__(self, began: datetime) -> None:
        self._began = began
        self._pause = threading.Event()  # never set

    def now(self) -> float:
        """Return the wall time since the campaign began, in s."""
        return (datetime.now(UTC) - self._began).total_seconds()

    def follow(self, bench: str, station: Station) -> None:
        """Do nothing: there is one wall."""

    def wait(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Sleep, looking up now and then."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not is_over():
            self._pause.wait(min(left, _LOOK_SECONDS))


class BenchPace:
    """Time of simulated benches: each has a clock of its own, and none may lag behind.

    Parameters
    ----------
    elapsed : float
        Bench time that had passed when this process took the campaign up, in s.
    """

    def __init__(self, elapsed: float) -> None:
        self._elapsed = elapsed
        self._benches: dict[str, tuple[Station, float]] = {}

    def now(self) -> float:
        """Return the time of the bench whose clock is furthest, in s."""
        for station, offset in self._benches.values():
            self._elapsed = max(self._elapsed, station.now() + offset)
        return self._elapsed

    def follow(self, bench: str, station: Station) -> None:
        """Let a bench's clock count; it waits until it is where the others are."""
        known = self._benches.get(bench)
        if known is None or known[0] is not station:
            self._benches[bench] = (station, self.now() - station.now())
            return
        lag = self.now() - (station.now() + known[1])
        if lag > 0:
            station.wait(lag)

    def wait(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Let all clocks advance; without a bench, the campaign's own."""
        if is_over():
            return
        until = self.now() + seconds
        for station, offset in self._benches.values():
            station.wait(max(0.0, until - (station.now() + offset)))
        self._elapsed = max(self._elapsed, until)


def pace_of(benches: set[str], began: datetime, elapsed: float) -> Pace:
    """Return how time passes on these benches: the wall's where all of them are real."""
    simulated = any(_has_clock(bench) for bench in benches)
    return BenchPace(elapsed) if simulated else WallPace(began)


def _has_clock(bench: str) -> bool:
    file = load_bench(bench)
    return file.virtual is not None or bool(file.with_role("clock"))


def day_time(began: datetime, elapsed: float) -> datetime:
    """Return the local time of day of a campaign, by its own time."""
    return (began + timedelta(seconds=elapsed)).astimezone()
