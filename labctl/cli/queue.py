"""`labctl queue`: measurements to be made, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.bench_choice import BenchChoice
from labctl.cli.options import NewFile, VerbGroup, Whole, bench_options
from labctl.cli.output import headed, json_option, say, table
from labctl.cli.run import parse_assignments
from labctl.configuration import load_configuration
from labctl.errors import FailedError

if TYPE_CHECKING:
    from labctl.queue import Job, JobQueue

_queue_option = click.option(
    "--queue",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The queue's database; by default queue.sqlite in your data folder.",
)
_before_option = click.option(
    "--before",
    type=Whole(min=1),
    metavar="ID",
    help="Put it before this job; by default at the end.",
)
_job_argument = click.argument("number", type=Whole(min=1), metavar="ID")
_parameter_option = click.option(
    "-p", "--parameter", "assignments", multiple=True, metavar="KEY=VALUE", help="A parameter."
)
_output_option = click.option(
    "-o",
    "--output",
    type=NewFile(".h5"),
    help="Run file to write; by default a dated name in your data folder.",
)
_start_option = click.option(
    "--start-at",
    metavar="TIME",
    help="Not before this time: 23:30, +2h, or 2026-11-22T03:00.",
)
_note_option = click.option("--note", help="A note for people.")


@click.group("queue", cls=VerbGroup)
def command() -> None:
    """Keep a list of measurements, and work it off."""


def _queue_verb(function: Callable[..., Any]) -> Callable[..., Any]:
    return _queue_option(json_option(function))


@command.command("add")
@click.argument("name")
@bench_options
@_parameter_option
@_output_option
@_start_option
@_before_option
@_note_option
@click.option("--operator", help="Name to write into the run file; default: yours.")
@_queue_verb
def add(
    name: str,
    where: BenchChoice,
    assignments: tuple[str, ...],
    output: Path | None,
    start_at: str | None,
    before: int | None,
    note: str | None,
    operator: str | None,
    file: Path | None,
    as_json: bool,
) -> None:
    """Add the procedure NAME to the queue.

    \b
    labctl queue add WriteVerify --bench sim-board -p levels=8
    labctl queue add Retention --start-at 23:30 -p duration=6h
    """  # noqa: D301  (click reads the \b)
    from labctl.queue import JobRequest

    request = JobRequest(
        procedure=name,
        bench=where.bench,
        parameters=parse_assignments(assignments),
        output=output,
        start_at=_start(start_at),
        seed=where.seed,
        chip=where.chip,
        note=note or "",
        owner=operator or load_configuration().operator,
    )
    queue = _open(file, new=True)
    _show(queue, as_json, only=queue.add(_checked(request), before=before))


@command.command("list")
@_queue_verb
def list_jobs(file: Path | None, as_json: bool) -> None:
    """List the jobs in their order, with what has become of each."""
    _show(_open(file), as_json)


@command.command("edit")
@_job_argument
@_parameter_option
@_output_option
@_start_option
@_note_option
@click.option("--soon", is_flag=True, help="Drop the job's start time.")
@_queue_verb
def edit(
    number: int,
    assignments: tuple[str, ...],
    output: Path | None,
    start_at: str | None,
    note: str | None,
    soon: bool,
    file: Path | None,
    as_json: bool,
) -> None:
    """Change a job that waits; what is not named stays as it is."""
    if soon and start_at is not None:
        raise click.UsageError("--soon and --start-at exclude each other")
    queue = _open(file)
    before = queue.job(number).request
    request = replace(
        before,
        parameters={**before.parameters, **parse_assignments(assignments)},
        output=output or before.output,
        start_at=None if soon else _start(start_at) or before.start_at,
        note=before.note if note is None else note,
    )
    _show(queue, as_json, only=queue.edit(number, _checked(request)))


@command.command("move")
@_job_argument
@_before_option
@_queue_verb
def move(number: int, before: int | None, file: Path | None, as_json: bool) -> None:
    """Move a job before another, or to the end."""
    queue = _open(file)
    queue.move(number, before=before)
    _show(queue, as_json)


@command.command("skip")
@_job_argument
@_queue_verb
def skip(number: int, file: Path | None, as_json: bool) -> None:
    """Leave a job out; one that runs ends at its next pulse boundary, and the next begins."""
    queue = _open(file)
    _show(queue, as_json, only=queue.skip(number))


@command.command("repeat")
@_job_argument
@_before_option
@_queue_verb
def repeat(number: int, before: int | None, file: Path | None, as_json: bool) -> None:
    """Add a job once more, as a new one."""
    queue = _open(file)
    _show(queue, as_json, only=queue.repeat(number, before=before))


@command.command("resume")
@_job_argument
@_queue_verb
def resume(number: int, file: Path | None, as_json: bool) -> None:
    """Let a job that was interrupted or failed wait again, to go on with its run file."""
    queue = _open(file)
    _show(queue, as_json, only=queue.resume(number))


@command.command("remove")
@_job_argument
@_queue_verb
def remove(number: int, file: Path | None, as_json: bool) -> None:
    """Take a job off the list; its run file stays."""
    queue = _open(file)
    queue.remove(number)
    _show(queue, as_json)


@command.command("hold")
@_queue_verb
def hold(file: Path | None, as_json: bool) -> None:
    """Start no further job until the queue is released; what runs goes on."""
    queue = _open(file)
    queue.hold()
    _show(queue, as_json)


@command.command("release")
@_queue_verb
def release(file: Path | None, as_json: bool) -> None:
    """Start jobs again."""
    queue = _open(file)
    queue.release()
    _show(queue, as_json)


@command.command("run")
@click.option("--bench", metavar="BENCH", help="Name or path of the bench; default: yours.")
@click.option("--stay", is_flag=True, help="Wait for more when all is done.")
@_queue_verb
def run(bench: str | None, stay: bool, file: Path | None, as_json: bool) -> None:
    """Make the jobs of a bench, one after another, each at its time.

    The list may be changed meanwhile, from anywhere. Ctrl-C, or SIGTERM, ends the run that is
    going on at its next pulse boundary, and then this; its job can be resumed. The bench stays
    open from one job to the next: a simulated chip lives as long as this runs.
    """
    from labctl.cli.progress import ProgressBar
    from labctl.queue import JobState, run_queue
    from labctl_instruments.bench.loading import find_bench

    queue = _open(file)
    bench = bench or load_configuration().bench
    find_bench(bench)
    if queue.is_held:
        click.echo(f"{queue.path}: held, no job starts before 'labctl queue release'", err=True)
    with ProgressBar() as progress:
        made = run_queue(
            queue,
            bench=bench,
            progress=progress,
            once=not stay,
            on_job=_tell,
        )
    say(as_json, {"queue": queue.path, "jobs": _facts(made)}, _listing(made))
    bad = [job for job in made if job.state not in (JobState.DONE, JobState.SKIPPED)]
    if bad:
        raise FailedError(
            f"{queue.path}: job {bad[0].id} {bad[0].state}: {bad[0].error}"
            + (f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""),
            said=True,
        )


def _open(file: Path | None, *, new: bool = False) -> JobQueue:
    """Open the queue asked for; one that is named must be there, unless a job begins it."""
    from labctl.queue import JobQueue

    if file is not None and not new and not file.exists():
        raise click.UsageError(f"queue {file}: there is none; 'labctl queue add' begins one")
    return JobQueue(file)


def _checked(request: Any) -> Any:  # noqa: ANN401
    from labctl.queue.checking import check_request

    return check_request(request)


def _start(text: str | None) -> datetime | None:
    if text is None:
        return None
    from labctl.queue.times import parse_start

    return parse_start(text, datetime.now().astimezone())


def _show(queue: JobQueue, as_json: bool, *, only: Job | None = None) -> None:
    jobs = queue.jobs() if only is None else [only]
    held = queue.is_held
    say(
        as_json,
        {"queue": queue.path, "held": held, "jobs": _facts(jobs)},
        headed(queue.path, f"{_count(jobs)}{', held: no job starts' if held else ''}"),
        *([_listing(jobs)] if jobs else []),
    )


def _count(jobs: list[Job]) -> str:
    return ": no jobs" if not jobs else f": {len(jobs)} job{'s' if len(jobs) > 1 else ''}"


def _listing(jobs: list[Job]) -> Any:  # noqa: ANN401  (a table of rich)
    listing = table("id", "state", "procedure", "bench", "parameters", "start at", "file or error")
    for job in jobs:
        listing.add_row(
            str(job.id),
            job.state.value,
            job.procedure,
            Path(job.bench).stem if job.bench.endswith(".toml") else job.bench,
            " ".join(f"{key}={value}" for key, value in job.parameters.items()),
            "" if job.start_at is None else f"{job.start_at.astimezone():%Y-%m-%d %H:%M:%S}",
            job.error or str(job.run_file or job.output or ""),
        )
    return listing


def _facts(jobs: list[Job]) -> list[dict[str, object]]:
    from labctl.queue.job import job_facts

    return [job_facts(job) for job in jobs]


def _tell(job: Job) -> None:
    told = f"job {job.id}: {job.procedure} on {job.bench}: {job.state}"
    click.echo(f"{told}: {job.error}" if job.error else told, err=True)
