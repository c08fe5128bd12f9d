"""Progress of the run that goes on, and how long it may still take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a run is at one instant."""

    label: str = ""
    """What is going on."""
    done: int = 0
    """Parts done."""
    total: int | None = None
    """Parts in all; None where that is not known."""
    elapsed: float = 0.0
    """Wall time since the start, in s."""

    @property
    def fraction(self) -> float | None:
        """Part done, 0 to 1; None where the total is not known."""
        return min(self.done / self.total, 1.0) if self.total else None

    @property
    def remaining(self) -> float | None:
        """Wall time still to go at the pace so far, in s; None while nobody can know."""
        if not self.total or not self.done:
            return None
        return self.elapsed * max(self.total - self.done, 0) / self.done


class ProgressMeter:
    """A progress sink that a window may look at from another thread.

    Parameters
    ----------
    clock : callable
        Wall time in s, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._started = clock()
        self._ended: float | None = self._started
        self._label = ""
        self._done = 0
        self._total: int | None = None

    def start(self, label: str, total: int | None) -> None:
        """Begin a step called `label` of `total` parts (None where that is not known)."""
        with self._lock:
            self._label, self._done, self._total = label, 0, total
            self._started, self._ended = self._clock(), None

    def advance(self, n: int = 1) -> None:
        """Count `n` more parts as done."""
        with self._lock:
            self._done += n

    def finish(self) -> None:
        """End the step; the clock of it stops."""
        with self._lock:
            self._ended = self._clock()

    @property
    def now(self) -> Progress:
        """How far it is at this instant."""
        with self._lock:
            end = self._clock() if self._ended is None else self._ended
            return Progress(self._label, self._done, self._total, end - self._started)


def duration_text(seconds: float) -> str:
    """Return `seconds` as a person says it: `8 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
