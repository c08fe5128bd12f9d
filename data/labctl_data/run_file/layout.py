"""What a run file holds: columns, maps, events, states, and how they are named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.errors import RunFileError

SCHEMA = "labctl-run"
SCHEMA_VERSION = 1

Array = npt.NDArray[Any]


class RunStatus(StrEnum):
    """How far a run has come."""

    RUNNING = "running"
    """A living writer holds the file's lock."""
    COMPLETE = "complete"
    """The procedure came to its end."""
    ABORTED = "aborted"
    """A person or a signal stopped it."""
    FAILED = "failed"
    """An error stopped it."""
    INTERRUPTED = "interrupted"
    """The writer died; what it had flushed is there."""


@dataclass(frozen=True)
class Column:
    """One column of the records."""

    name: str
    """Dataset name: lower case letters, digits and `_`."""
    unit: str
    """SI unit; empty for a pure number."""
    long_name: str
    """Name for people."""
    dtype: str = "f8"
    """NumPy type: integer, unsigned, float, or `S` with a length for short text."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise RunFileError(f"column name '{self.name}': asked for lower case, digits and '_'")
        if np.dtype(self.dtype).kind not in "iufS" or np.dtype(self.dtype).itemsize == 0:
            raise RunFileError(
                f"column '{self.name}': asked for an integer, float or fixed-length text type, "
                f"found '{self.dtype}'"
            )

    @classmethod
    def from_pymeasure(cls, header: str, dtype: str = "f8") -> Column:
        """Return the column of a PyMeasure header: `Current (A)` is `current`, in A."""
        match = re.fullmatch(r"\s*(.*?)\s*(?:\(([^()]*)\))?\s*", header)
        long_name, unit = match.groups() if match else (header, None)
        slug = re.sub(r"[^a-z0-9]+", "_", long_name.lower()).strip("_")
        return cls(slug, unit or "", long_name, dtype)

    @property
    def header(self) -> str:
        """The column's name in PyMeasure: `Current (A)`."""
        return f"{self.long_name} ({self.unit})" if self.unit else self.long_name


TIME = Column("time", "s", "Time")


@dataclass(frozen=True)
class MapSpec:
    """A quantity of every cell of the chip, stored as snapshots."""

    name: str
    """Dataset name: lower case letters, digits and `_`."""
    unit: str
    """SI unit of the values."""
    geometry: Geometry
    """The chip; a snapshot has its shape (pe, row, col)."""
    long_name: str = ""
    """Name for people; the dataset name when empty."""

    @property
    def time_name(self) -> str:
        """Dataset at the root that holds the bench times of the snapshots."""
        return f"{self.name}_time"


@dataclass(frozen=True)
class Event:
    """Something that happened during a run."""

    time: float
    """Bench time, in s."""
    wall: float
    """Wall time, in s since 1970."""
    kind: str
    """One word."""
    text: str
    """What happened."""


@dataclass(frozen=True)
class Segment:
    """One stretch of a run: from its start, or from one resumption, to the next."""

    start: str
    """Wall time it began, ISO 8601."""
    rows: int = 0
    """Rows stored before."""
    messages: int = 0
    """Messages in the ledger before."""
    ledger_rows: int = 0
    """Rows of the ledger before."""
    counts: int = 0
    """Snapshots of the map `pulse_count` before."""
    undelivered: int | None = None
    """Last message before, if the bench's counters say that it never arrived."""


POINT_COLUMNS = (
    Column("number", "", "Point of the plan", "u4"),
    Column("rows", "", "Rows stored when it was finished", "u8"),
)
PULSE_COUNT = "pulse_count"
"""Map of the pulses that each cell had received, by the bench's counters, as a segment began."""
EVENT_KIND_BYTES = 32
EVENT_TEXT_BYTES = 240
CONTINUED = "..."
"""Kind of an event row that continues the text of the row before it."""


def lock_path(path: Path) -> Path:
    """Return the file that the writer of `path` keeps locked while it lives."""
    return path.with_name(path.name + ".lock")


def ledger_path(path: Path) -> Path:
    """Return the pulse ledger beside the run file `path`."""
    return path.with_name(path.name + ".ledger")
