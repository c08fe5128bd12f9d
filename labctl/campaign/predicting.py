"""What a campaign would take: each of its jobs, rehearsed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.campaign.choosing import OF_EVERY_JOB
from labctl.campaign.conditions import parse_condition
from labctl.campaign.errors import PlanError
from labctl.campaign.steps import Plan
from labctl.queue.execution import choice_of
from labctl_data.errors import LabctlError

if TYPE_CHECKING:
    from labctl.engine import ProgressSink
    from labctl.rehearsal import Rehearsal


@dataclass(frozen=True)
class StepForecast:
    """One step, rehearsed."""

    number: int
    """Its number in the plan."""
    label: str
    """The job's name, and what tells it from its like."""
    time: float
    """Bench time, in s."""
    pulses: int
    """Pulses on all cells together."""
    rows: int
    """Rows of its run file."""
    file_size: int
    """Size of its run file, in bytes."""


@dataclass(frozen=True)
class Forecast:
    """A campaign, rehearsed."""

    jobs: tuple[StepForecast, ...]
    """Its steps; those that a condition may leave out among them."""
    time: float
    """Bench time, in s, if all are made; runs that are followed side by side count as their
    longest."""
    pulses: int
    """Pulses on all cells together."""
    file_size: int
    """Size of all run files, in bytes."""


def predict(plan: Plan, *, progress: ProgressSink | None = None) -> Forecast:
    """Rehearse each step of a plan on a simulated bench; equal ones are rehearsed once.

    Raises
    ------
    PlanError
        If a step would be refused.
    """
    from labctl.rehearsal import play
    from labctl_procedures import catalogue

    known: dict[str, Rehearsal] = {}
    told: dict[str, set[str]] = {}
    jobs: list[StepForecast] = []
    for step in plan.steps:
        request = step.request
        key = repr((request.procedure, request.bench, request.seed, dict(request.parameters)))
        if key not in known:
            try:
                procedure = catalogue.make(request.procedure, request.parameters)
                known[key] = play(procedure, choice_of(request), progress=progress)
            except LabctlError as error:
                raise PlanError(plan.path, f"jobs.{step.job}", str(error)) from error
        found = known[key].estimate
        summary = known[key].summary
        names = [name for name, value in summary.items() if not isinstance(value, Mapping)]
        told.setdefault(step.job, set(OF_EVERY_JOB)).update(names)
        jobs.append(
            StepForecast(
                step.number, step.label, found.time, found.pulses, found.rows, found.file_size
            )
        )
    _check_conditions(plan, told)
    return Forecast(
        jobs=tuple(jobs),
        time=_together(plan, jobs),
        pulses=sum(job.pulses for job in jobs),
        file_size=sum(job.file_size for job in jobs),
    )


def _check_conditions(plan: Plan, told: Mapping[str, Collection[str]]) -> None:
    """Refuse a condition on a fact that the job's rehearsal did not sum up."""
    for name, table in plan.file.jobs.items():
        conditions = {"when": table.when, "stop_if": table.stop_if}
        if table.branch is not None:
            conditions["branch.if"] = table.branch.condition
        for key, text in conditions.items():
            for job, fact, _ in parse_condition(text).facts() if text else ():
                if fact not in told[job]:
                    there = ", ".join(sorted(told[job]))
                    problem = f"{key}: '{job}' tells no '{fact}'; it tells {there}"
                    raise PlanError(plan.path, f"jobs.{name}", problem)


def _together(plan: Plan, jobs: list[StepForecast]) -> float:
    """Return the time of all, those side by side as their longest, the others in its gaps."""
    alone = [j.time for s, j in zip(plan.steps, jobs, strict=True) if not s.table.interleave]
    side_by_side = [j.time for s, j in zip(plan.steps, jobs, strict=True) if s.table.interleave]
    return sum(alone) + max(side_by_side, default=0.0)
