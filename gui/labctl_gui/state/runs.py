"""The queue of runs: what is to be measured, what is, and what became of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path


class RunStatus(Enum):
    """Where a run of the queue stands."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    ABORTED = "aborted"
    FAILED = "failed"


@dataclass(frozen=True)
class QueuedRun:
    """One run of the queue."""

    number: int
    """Its number in this session, from 1."""
    procedure: str
    """Name in the catalogue."""
    values: Mapping[str, str]
    """Parameters as typed, by key."""
    path: Path | None = None
    """The run file; None takes a dated name when the run starts."""
    status: RunStatus = RunStatus.WAITING
    """Where it stands."""
    rows: int = 0
    """Rows stored when it ended."""
    message: str = ""
    """Why it failed; empty otherwise."""
    summary: Mapping[str, object] = field(default_factory=dict)
    """What the procedure says of itself at the end."""


class RunQueue:
    """Runs in the order in which they will be, are, or were measured.

    A held queue starts nothing by itself: so it is after an abort, a failure or a STOP, until
    somebody says go on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: list[QueuedRun] = []
        self._added = 0
        self._version = 0
        self._held = False

    @property
    def version(self) -> int:
        """Changes whenever the queue does."""
        return self._version

    @property
    def held(self) -> bool:
        """Whether waiting runs stay waiting."""
        return self._held

    @property
    def runs(self) -> tuple[QueuedRun, ...]:
        """All runs of this session."""
        with self._lock:
            return tuple(self._runs)

    @property
    def running(self) -> QueuedRun | None:
        """The run that goes on; None if none does."""
        return next((run for run in self.runs if run.status is RunStatus.RUNNING), None)

    @property
    def waiting(self) -> tuple[QueuedRun, ...]:
        """Runs still to be measured, next first."""
        return tuple(run for run in self.runs if run.status is RunStatus.WAITING)

    def add(self, procedure: str, values: Mapping[str, str], path: Path | None = None) -> QueuedRun:
        """Put a run at the end of the queue and return it."""
        with self._lock:
            self._added += 1
            run = QueuedRun(self._added, procedure, dict(values), path)
            self._runs.append(run)
            self._version += 1
        return run

    def remove(self, number: int) -> bool:
        """Take a waiting run out; return whether it was there and still waiting."""
        with self._lock:
            kept = [r for r in self._runs if r.number != number or r.status is not _WAITING]
            gone = len(kept) < len(self._runs)
            self._runs = kept
            self._version += gone
        return gone

    def change(self, number: int, **changes: object) -> None:
        """Replace attributes of a run."""
        with self._lock:
            self._runs = [
                replace(run, **changes) if run.number == number else run  # type: ignore[arg-type]  # the caller names attributes
                for run in self._runs
            ]
            self._version += 1

    def hold(self, held: bool) -> None:
        """Hold the queue, or let it go on."""
        self._held = held
        self._version += 1


_WAITING = RunStatus.WAITING
