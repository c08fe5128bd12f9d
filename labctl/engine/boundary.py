"""The pulse boundaries of work on a bench: where it waits when paused, and ends when told to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from labctl.engine.control import Control
from labctl_instruments.station import Station

Asked = Callable[[], str | bool | None]
"""Whether to end: the reason, or True for none in particular."""

_DURING_PAUSE = {
    "rest": "at rest: outputs off, crosspoints open",
    "hold": "held as it is between two messages",
}


class Notes(Protocol):
    """Where it is told that work waited: a run file, as far as this needs it."""

    def event(self, time: float, kind: str, text: str) -> None:
        """Note what happened at the bench time `time`, in s."""

    def flush(self) -> None:
        """Hand over all that was taken so far."""


class Boundary:
    """Asked at each pulse boundary whether the work must end there; while paused, it waits there.

    Parameters
    ----------
    station : Station
        The bench.
    notes : Notes
        Is told of pauses.
    control : Control
        Pauses, resumes and aborts the work.
    """

    def __init__(self, station: Station, notes: Notes, control: Control) -> None:
        self._station, self._notes, self._control = station, notes, control
        self._stoppers: list[Asked] = [control.is_aborting]
        self.reason: str | None = None
        """Why the work must end; None while it may go on."""
        self.time = 0.0
        """Bench time at which a pause was told last, in s."""

    def ends_when(self, asked: Asked) -> None:
        """Ask `asked`, too."""
        self._stoppers.append(asked)

    def must_end(self) -> bool:
        """Return whether to end here, after the pause if there is one."""
        if self._control.state == "paused" and not self._is_over():
            self._pause()
        return self._is_over()

    def _is_over(self) -> bool:
        """Return whether the work must end; once it must, it must for good."""
        for asked in self._stoppers:
            if self.reason is None and (told := asked()):
                self.reason = told if isinstance(told, str) else "asked to stop"
        return self.reason is not None

    def _pause(self) -> None:
        """Wait, the bench as the control's policy says."""
        policy = self._control.during_pause
        if policy == "rest":
            self._station.rest()
        self._note("paused", f"bench {_DURING_PAUSE[policy]}")
        self._notes.flush()
        began = time.monotonic()
        self._control.wait(self._is_over)
        self._note("resumed", f"after a pause of {time.monotonic() - began:.3f} s")

    def _note(self, kind: str, text: str) -> None:
        self.time = self._station.now()
        self._notes.event(self.time, kind, text)
