"""Signals that end a process, turned into a stop at the next pulse boundary."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals that ask a process to end; SIGHUP where there is one."""


class StopSignals:
    """Note signals instead of dying of them, while the ``with`` block lasts.

    The first signal asks to stop: `received` names it, and the run ends at its next pulse
    boundary. A second one no longer waits and raises KeyboardInterrupt, except inside `held`.
    Blocks may stand within each other: all of them note the signal. A signal that was ignored
    before (`nohup`) stays ignored. Outside the main thread, where Python delivers no signal,
    nothing is installed.

    Parameters
    ----------
    patient : bool
        False raises KeyboardInterrupt at the first signal: for work that asks nobody.
    """

    def __init__(self, *, patient: bool = True) -> None:
        self.received: str | None = None
        self._patient = patient
        self._held = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in filter(_is_heard, STOPPING):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no signal interrupt what is inside: bringing the bench to rest."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.received is not None
        self.hear(number)
        if (again or not self._patient) and not self._held:
            raise KeyboardInterrupt(self.received)

    def hear(self, number: int) -> None:
        """Remember the signal, and tell whoever listened before: a campaign around its runs."""
        self.received = signal.Signals(number).name
        outer = getattr(self._before.get(number), "__self__", None)
        if isinstance(outer, StopSignals):
            outer.hear(number)


def _is_heard(number: int) -> bool:
    """Tell whether a signal is neither ignored nor in the hands of somebody who is not Python."""
    return signal.getsignal(number) not in (signal.SIG_IGN, None)
