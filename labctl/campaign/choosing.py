"""Which step of a plan is next, by what has become of the others and by the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labctl.campaign.conditions import Facts, UnknownFact, parse_condition
from labctl.campaign.steps import Plan, Step
from labctl.queue import Job, JobState

_OPEN = (JobState.WAITING, JobState.RUNNING)
NOT_DONE = (JobState.FAILED, JobState.SKIPPED, JobState.INTERRUPTED)


@dataclass(frozen=True)
class Begin:
    """Make this step now."""

    step: Step


@dataclass(frozen=True)
class LeaveOut:
    """Leave this step out."""

    step: Step
    why: str


@dataclass(frozen=True)
class AwaitTime:
    """Nothing can be made before this time, of the campaign's own calendar."""

    until: datetime
    step: Step


Choice = Begin | LeaveOut | AwaitTime | None


def choose(plan: Plan, jobs: Sequence[Job], facts: Facts, now: datetime) -> Choice:
    """Return what is to be done next; None when nothing is left.

    A look that is due comes first; then the plan's order. A step waits for the jobs it is `after`
    and for those its conditions ask.

    Parameters
    ----------
    plan : Plan
        The plan.
    jobs : sequence of Job
        What has become of each step, in the plan's order.
    facts : mapping
        What each finished instance of each job came to.
    now : datetime
        The campaign's time.
    """
    waiting = [
        (step, job)
        for step, job in zip(plan.steps, jobs, strict=True)
        if job.state is JobState.WAITING
    ]
    for step, job in waiting:
        if job.run_file is not None and _is_due(job, now):
            return Begin(step)
    states = _states(plan, jobs)
    for step, job in waiting:
        if job.run_file is None and _is_decided(plan, step, states):
            why = _against(plan, step, states, facts)
            if why:
                return LeaveOut(step, why)
            if _is_due(job, now):
                return Begin(step)
    timed = [(job.start_at, step) for step, job in waiting if job.start_at is not None]
    if timed:
        return AwaitTime(*min(timed, key=lambda pair: pair[0]))
    return LeaveOut(waiting[0][0], "what it waits for never ended") if waiting else None


OF_EVERY_JOB = ("state", "rows")
"""What a condition may ask of a job whatever its procedure."""


def facts_of(summary: Mapping[str, Any], job: Job, rows: int) -> dict[str, Any]:
    """Return what a condition may ask of a job: its summary's numbers and texts, and its state.

    Of a list in the summary (the cells that failed) it is the length.
    """
    found: dict[str, Any] = dict(zip(OF_EVERY_JOB, (str(job.state), rows), strict=True))
    for name, value in summary.items():
        if isinstance(value, list | tuple):
            found[name] = len(value)
        elif value is None or isinstance(value, int | float | str):
            found[name] = value
    return found


def holds(text: str, facts: Facts) -> tuple[bool, str]:
    """Return whether a condition is true, and what stands against it; the unknown is not true."""
    try:
        if parse_condition(text).holds(facts):
            return True, ""
    except UnknownFact as unknown:
        return False, f"'{text}' is not known to be true: {unknown}"
    return False, f"'{text}' is not true"


def _is_due(job: Job, now: datetime) -> bool:
    return job.start_at is None or job.start_at <= now


def _states(plan: Plan, jobs: Sequence[Job]) -> dict[str, list[JobState]]:
    states: dict[str, list[JobState]] = {name: [] for name in plan.file.jobs}
    for step, job in zip(plan.steps, jobs, strict=True):
        states[step.job].append(job.state)
    return states


def _asked(plan: Plan, step: Step) -> set[str]:
    """Return the names of the jobs that must have ended before a step can be judged."""
    asked = set(step.table.after)
    if step.table.when:
        asked |= parse_condition(step.table.when).jobs
    for name, table in plan.file.jobs.items():
        if table.branch and step.job in (*table.branch.then, *table.branch.otherwise):
            asked |= {name, *parse_condition(table.branch.condition).jobs}
    return asked


def _is_decided(plan: Plan, step: Step, states: Mapping[str, Sequence[JobState]]) -> bool:
    return not any(state in _OPEN for name in _asked(plan, step) for state in states[name])


def _against(plan: Plan, step: Step, states: Mapping[str, Sequence[JobState]], facts: Facts) -> str:
    """Return why a step is left out; empty where nothing stands against it."""
    for name in step.table.after:
        missing = [state for state in states[name] if state in NOT_DONE]
        if missing:
            return f"it is after '{name}', which is {missing[0]}"
    if step.table.when:
        _, why = holds(step.table.when, facts)
        if why:
            return why
    return _other_arm(plan, step, facts)


def _other_arm(plan: Plan, step: Step, facts: Facts) -> str:
    for name, table in plan.file.jobs.items():
        if table.branch is None:
            continue
        taken, why = holds(table.branch.condition, facts)
        if step.job in table.branch.then and not taken:
            return f"'{name}' branched: {why}"
        if step.job in table.branch.otherwise and taken:
            return f"'{name}' branched: '{table.branch.condition}' is true"
    return ""
