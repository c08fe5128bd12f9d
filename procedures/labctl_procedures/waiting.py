"""Let bench time pass, in a way that can be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable

from labctl_instruments.station import Station

_SLICE = 0.5
"""Longest time between two looks whether to stop, in s."""


def wait(station: Station, seconds: float, should_stop: Callable[[], bool]) -> None:
    """Let bench time pass; on a real bench, in slices that can be stopped.

    Parameters
    ----------
    station : Station
        The bench.
    seconds : float
        How long, in s.
    should_stop : callable
        Asked between slices; True ends the wait.
    """
    if station.bench.seed is not None:
        station.wait(seconds)
        return
    end, step = station.now() + seconds, _SLICE
    while (left := end - station.now()) > 0 and not should_stop():
        began = time.monotonic()
        station.wait(min(left, step))
        if time.monotonic() - began < step / 2:  # a served bench, whose time may jump
            step *= 2
