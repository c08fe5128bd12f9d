"""How far a campaign has come, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.campaign.carrying_out import run_facts
from labctl.campaign.home import CampaignHome
from labctl.campaign.journal import Entry
from labctl.campaign.steps import Step
from labctl.facts import readable
from labctl.queue import Job, JobState

_TOLD = ("converged", "drift_std", "current_max", "loops", "error_std")
"""Facts of a summary that stand in a list of jobs, the first that is there."""


@dataclass(frozen=True)
class StepState:
    """What has become of one step."""

    number: int
    """Its number in the plan."""
    job: str
    """Name of the plan's job."""
    label: str
    """The job's name, and what tells it from its like."""
    procedure: str
    """Name of the procedure."""
    bench: str
    """Name or path of the bench."""
    state: str
    """As in the queue."""
    file: Path | None
    """Its run file."""
    error: str
    """Why it failed or was left out."""
    began: float | None
    """Campaign time of its first beginning, in s."""
    ended: float | None
    """Campaign time of its end, in s."""
    facts: dict[str, Any]
    """What it came to."""

    @property
    def took(self) -> float | None:
        """Campaign time from its beginning to its end, in s; None while it has not ended."""
        return None if self.began is None or self.ended is None else self.ended - self.began

    @property
    def told(self) -> str:
        """What it came to, or why not, for people."""
        if self.error:
            return self.error
        found = [(name, self.facts[name]) for name in _TOLD if self.facts.get(name) is not None]
        if not found:
            return ""
        return " ".join((found[0][0].replace("_", " "), readable(found[0][1], found[0][0])))


def states(home: CampaignHome) -> list[StepState]:
    """Return what has become of each step of a campaign, in the plan's order."""
    jobs = {job.id: job for job in home.queue.jobs()}
    entries = home.entries()
    return [_state(step, jobs[step.number], entries) for step in home.plan().steps]


def _state(step: Step, job: Job, entries: list[Entry]) -> StepState:
    own = [entry for entry in entries if entry.step == step.number]
    began = next((entry.time for entry in own if entry.kind == "begun"), None)
    is_over = job.state not in (JobState.WAITING, JobState.RUNNING)
    return StepState(
        number=step.number,
        job=step.job,
        label=step.label,
        procedure=step.request.procedure,
        bench=step.request.bench,
        state=str(job.state),
        file=job.run_file,
        error=job.error,
        began=began,
        ended=own[-1].time if own and is_over and began is not None else None,
        facts=run_facts(job) if is_over else {},
    )
