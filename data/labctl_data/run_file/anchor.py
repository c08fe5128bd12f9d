"""Hold on to a run file that is being written: somebody may delete it, or fill its disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from labctl_data.errors import RunFileError

RESERVE = 4 * 2**20
"""Room that is kept on the disk for the end of a run, in bytes."""


class Anchor:
    """A second hold on a run file: what is written cannot be lost by deleting its name.

    Parameters
    ----------
    path : Path
        The run file, which is there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def check(self) -> None:
        """Refuse to go on writing what nobody would find.

        Raises
        ------
        RunFileError
            If the file has been deleted, moved or replaced since the run began.
        """
        if not self._is_there():
            raise RunFileError(
                f"{self._path}: the run file was deleted, moved or replaced while it was written"
            )

    def check_room(self, size: int) -> None:
        """Refuse to write `size` bytes where they would fill the disk.

        HDF5 cannot close a file well once the disk is full: the reserve is for its end.

        Raises
        ------
        RunFileError
            If less than that and the reserve is left.
        """
        left = shutil.disk_usage(self._path.parent).free
        if left < size + RESERVE:
            raise RunFileError(
                f"{self._path}: the disk is full: {left / 1e6:.1f} MB are left, and "
                f"{(size + RESERVE) / 1e6:.1f} MB are needed to store more and to end well"
            )

    def close(self) -> None:
        """Let go; put the file back under its name if that has been deleted.

        Where another file has taken the name, it is put beside it with `.rescued` at the end.
        """
        try:
            if not self._is_there() and os.fstat(self._descriptor).st_nlink == 0:
                self._put_back()
        finally:
            os.close(self._descriptor)

    def _is_there(self) -> bool:
        try:
            found, held = os.stat(self._path), os.fstat(self._descriptor)
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)

    def _put_back(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        taken = self._path.exists()
        target = self._path.with_name(self._path.name + ".rescued") if taken else self._path
        with target.open("xb") as copy, open(os.dup(self._descriptor), "rb") as held:
            held.seek(0)
            shutil.copyfileobj(held, copy)
