"""The operating-system lock that proves that whoever works off a queue is alive."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

from labctl.queue.errors import QueueBusyError
from labctl_data.file_lock import LockHolder, lock_soon, try_lock


class RunnerLock(LockHolder):
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
        if not lock_soon(self._descriptor):
            self.close()
            raise QueueBusyError(f"queue {queue}: the jobs of bench '{bench}' are being worked off")
        token = uuid.uuid4().hex
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, token.encode())
        self.runner = f"{path.name}:{token}"
        """Name of this runner in the queue."""
        super().__init__()

    def close(self) -> None:
        """Let others work."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


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


def _path(queue: Path, bench: str) -> Path:
    key = hashlib.sha256(bench.encode()).hexdigest()[:12]
    return queue.with_name(f"{queue.name}.{key}.lock")
