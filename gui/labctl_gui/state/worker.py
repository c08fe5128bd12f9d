"""The bench worker: the one thread that speaks to the bench."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from labctl_data.errors import LabctlError

log = logging.getLogger(__name__)

POLL = 0.5
"""How often an idle worker looks around, in s."""


@dataclass(frozen=True)
class Task:
    """One thing for the worker to do."""

    name: str
    """What it is, in words, for the log."""
    act: Callable[[], None]
    """Does it; called on the worker's thread."""
    failed: Callable[[Exception], None]
    """Told when it could not be done; called on the worker's thread."""
    lasting: bool = False
    """Whether it is still to be done after a STOP."""


class BenchWorker:
    """A thread that does tasks one after another.

    Parameters
    ----------
    idle : callable
        Called every half second while there is nothing to do.
    last : callable
        Called once, when the worker ends, whatever happened.
    """

    def __init__(self, *, idle: Task, last: Task) -> None:
        self._idle = idle
        self._last = last
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._open_tasks = 0
        self._thread = threading.Thread(target=self._work, name="bench", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread goes on."""
        return self._thread.is_alive()

    def submit(self, task: Task) -> None:
        """Put a task behind those that wait."""
        self._count(1)
        self._tasks.put(task)

    def settled(self, timeout: float) -> bool:
        """Wait until every task, and every task that these submit, is done; return whether so.

        Parameters
        ----------
        timeout : float
            How long to wait, in s.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._open_tasks == 0, timeout)

    def clear(self) -> None:
        """Forget the tasks that wait and do not last; the one that is being done goes on."""
        for task in self._drain():
            if task is None or task.lasting:
                self._tasks.put(task)
            else:
                self._count(-1)

    def end(self, timeout: float) -> bool:
        """Forget all that waits, end the thread after its present task; return whether it ended.

        Parameters
        ----------
        timeout : float
            How long to wait for it, in s.
        """
        self._drain()
        self._tasks.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _drain(self) -> list[Task | None]:
        """Take out everything that waits."""
        taken: list[Task | None] = []
        while True:
            try:
                taken.append(self._tasks.get_nowait())
            except queue.Empty:
                return taken

    def _work(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=POLL)
            except queue.Empty:
                _do(self._idle)
                continue
            if task is None:
                break
            _do(task)
            self._count(-1)
        _do(self._last)

    def _count(self, change: int) -> None:
        with self._changed:
            self._open_tasks += change
            self._changed.notify_all()


def _do(task: Task) -> None:
    """Do one task; whatever goes wrong is logged and told, and the worker lives on."""
    try:
        task.act()
    except LabctlError as error:
        log.error("%s: %s", task.name, error)  # noqa: TRY400  (its one line says it all)
        task.failed(error)
    except Exception as error:
        log.exception("%s failed", task.name)
        task.failed(error)
