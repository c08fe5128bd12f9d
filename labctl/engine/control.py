"""What the people beside a run may ask of it: wait here, go on, end here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

DuringPause = Literal["rest", "hold"]
State = Literal["running", "paused", "aborting"]

_LOOK_SECONDS = 0.05
"""How often a run that waits looks whether it must end, in s of wall time."""


class Control:
    """Pause, resume and abort one run, from any thread; it obeys at its next pulse boundary.

    Parameters
    ----------
    during_pause : {"rest", "hold"}
        What the chip sees while the run waits. `rest` puts outputs off and opens all crosspoints
        (a thermal chuck goes off with them), and the run connects again when it goes on. `hold`
        leaves all as it is between two messages: lines driven to 0 V, relays closed, a chuck at
        its temperature.

    Examples
    --------
    >>> control = Control()
    >>> control.pause()
    >>> control.state
    'paused'
    """

    def __init__(self, *, during_pause: DuringPause = "rest") -> None:
        self.during_pause: DuringPause = during_pause
        self._state: State = "running"
        self._is_waiting = False
        self._changed = threading.Condition()

    @property
    def state(self) -> State:
        """What has been asked of the run last; see `is_waiting` for whether it waits already."""
        return self._state

    @property
    def is_waiting(self) -> bool:
        """Whether the run has reached a pulse boundary and waits there, the bench as promised."""
        return self._is_waiting and self._state == "paused"

    def pause(self) -> None:
        """Ask the run to wait at its next pulse boundary; one that is to end does not wait."""
        self._ask("paused")

    def resume(self) -> None:
        """Let the run go on."""
        self._ask("running")

    def abort(self) -> None:
        """Ask the run to end at its next pulse boundary; there is no way back."""
        self._ask("aborting")

    def await_waiting(self, timeout: float) -> bool:
        """Return once the run waits; False if it does not within `timeout` s of wall time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_waiting, timeout)

    def is_aborting(self) -> bool:
        """Return whether the run is to end."""
        return self._state == "aborting"

    def wait(self, is_over: Callable[[], bool]) -> None:
        """Return when the run may go on, or must end; called by the run, which waits meanwhile.

        Parameters
        ----------
        is_over : callable
            Returns whether the run must end for another reason: a signal, a lost guardian.
        """
        try:
            while self._state == "paused" and not is_over():
                with self._changed:
                    self._is_waiting = True
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._state != "paused", _LOOK_SECONDS)
        finally:
            self._is_waiting = False

    def _ask(self, state: State) -> None:
        with self._changed:
            if self._state != "aborting":
                self._state = state
            self._changed.notify_all()
