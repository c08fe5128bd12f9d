"""One job, made: begun or gone on with, through the run engine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.bench_choice import BenchChoice
from labctl.queue.benches import OpenBenches, holds_chip_of, note_begun
from labctl.queue.job import Job, JobRequest, JobState
from labctl_data.errors import LabctlError

if TYPE_CHECKING:
    from labctl.engine import Control, ProgressSink, RunResult
    from labctl_instruments.station import Station
    from labctl_procedures.procedure import Rows

log = logging.getLogger(__name__)


def _never() -> bool:
    return False


def _ignore(_: Any) -> None:  # noqa: ANN401  (takes what it drops)
    return


@dataclass(frozen=True)
class Company:
    """Who watches the runs of a queue, and who may stop them."""

    control: Control | None = None
    """Pauses, resumes and aborts the run that is going on."""
    progress: ProgressSink | None = None
    """Is told percentages."""
    on_job: Callable[[Job], None] = field(default=_ignore)
    """Takes each job as it begins and as it has ended."""
    on_rows: Callable[[Rows], None] | None = None
    """Takes each block of rows after it is stored."""
    should_stop: Callable[[], bool] = field(default=_never)
    """Asked at pulse boundaries; True ends the run."""


@dataclass(frozen=True)
class Ending:
    """How a job ended."""

    state: JobState
    """done, failed or interrupted."""
    error: str = ""
    """Why, where it is not done."""
    result: RunResult | None = None
    """What the run left behind; None where none was begun."""


def choice_of(job: JobRequest) -> BenchChoice:
    """Return the bench a job asks for, with its chip."""
    return BenchChoice(bench_key(job.bench), job.seed, job.chip)


def bench_key(bench: str) -> str:
    """Return the path of a bench's file, which its names have in common; `bench` without one."""
    from labctl_instruments.bench.loading import find_bench
    from labctl_instruments.errors import BenchError

    try:
        return str(find_bench(bench).resolve())
    except BenchError:
        return bench


def execute(
    job: Job, company: Company, benches: OpenBenches, note_run_file: Callable[[int, Path], None]
) -> Ending:
    """Make one job: go on with its run file if it has one, else begin it.

    Errors that concern the job are its ending; only what ends the program is raised.

    Parameters
    ----------
    job : Job
        The job.
    company : Company
        Who watches.
    benches : OpenBenches
        The benches that are open.
    note_run_file : callable
        Takes the number of the job and the file it is about to write, before anything is written.
    """
    from labctl.engine import RunError

    choice = choice_of(job)
    try:
        if job.run_file is None or not job.run_file.exists():
            result = _begun(job, company, benches, note_run_file)
        else:
            result = _gone_on_with(job.run_file, choice, benches, company)
    except RunError as error:
        benches.let_go(choice)
        return Ending(JobState.FAILED, str(error), error.result)
    except (LabctlError, OSError) as error:
        return Ending(JobState.FAILED, str(error))
    if result.status == "complete":
        return Ending(JobState.DONE, result=result)
    return Ending(JobState.INTERRUPTED, f"the run ended as '{result.status}'", result)


def _begun(
    job: Job, company: Company, benches: OpenBenches, note_run_file: Callable[[int, Path], None]
) -> RunResult:
    from labctl.configuration import output_path
    from labctl.engine import run
    from labctl_procedures import catalogue

    procedure = catalogue.make(job.procedure, job.parameters)
    choice = choice_of(job)
    station = benches.station(choice)
    path = job.run_file or output_path(job.output, job.procedure)
    note_run_file(job.id, path)
    note_begun(station, path)
    return run(
        procedure,
        station,
        path,
        operator=job.owner or None,
        progress=company.progress,
        control=company.control,
        on_rows=company.on_rows,
        should_stop=company.should_stop,
    )


def _gone_on_with(
    path: Path, choice: BenchChoice, benches: OpenBenches, company: Company
) -> RunResult:
    from labctl.engine import RunResult, resume
    from labctl_data.run_file import open_run

    run = open_run(path)
    if run.status == "complete":  # its process died after the last row and before the queue knew
        return RunResult(path, run.status, run.rows, run.summary)
    return resume(
        path,
        _station_of(path, choice, benches),
        progress=company.progress,
        control=company.control,
        on_rows=company.on_rows,
        should_stop=company.should_stop,
    )


def _station_of(path: Path, choice: BenchChoice, benches: OpenBenches) -> Station:
    """Return the bench with the chip of a run; NotResumableError where that is gone."""
    if benches.is_open(choice) and holds_chip_of(benches.station(choice), path):
        return benches.station(choice)
    from labctl.resumption import bench_of
    from labctl_data.run_file import open_run

    bench_of(open_run(path), choice.bench)  # refuses before the bench is opened
    return benches.station(choice)
