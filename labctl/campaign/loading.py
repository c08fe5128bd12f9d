"""From the name or path of a plan to the plan, validated down to each parameter."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from labctl.campaign.conditions import parse_condition
from labctl.campaign.errors import PlanError
from labctl.campaign.schema import JobTable, PlanFile
from labctl.campaign.steps import Plan, expand
from labctl.queue.checking import check_request
from labctl.queue.times import parse_start
from labctl_data.errors import LabctlError
from labctl_data.toml_file import tell


def shipped_plans() -> tuple[str, ...]:
    """Return the names of the plans that come with labctl."""
    return tuple(sorted(path.stem for path in _shipped_folder().glob("*.toml")))


def find_plan(plan: str) -> Path:
    """Return the path of a plan file, given that path or the name of a shipped plan.

    Raises
    ------
    PlanError
        If there is no such file and no such name.
    """
    shipped = _shipped_folder() / f"{plan}.toml"
    if Path(plan).name == plan and shipped.is_file():
        return shipped
    path = Path(plan)
    if path.is_file():
        return path.resolve()
    names = ", ".join(shipped_plans())
    raise PlanError(path, "", f"no such plan file, and no shipped plan; shipped are {names}")


def load_plan(
    plan: str, *, bench: str | None = None, seed: int | None = None, check: bool = True
) -> Plan:
    """Read a plan and validate it, each job's parameters and bench included.

    Parameters
    ----------
    plan : str
        Name of a shipped plan, or path of a TOML file.
    bench : str, optional
        Bench of the jobs that name none, instead of the plan's.
    seed : int, optional
        Seed of the virtual chips of the jobs that name none.
    check : bool
        Whether to try each job's parameters against its procedure and its bench's envelope.

    Raises
    ------
    PlanError
        If it cannot be read, or says what cannot be; the message names the file, the job and the
        key. What [notify] says is never repeated in it.
    """
    path = find_plan(plan)
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(path, "", f"cannot be read: {error}") from error
    return parse_plan(document, path=path, text=text, bench=bench, seed=seed, check=check)


def parse_plan(
    document: dict[str, Any],
    *,
    path: Path,
    text: str,
    bench: str | None = None,
    seed: int | None = None,
    check: bool = True,
) -> Plan:
    """Validate a plan's parsed TOML; see `load_plan`."""
    try:
        file = PlanFile.model_validate(document)
    except ValidationError as error:
        raise PlanError(path, *_told(error.errors()[0])) from None
    for table, problem in _contradictions(file):
        raise PlanError(path, table, problem)
    plan = expand(file, path=path, text=text, bench=bench, seed=seed)
    if check:
        _check_steps(plan)
    return plan


def _told(details: ErrorDetails) -> tuple[str, str]:
    """Return (table, problem); where a secret may have slipped in, the value is not repeated."""
    parts = [str(part) for part in details["loc"]]
    if parts[0] == "notify" and details["type"] not in ("extra_forbidden", "missing"):
        message = details["msg"].removeprefix("Value error, ")
        return ".".join(parts[:-1]), f"{parts[-1]}: {message[0].lower()}{message[1:]}"
    if parts == ["jobs"] and details["type"] == "dict_type":
        return "", "jobs: each is a table with a name of its own, [jobs.NAME]"
    table, problem = tell(details, PlanFile)
    return table, problem.replace("value error, ", "")


def _contradictions(file: PlanFile) -> Iterator[tuple[str, str]]:
    """Yield (table, problem) for each thing a plan says that cannot be so."""
    names = list(file.jobs)
    for number, (name, job) in enumerate(file.jobs.items()):
        earlier, later = names[:number], names[number + 1 :]
        place = f"jobs.{name}"
        yield from _unknown(place, "after", job.after, earlier, "an earlier job")
        yield from _conditions(place, job, earlier, name)
        yield from _sweeps(place, job)
        if job.branch is not None:
            arms = [*job.branch.then, *job.branch.otherwise]
            yield from _unknown(f"{place}.branch", "then, otherwise", arms, later, "a later job")
    for number, rule in enumerate(file.suspenders):
        place = f"suspenders.{number}"
        yield from _unknown(place, "jobs", rule.jobs, names, "a job")
        has_limit = rule.above is not None or rule.below is not None
        if has_limit == (rule.watch == "instrument-errors"):
            wanted = "takes neither 'above' nor 'below'" if has_limit else "needs above or below"
            yield place, f"watch = '{rule.watch}' {wanted}"
    yield from _mail(file)


def _sweeps(place: str, job: JobTable) -> Iterator[tuple[str, str]]:
    for key, values in job.sweep.items():
        if not values:
            yield place, f"sweep.{key} has no value"
        if key in job.parameters:
            yield place, f"sweep.{key}: '{key}' is in parameters too"
    if job.interleave and job.procedure != "Retention":
        yield place, f"interleave is for Retention, found procedure '{job.procedure}'"
    if job.start_at:
        try:
            parse_start(job.start_at, datetime.now(UTC))
        except LabctlError as error:
            yield place, str(error)


def _mail(file: PlanFile) -> Iterator[tuple[str, str]]:
    email = file.notify.email
    if email is None:
        return
    if (email.user_variable is None) != (email.password_variable is None):
        yield "notify.email", "user_variable and password_variable go together"
    if email.security == "plain" and email.password_variable is not None:
        yield "notify.email", "security = 'plain' would send the password in the clear"


def _unknown(
    place: str, key: str, asked: Iterable[str], known: list[str], wanted: str
) -> Iterator[tuple[str, str]]:
    for name in asked:
        if name not in known:
            yield place, f"{key}: '{name}' is not {wanted}; there are {', '.join(known) or 'none'}"


def _conditions(
    place: str, job: JobTable, earlier: list[str], name: str
) -> Iterator[tuple[str, str]]:
    asked = [("when", job.when, earlier), ("stop_if", job.stop_if, [*earlier, name])]
    if job.branch is not None:
        asked.append(("branch.if", job.branch.condition, [*earlier, name]))
    for key, text, known in asked:
        if not text:
            continue
        try:
            jobs = parse_condition(text).jobs
        except ValueError as error:
            yield place, f"{key}: {error}"
            continue
        yield from _unknown(place, key, sorted(jobs), known, "an earlier job")


def _check_steps(plan: Plan) -> None:
    seen = set()
    for step in plan.steps:
        request = step.request
        key = (request.procedure, request.bench, repr(dict(request.parameters)))
        if key in seen:
            continue
        seen.add(key)
        try:
            check_request(request)
        except LabctlError as error:
            swept = f": in {step.label}" if step.label != step.job else ""
            raise PlanError(plan.path, f"jobs.{step.job}", f"{error}{swept}") from error


def _shipped_folder() -> Path:
    return Path(str(resources.files("labctl.campaign"))) / "plans"
