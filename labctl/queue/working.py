"""Work off the jobs of one bench, one after another, in this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from labctl.bench_choice import BenchChoice
from labctl.queue.asking import Asker
from labctl.queue.benches import OpenBenches
from labctl.queue.execution import Company, Ending, bench_key, execute
from labctl.queue.job import Job, JobState
from labctl.queue.job_queue import JobQueue
from labctl.queue.runner_lock import RunnerLock

if TYPE_CHECKING:
    from labctl.engine import Control, ProgressSink
    from labctl_instruments.station import Station
    from labctl_procedures.procedure import Rows

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
"""How often a runner without work looks for some, in s of wall time."""


def run_queue(  # noqa: PLR0913  (the one public door; all but the queue are options by keyword)
    queue: JobQueue,
    *,
    bench: str,
    station: Station | None = None,
    control: Control | None = None,
    progress: ProgressSink | None = None,
    once: bool = True,
    on_job: Callable[[Job], None] | None = None,
    on_rows: Callable[[Rows], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Job]:
    """Make the jobs of `bench` in their order; return those that were made.

    A job is due when its `start_at` is past; of those that are due the first in the queue is made.
    The list may be changed by anybody meanwhile. A signal, `control.abort()` and `should_stop` end
    the run that is going on, and then this.

    Parameters
    ----------
    queue : JobQueue
        The queue; other benches' jobs are left alone.
    bench : str
        Name or path of the bench, as the jobs name it.
    station : Station, optional
        The bench, if it is open; it stays open, and serves the jobs that ask for no seed or chip
        of their own. By default a bench is opened for the first job and closed at the end.
    control : Control, optional
        Pauses, resumes and aborts the run that is going on.
    progress : ProgressSink, optional
        Is told the percentages of each run.
    once : bool
        End when no job of the bench waits; False stays and waits for more.
    on_job : callable, optional
        Takes each job as it begins and as it has ended.
    on_rows : callable, optional
        Takes each block of rows after it is stored.
    should_stop : callable, optional
        Asked at pulse boundaries and while there is nothing to do; True ends this.

    Returns
    -------
    list of Job
        As they ended.

    Raises
    ------
    QueueBusyError
        If somebody else works off the queue on this bench.
    """
    from labctl.engine import StopSignals

    company = Company(control, progress, on_job or (lambda _: None), on_rows)
    with (
        RunnerLock(queue.path, bench_key(bench)) as lock,
        StopSignals() as signals,
        OpenBenches(_given(bench, station)) as benches,
    ):
        asked = should_stop or (lambda: False)

        def is_over() -> bool:
            ended = control is not None and control.is_aborting()
            return ended or signals.received is not None or asked()

        runner = _Runner(queue, bench, lock.runner, benches)
        return runner.work(company, is_over, once=once)


class _Runner:
    """Whoever works off the jobs of one bench."""

    def __init__(self, queue: JobQueue, bench: str, name: str, benches: OpenBenches) -> None:
        self._queue, self._bench, self._name = queue, bench, name
        self._key = bench_key(bench)
        self._benches = benches
        self._pause = threading.Event()  # never set: a wait that a signal's handler can interrupt

    def work(self, company: Company, is_over: Callable[[], bool], *, once: bool) -> list[Job]:
        self._queue.write_down_the_dead()
        made: list[Job] = []
        while not is_over():
            waiting = self._waiting()
            if not waiting and once:
                break
            job = None if self._queue.is_held else next_due(waiting, datetime.now(UTC))
            if job is None:
                self._pause.wait(_until_next(waiting))
                continue
            ended = self._make(job, company, is_over)
            if ended is not None:
                made.append(ended)
                if ended.state is JobState.INTERRUPTED:
                    break
        return made

    def _waiting(self) -> list[Job]:
        return [
            job
            for job in self._queue.jobs()
            if job.state is JobState.WAITING and bench_key(job.bench) == self._key
        ]

    def _make(self, job: Job, company: Company, is_over: Callable[[], bool]) -> Job | None:
        """Make a job; None if somebody has changed it since it was looked at."""
        taken = self._queue.take(job.id, self._name)
        if taken is None:
            return None
        company.on_job(taken)
        told = Asker(lambda: self._queue.is_told_to_skip(taken.id))
        company = replace(company, should_stop=lambda: is_over() or told())
        ending = Ending(JobState.INTERRUPTED, "ended by STOP, a signal, or the end of its process")
        try:
            ending = execute(taken, company, self._benches, self._queue.note_run_file)
        finally:
            state, error = ending.state, ending.error
            if state is JobState.INTERRUPTED and told.answer:
                state, error = JobState.SKIPPED, "skipped while it ran"
            ended = self._queue.end(taken.id, state, error)
            company.on_job(ended)
        return ended


def next_due(waiting: Sequence[Job], now: datetime) -> Job | None:
    """Return the first job in the queue whose time has come."""
    due = (job for job in waiting if job.start_at is None or job.start_at <= now)
    return next(due, None)


def _given(bench: str, station: Station | None) -> dict[BenchChoice, Station]:
    return {} if station is None else {BenchChoice(bench_key(bench)): station}


def _until_next(waiting: Sequence[Job]) -> float:
    now = datetime.now(UTC)
    left = [(job.start_at - now).total_seconds() for job in waiting if job.start_at is not None]
    return max(0.0, min([_LOOK_SECONDS, *left]))
