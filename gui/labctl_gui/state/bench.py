"""The bench as the window shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from labctl_instruments.station import BenchInfo


class BenchPhase(Enum):
    """What the bench is doing."""

    CLOSED = "no bench"
    OPENING = "opening"
    READY = "ready"
    BUSY = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FAILED = "failed"


class Outputs(Enum):
    """What is known of the bench's outputs."""

    UNKNOWN = "unknown"
    RESTING = "at rest"
    DRIVEN = "may be on"


@dataclass(frozen=True)
class BenchStatus:
    """The bench at one instant."""

    phase: BenchPhase = BenchPhase.CLOSED
    """What it is doing."""
    name: str = ""
    """Name or path it was opened by."""
    info: BenchInfo | None = None
    """What it is; None until it is open."""
    outputs: Outputs = Outputs.UNKNOWN
    """Whether something may be driven."""
    time: float | None = None
    """Bench time when last asked, in s."""
    activity: str = ""
    """What it is doing, in words; empty when nothing."""
    problem: str = ""
    """Why it failed or could not be opened; empty otherwise."""

    @property
    def is_open(self) -> bool:
        """Whether there is a station to give tasks to."""
        return self.info is not None
