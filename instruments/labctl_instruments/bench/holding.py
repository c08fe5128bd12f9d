"""Hold a bench: its instruments are for one process at a time.

The operating system's lock on a small file an instrument, named after its address. It ends with
its holder, however that ends; the file stays and means nothing. It covers one machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from labctl_data.file_lock import LockHolder, try_lock
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.errors import BenchBusyError

_PAUSE = 0.02


class BenchHold(LockHolder):
    """Hold every instrument of a bench until closed or dead.

    Parameters
    ----------
    file : BenchFile
        The bench.
    patience : float
        Time to wait for whoever holds it, in s: a guardian needs a moment after a crash.

    Raises
    ------
    BenchBusyError
        If another station, of this process or another, holds one of the instruments.
    """

    def __init__(self, file: BenchFile, *, patience: float = 2.0) -> None:
        self._descriptors: list[int] = []
        until = time.monotonic() + patience
        while busy := self._take(sorted({t.address.upper() for t in file.instruments.values()})):
            if time.monotonic() > until:
                address, holder = busy
                raise BenchBusyError(file.path, address, holder)
            time.sleep(_PAUSE)
        super().__init__()

    def close(self) -> None:
        """Let the instruments go."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _take(self, addresses: Iterable[str]) -> tuple[str, int | None] | None:
        """Lock all files or none; return the address that is taken, and by which process."""
        for address in addresses:
            path = _path(address)
            self._descriptors.append(_open(path))
            if not try_lock(self._descriptors[-1]):
                self.close()
                return address, _holder(path)
        for descriptor in self._descriptors:
            _sign(descriptor)
        return None


def _path(address: str) -> Path:
    name = hashlib.sha256(address.encode()).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"labctl-bench-{name}.lock"


def _open(path: Path) -> int:
    """Open a lock file, of whichever user it is."""
    flags = getattr(os, "O_NOFOLLOW", 0)
    for way in (os.O_RDWR, os.O_RDONLY):
        try:
            return os.open(path, way | flags)
        except FileNotFoundError:
            return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
        except PermissionError:
            continue
    return os.open(path, os.O_RDONLY | flags)


def _sign(descriptor: int) -> None:
    """Write down who holds it, where the file is ours to write."""
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps({"process": os.getpid()}).encode())
    except OSError:
        return


def _holder(path: Path) -> int | None:
    try:
        return int(json.loads(path.read_text(encoding="ascii"))["process"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
