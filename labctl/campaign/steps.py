"""A plan's jobs, one by one: sweeps multiplied out, benches and chips filled in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.campaign.schema import JobTable, PlanFile
from labctl.configuration import load_configuration
from labctl.queue.job import JobRequest


@dataclass(frozen=True)
class Step:
    """One measurement of a plan."""

    number: int
    """Place in the plan, from 1; the job's number in the campaign's queue."""
    job: str
    """Name of the plan's job that it is one of."""
    label: str
    """The job's name, and what tells it from its like."""
    request: JobRequest
    """What is measured."""
    table: JobTable
    """What the plan says of the job."""
    point: dict[str, Any]
    """Values of the swept parameters."""


@dataclass(frozen=True)
class Plan:
    """A plan, multiplied out."""

    path: Path
    """Its file."""
    text: str
    """The file's TOML."""
    file: PlanFile
    """What it says."""
    steps: tuple[Step, ...]
    """Its measurements, in order."""
    bench: str
    """Bench of the jobs that name none."""
    seed: int | None = None
    """Seed of the virtual chips of the jobs that name none."""

    @property
    def name(self) -> str:
        """Name of the plan: that of its file."""
        return self.path.stem

    def of(self, job: str) -> list[Step]:
        """Return the steps of one job."""
        return [step for step in self.steps if step.job == job]


def expand(
    file: PlanFile, *, path: Path, text: str, bench: str | None = None, seed: int | None = None
) -> Plan:
    """Return the plan with each combination of each sweep as a step.

    Benches of several stand outermost, repeats innermost: all of a chip, then the next.
    """
    settings = load_configuration()
    default = bench or _rooted(file.bench, path) or settings.bench
    owner = file.operator or settings.operator
    steps: list[Step] = []
    for name, table in file.jobs.items():
        for where, point, turn in _combinations(table, default, path):
            number = len(steps) + 1
            chip = None if table.chip is None else path.parent / table.chip
            request = JobRequest(
                procedure=table.procedure,
                bench=where,
                parameters={**table.parameters, **point},
                seed=seed if table.seed is None else table.seed,
                chip=chip,
                note=name,
                owner=owner,
            )
            label = _label(name, table, where, point, turn)
            steps.append(Step(number, name, label, request, table, point))
    return Plan(path, text, file, tuple(steps), default, seed)


def _combinations(
    table: JobTable, default: str, path: Path
) -> Iterator[tuple[str, dict[str, Any], int]]:
    benches = [_rooted(bench, path) for bench in table.bench] or [default]
    for where in benches:
        for values in itertools.product(*table.sweep.values()):
            for turn in range(table.repeat):
                yield where, dict(zip(table.sweep, values, strict=True)), turn


def _label(name: str, table: JobTable, where: str, point: dict[str, Any], turn: int) -> str:
    told = [f"{key}={value}" for key, value in point.items()]
    if len(table.bench) > 1:
        told.insert(0, Path(where).stem)
    if table.repeat > 1:
        told.append(f"{turn + 1} of {table.repeat}")
    return f"{name} ({' '.join(told)})" if told else name


def _rooted(bench: str, path: Path) -> str:
    """Return a bench as the plan means it: a file of the plan's folder, or a name."""
    return str(path.parent / bench) if bench.endswith(".toml") else bench
