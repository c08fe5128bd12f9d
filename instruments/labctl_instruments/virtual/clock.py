"""Bench time: what instruments charge, and what runs remember."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from enum import Enum

_FOREVER = math.inf


class ClockMode(Enum):
    """How bench time passes."""

    JUMP = "JUMP"
    """Only as it is charged; at once."""
    REAL = "REAL"
    """With the wall's, or some times as fast; what is charged is slept."""


class Clock:
    """The bench's clock, in s since the bench was opened.

    Parameters
    ----------
    mode : ClockMode
        How time passes.
    monotonic, sleep : callable
        The wall's clock and how to wait on it, in s; used in mode REAL only. By default waits
        end when `hurry` is called.
    """

    def __init__(
        self,
        mode: ClockMode = ClockMode.JUMP,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._hurried = threading.Event()
        self._sleep = sleep or self._hurried.wait
        self._time = 0.0
        self._offset = 0.0
        self._jumps = True
        self._rate = 1.0
        self._followers: list[Callable[[], None]] = []
        self.mode = mode

    @property
    def mode(self) -> ClockMode:
        """How bench time passes; time goes on where it is when this is set."""
        return ClockMode.JUMP if self._jumps else ClockMode.REAL

    @mode.setter
    def mode(self, mode: ClockMode) -> None:
        self.set_time(self.now())
        self._jumps = mode is ClockMode.JUMP

    @property
    def speed(self) -> float:
        """Bench time that passes in a second of the wall's; infinite in mode JUMP."""
        return _FOREVER if self._jumps else self._rate

    @speed.setter
    def speed(self, speed: float) -> None:
        now = self.now()
        self._jumps = speed == _FOREVER
        self._rate = 1.0 if self._jumps else speed
        self.set_time(now)

    def now(self) -> float:
        """Return the bench time, in s."""
        if self._jumps:
            return self._time
        return (self._monotonic() - self._offset) * self._rate

    def charge(self, seconds: float) -> None:
        """Let bench time pass; ValueError if `seconds` is negative or no number."""
        if not 0.0 <= seconds < _FOREVER:
            raise ValueError(f"bench time cannot pass by {seconds} s")
        if self._jumps:
            self._time += seconds
        else:
            self._sleep(seconds / self._rate)
        for follow in self._followers:
            follow()

    def on_passing(self, follow: Callable[[], None]) -> None:
        """Call `follow` whenever bench time has been charged: for what changes by itself."""
        self._followers.append(follow)

    def hurry(self) -> None:
        """End the wait at hand and all later ones: the bench is being closed."""
        self._hurried.set()

    def set_time(self, seconds: float) -> None:
        """Continue from `seconds`, as a restored bench does."""
        self._time = seconds
        self._offset = self._monotonic() - seconds / self._rate
