"""The bench as the window shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from labctl_instruments.station import BenchInfo, Int8Array


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
    temperature: float | None = None
    """Temperature of the chuck when last asked, in K; None without a chuck."""
    interlock: bool | None = None
    """Whether the matrices' interlock was engaged when last asked; None without a matrix."""
    compliance: float | None = None
    """Highest current that the last sweep allowed, in A; None before the first."""
    connections: Int8Array | None = field(default=None, compare=False)
    """Row of the matrix that each line is joined to, -1 for none; None without a matrix."""
    instruments: tuple[tuple[str, str, str], ...] = ()
    """Name, driver and address of each instrument."""
    activity: str = ""
    """What it is doing, in words; empty when nothing."""
    problem: str = ""
    """Why it failed or could not be opened; empty otherwise."""

    @property
    def guardian(self) -> str:
        """Who puts the outputs off if this program dies, in words."""
        if self.info is None:
            return "-"
        if self.info.seed is not None:
            return "not needed: simulated in here"
        watched = self.phase in (BenchPhase.BUSY, BenchPhase.PAUSED, BenchPhase.STOPPING)
        return "watches the run" if watched else "starts with each run"

    @property
    def is_open(self) -> bool:
        """Whether there is a station to give tasks to."""
        return self.info is not None
