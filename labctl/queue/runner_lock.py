"""The operating-system lock that proves that whoever works off a queue is alive."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

from labctl.queue.errors import QueueBusyError
from labctl_data.file_lock import try_lock

_TRIES = 10
_PAUSE = 5e-3  # s; who asks whether a runner lives holds the lock for some microseconds

_held: weakref.WeakSet[RunnerLock] = weakref.WeakSet()


class RunnerLock:
    """Work off the jobs of one bench, alone, until closed or dead.

    Parameters
    ----------
    queue : Path
        The queue's database; the lock file lies beside it.
    bench : str
        The bench, as the jobs name it.

    Raises
    ------
    QueueBusyError
        If somebody living holds it.
    """

    def __init__(self, queue: Path, bench: str) -> None:
        path = _path(queue, bench)
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _insist(self._descriptor):
            self.close()
            raise QueueBusyError(f"queue {queue}: the jobs of bench '{bench}' are being worked off")
        token = uuid.uuid4().hex
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, token.encode())
        self.runner = f"{path.name}:{token}"
        """Name of this runner in the queue."""
        _held.add(self)

    def close(self) -> None:
        """Let others work."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_alive(queue: Path, runner: str) -> bool:
    """Tell whether a runner that the queue names is proved to be alive."""
    name, _, token = runner.rpartition(":")
    try:
        descriptor = os.open(queue.with_name(Path(name).name), os.O_RDONLY)
    except OSError:
        return False
    try:
        if try_lock(descriptor, shared=True):
            return False
        return os.read(descriptor, len(token) + 1) == token.encode()
    finally:
        os.close(descriptor)


def is_held(queue: Path, bench: str) -> bool:
    """Tell whether somebody living works off the jobs of a bench."""
    try:
        descriptor = os.open(_path(queue, bench), os.O_RDONLY)
    except OSError:
        return False
    try:
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _insist(descriptor: int) -> bool:
    for _ in range(_TRIES):
        if try_lock(descriptor):
            return True
        time.sleep(_PAUSE)
    return False


def _path(queue: Path, bench: str) -> Path:
    key = hashlib.sha256(bench.encode()).hexdigest()[:12]
    return queue.with_name(f"{queue.name}.{key}.lock")


def _forget_all() -> None:
    """Drop this process's share: a forked child works off no queue."""
    for lock in list(_held):
        lock.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
