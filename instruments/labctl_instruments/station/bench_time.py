"""How time passes on a bench."""

from __future__ import annotations

import time
from typing import Protocol

_REAL_STEP = 5.0
"""Longest step of a clock in real time, in s: an answer must come before the VISA time-out."""


class BenchTime(Protocol):
    """Whatever can tell bench time and let it pass."""

    def now(self) -> float:
        """Return the bench time, in s."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when `seconds` of bench time have passed."""

    def close(self) -> None:
        """Close whatever it took."""


class WallTime:
    """Time on a bench without a clock instrument: the wall's.

    Counted from the start of the computer, whose clock may be set meanwhile: a run that is gone on
    with by another process, or on a bench that was opened anew, finds the time where it left it.
    """

    def now(self) -> float:
        """Return the seconds since the computer was started."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def close(self) -> None:
        """Do nothing: the wall's clock needs no closing."""


class Clock(Protocol):
    """The clock instrument, as far as a station needs it."""

    time: float
    mode: str

    def advance(self, seconds: float) -> None:
        """Let bench time pass."""

    def close(self) -> None:
        """Close the connection."""


class InstrumentTime:
    """Time on a bench whose file declares a clock instrument."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        """Return the clock's time, in s."""
        return float(self._clock.time)

    def wait(self, seconds: float) -> None:
        """Ask the clock to let time pass; in steps where it passes with the wall's."""
        longest = seconds if self._clock.mode == "JUMP" else _REAL_STEP
        while seconds > 0:
            self._clock.advance(min(seconds, longest))
            seconds -= longest

    def close(self) -> None:
        """Close the clock's connection."""
        self._clock.close()
