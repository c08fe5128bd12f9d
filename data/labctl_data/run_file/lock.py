"""The operating-system lock that proves that a run's writer is alive."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from labctl_data.errors import RunFileError
from labctl_data.file_lock import LockHolder, lock_soon


class WriterLock(LockHolder):
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
        if not lock_soon(self._descriptor):
            os.close(self._descriptor)
            self._descriptor = None
            raise RunFileError(f"{path}: another process is writing the run of this lock")
        super().__init__()

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


def is_locked(path: Path) -> bool:
    """Tell whether a living process is proved to hold the lock at `path`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        return not lock_soon(descriptor, shared=True)
    finally:
        os.close(descriptor)
