"""The queue as the window shows it: a copy that is never older than half a second."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from labctl.queue import Job, JobQueue, JobRequest, JobState
from labctl_data.errors import LabctlError
from labctl_gui.state.worker import BenchWorker, Task

log = logging.getLogger(__name__)

ENDED = (JobState.DONE, JobState.FAILED, JobState.SKIPPED, JobState.INTERRUPTED)
"""States of jobs that nobody will start by themselves."""


class JobList:
    """The durable queue, looked at and changed by a thread of its own.

    The database is shared with other processes and may make a writer wait: the window never does.

    Parameters
    ----------
    path : Path, optional
        The queue's database; by default the user's.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._queue: JobQueue | None = None
        self._jobs: tuple[Job, ...] = ()
        self._is_held = False
        self._version = 0
        self._trouble = ""
        look = Task("looking at the queue", self._look_again, _ignore)
        self._clerk = BenchWorker(idle=look, last=look)
        self._clerk.submit(look)

    @property
    def version(self) -> int:
        """Changes whenever the queue does."""
        return self._version

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs, in the order in which they will be, are, or were made."""
        return self._jobs

    @property
    def is_held(self) -> bool:
        """Whether somebody holds the queue, for every bench."""
        return self._is_held

    @property
    def waiting(self) -> tuple[Job, ...]:
        """Jobs still to be made, next first."""
        return tuple(job for job in self._jobs if job.state is JobState.WAITING)

    @property
    def running(self) -> Job | None:
        """The job that goes on; None if none does."""
        return next((job for job in self._jobs if job.state is JobState.RUNNING), None)

    def queue(self) -> JobQueue:
        """Return the durable queue itself; for threads that may wait."""
        if self._queue is None:
            from labctl.queue import default_queue_path

            path = self._path or default_queue_path()
            path.parent.mkdir(parents=True, exist_ok=True)
            self._queue = JobQueue(path)
        return self._queue

    def due(self, bench_key: str) -> Job | None:
        """Return the first job of a bench whose time has come; for threads that may wait."""
        from labctl.queue.execution import bench_key as key_of
        from labctl.queue.working import next_due

        self._look()
        mine = [job for job in self.waiting if key_of(job.bench) == bench_key]
        return None if self._is_held else next_due(mine, datetime.now(UTC))

    def add(self, request: JobRequest, *, first: bool = False) -> None:
        """Put a job at the end; or, `first`, before all that wait."""

        def change(queue: JobQueue) -> None:
            waiting = [job.id for job in queue.jobs() if job.state is JobState.WAITING]
            queue.add(request, before=waiting[0] if first and waiting else None)

        self.change("adding to the queue", change)

    def change(self, name: str, act: Callable[[JobQueue], object]) -> None:
        """Let the clerk change the queue, and look at it then."""

        def changed() -> None:
            act(self.queue())
            self._look()

        self._clerk.submit(Task(name, changed, _ignore))

    def shift(self, number: int, by: int) -> None:
        """Move a waiting job `by` places among those that wait; -1 is one place earlier."""

        def change(queue: JobQueue) -> None:
            waiting = [job.id for job in queue.jobs() if job.state is JobState.WAITING]
            if number not in waiting:
                return
            place = waiting.index(number)
            others = [one for one in waiting if one != number]
            goal = min(max(place + by, 0), len(others))
            queue.move(number, before=others[goal] if goal < len(others) else None)

        self.change("moving a job", change)

    def look(self) -> None:
        """Look at the queue soon."""
        self._clerk.submit(Task("looking at the queue", self._look, _ignore))

    def settled(self, timeout: float) -> bool:
        """Wait until the clerk has nothing more to do, at most `timeout` s; return whether so."""
        return self._clerk.settled(timeout)

    def close(self, timeout: float) -> bool:
        """End the thread; return whether it did within `timeout` s."""
        return self._clerk.end(timeout)

    def _look_again(self) -> None:
        """Look, and tell of the same trouble once only: this is done twice a second."""
        try:
            self._look()
        except LabctlError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                raise
        else:
            self._trouble = ""

    def _look(self) -> None:
        queue = self.queue()
        jobs, held = tuple(queue.jobs()), queue.is_held
        if (jobs, held) != (self._jobs, self._is_held):
            self._jobs, self._is_held = jobs, held
            self._version += 1


def _ignore(error: Exception) -> None:
    """Do nothing: the worker has logged it."""
