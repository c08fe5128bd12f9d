"""What a run and its guardian say to each other: lines on two pipes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

BEAT = "."
"""From the run: it lives. Answered by the same: so does the guardian."""
REST = "rest"
"""From the run: it could not bring the bench to rest. Answered by a report."""
DONE = "done"
"""From the run: the bench is at rest, the guardian may go."""
READY = "ready"
"""From the guardian: everything it needs is in memory."""

BEAT_SECONDS = 0.25
"""Time between two beats, in s of wall time."""
STALL_SECONDS = 10.0
"""Silence after which a run counts as stalled, in s of wall time."""


@dataclass(frozen=True)
class Order:
    """What a guardian is told first."""

    path: str
    """Path of the bench file."""
    toml: str
    """Its text: the guardian needs no file, and none that has been changed meanwhile."""
    process: int
    """The run's process."""
    record: str
    """Where to write down what was done."""
    stall_seconds: float = STALL_SECONDS
    """Silence after which the run counts as stalled, in s."""

    def line(self) -> str:
        """Return the order as a line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> Order:
        """Return the order of a line."""
        return cls(**json.loads(line))


def record_path(run_file: Path) -> Path:
    """Return where the guardian of the run stored at `run_file` writes down what it did."""
    return run_file.with_name(run_file.name + ".guardian")
