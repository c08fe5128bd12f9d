"""The operating system's lock on an open file: it ends with its holder, however that ends."""

from __future__ import annotations

import os
import sys
import time
import weakref
from types import TracebackType
from typing import Self

_TRIES = 10
_PAUSE = 5e-3  # s; who asks whether somebody lives holds the lock for some microseconds

if sys.platform == "win32":
    import msvcrt

    _FAR = 2**30  # beyond any text in the file, which then stays readable

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """Lock the open file if nobody else has; False when somebody has.

        Windows knows exclusive locks only: there a `shared` one keeps out other shared ones too.
        """
        del shared
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """Lock the open file if nobody else has; False when somebody has.

        flock, not lockf: it belongs to the open file, so that another descriptor of the same
        process sees it too, and closing that one does not drop it.
        """
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def lock_soon(descriptor: int, *, shared: bool = False) -> bool:
    """Lock the open file, in spite of those who only ask whether somebody has it.

    They hold a shared lock for a moment, which stands in the way of an exclusive one, and on
    Windows of another shared one.
    """
    if try_lock(descriptor, shared=shared):
        return True
    if shared and sys.platform != "win32":
        return False
    for _ in range(_TRIES):
        time.sleep(_PAUSE)
        if try_lock(descriptor, shared=shared):
            return True
    return False


class LockHolder:
    """Holds locks of this process until its block ends; a forked child holds none of them."""

    def __init__(self) -> None:
        _holders.add(self)

    def close(self) -> None:
        """Release the locks."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop the locks in a forked child, where they are the parent's."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_holders: weakref.WeakSet[LockHolder] = weakref.WeakSet()


def _forget_all() -> None:
    for holder in list(_holders):
        holder.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
