"""One measurement to be made: what is asked, and what has become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class JobState(StrEnum):
    """What has become of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    """A living process is proved to be at it."""
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    """Ended early: aborted, or its process died. A run file it left can be gone on with."""


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What a person, or a campaign, asks for."""

    procedure: str
    """Name of the procedure."""
    bench: str
    """Name of a shipped bench, or path of a bench file."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters as typed: texts with units, or numbers in SI."""
    output: Path | None = None
    """Run file to write; None gives a dated name in the user's data folder."""
    start_at: datetime | None = None
    """Wall time before which it does not start, with its time zone; None for as soon as may be."""
    seed: int | None = None
    """Seed of a virtual chip; None takes the bench file's."""
    chip: Path | None = None
    """Chip file behind a virtual bench; None takes the bench file's."""
    note: str = ""
    """For people."""
    owner: str = ""
    """Who asked; the operator of the run file."""


@dataclass(frozen=True, kw_only=True)
class Job(JobRequest):
    """A job as the queue holds it."""

    id: int
    """Number that stays the same."""
    position: int
    """Place in the queue, from 1."""
    state: JobState
    """What has become of it."""
    run_file: Path | None = None
    """The run file, once it is begun."""
    error: str = ""
    """Why it failed, was interrupted, or was skipped."""
    started: datetime | None = None
    """Wall time of the start."""
    ended: datetime | None = None
    """Wall time of the end."""

    @property
    def request(self) -> JobRequest:
        """What was asked for."""
        return JobRequest(**{f.name: getattr(self, f.name) for f in fields(JobRequest)})


def job_facts(job: Job) -> dict[str, object]:
    """Return a job as plain values, times in ISO 8601: for programs."""
    facts = {f.name: getattr(job, f.name) for f in fields(Job)}
    for name in ("start_at", "started", "ended"):
        facts[name] = None if facts[name] is None else facts[name].isoformat()
    return {**facts, "state": job.state.value}
