"""The operating-system lock that proves that a run's writer is alive."""

from __future__ import annotations

import os
import sys
import time
import weakref
from pathlib import Path
from types import TracebackType

from labctl_data.errors import RunFileError
from labctl_data.file_lock import try_lock

_TRIES = 5
_PAUSE = 2e-3  # s; a reader that asks holds the lock for some microseconds


_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


class WriterLock:
    """Hold an exclusive lock on `path`, a file of its own, until closed or dead.

    The lock is not on the run file itself: HDF5 locks and unlocks that one for its own purposes.

    Raises
    ------
    RunFileError
        If a living process holds the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _insist(self._descriptor, shared=False):
            os.close(self._descriptor)
            self._descriptor = None
            raise RunFileError(f"{path}: another process is writing the run of this lock")
        _held.add(self)

    def close(self) -> None:
        """Release the lock and remove its file."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(descriptor)
            self._path.unlink(missing_ok=True)
        else:  # removed first, so that nobody locks a file that is about to vanish
            self._path.unlink(missing_ok=True)
            os.close(descriptor)

    def forget(self) -> None:
        """Drop this process's hold without releasing: a forked child is not the writer."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> WriterLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_locked(path: Path) -> bool:
    """Tell whether a living process is proved to hold the lock at `path`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        return not _insist(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _insist(descriptor: int, *, shared: bool) -> bool:
    if try_lock(descriptor, shared=shared):
        return True
    if shared and sys.platform != "win32":  # other readers do not stand in the way
        return False
    for _ in range(_TRIES):
        time.sleep(_PAUSE)
        if try_lock(descriptor, shared=shared):
            return True
    return False


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
