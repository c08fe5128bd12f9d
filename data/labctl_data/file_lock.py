"""The operating system's lock on an open file: it ends with its holder, however that ends."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt
    import os

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
