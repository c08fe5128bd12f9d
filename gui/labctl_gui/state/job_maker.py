"""One job of the queue, made on the bench that is open, and all that is seen of it meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.queue import Job, JobState
from labctl_data.run_file import Column
from labctl_gui.state.job_list import JobList
from labctl_gui.state.opened import aim_at
from labctl_gui.state.progress import ProgressMeter
from labctl_gui.state.rings import RowRing
from labctl_gui.state.watched import Stopped, WatchedStation

if TYPE_CHECKING:
    from labctl.engine import Control
    from labctl_procedures.procedure import Rows

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Recording:
    """The run whose rows are in the ring."""

    procedure: str
    """Name in the catalogue."""
    columns: Mapping[str, Column]
    """Columns of the rows, by name."""


class JobMaker:
    """Makes jobs, one at a time, and lets them be paused and ended from any thread.

    Parameters
    ----------
    jobs : JobList
        The queue.
    rows : RowRing
        Takes the rows of the run that goes on.
    progress : ProgressMeter
        Is told how far it is.
    stop : threading.Event
        Set by STOP.
    """

    def __init__(
        self, jobs: JobList, rows: RowRing, progress: ProgressMeter, stop: threading.Event
    ) -> None:
        self.recording: Recording | None = None
        self._jobs = jobs
        self._rows = rows
        self._progress = progress
        self._stop = stop
        self._headers: dict[str, str] = {}
        self._control: Control | None = None

    @property
    def control(self) -> Control | None:
        """What the run that goes on may be asked; None while none does."""
        return self._control

    def make(
        self, bench: str, station: WatchedStation, begins: Callable[[Job], None]
    ) -> Job | None:
        """Make the next job of a bench, and return it as it ended; None if there was none.

        Parameters
        ----------
        bench : str
            The bench, as the jobs name it.
        station : WatchedStation
            The bench, open.
        begins : callable
            Takes the job that is begun.

        Raises
        ------
        QueueBusyError
            If another process works off the queue on this bench.
        """
        from labctl.engine import Control
        from labctl.queue import run_queue

        over = threading.Event()
        ended: list[Job] = []

        def on_job(job: Job) -> None:
            if job.state is JobState.RUNNING:
                self._begin(job)
                begins(job)
                return
            ended.append(job)
            over.set()

        def on_rows(rows: Rows) -> None:
            named = {self._headers.get(name, name): v for name, v in rows.items()}
            self._rows.extend(named)
            aim_at(station.chip_map, named)

        self._control = Control()
        try:
            run_queue(
                self._jobs.queue(),
                bench=bench,
                station=station,
                control=self._control,
                progress=self._progress,
                on_job=on_job,
                on_rows=on_rows,
                should_stop=lambda: over.is_set() or self._stop.is_set(),
            )
        except Stopped:
            log.info("the run was stopped")
        finally:
            self._control = None
            self._progress.finish()
            self._jobs.look()
        return _told(ended[-1]) if ended else None

    def _begin(self, job: Job) -> None:
        from labctl_procedures import catalogue

        columns = catalogue.load(job.procedure).COLUMNS
        self._headers = {column.header: column.name for column in columns}
        self._rows.clear()
        self.recording = Recording(job.procedure, {column.name: column for column in columns})
        self._jobs.look()


def _told(job: Job) -> Job:
    """Say how a job ended, and return it."""
    level = logging.ERROR if job.state is JobState.FAILED else logging.INFO
    reason = f": {job.error}" if job.error else ""
    log.log(level, "job %d, %s: %s%s", job.id, job.procedure, job.state.value, reason)
    return job
