"""The child process that runs a stranger's Lua: it has two pipes, bounded memory, and an alarm.

The first frame gives the vocabulary, the firmware and the limits. Then each frame is a message to
run; what the message asks of the instrument goes out as a frame and comes back as one.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any

from labctl_instruments.virtual.lua.frames import read_frame, write_frame
from labctl_instruments.virtual.lua.host import LuaHost, Value

_DESCRIPTORS = 16


def main() -> None:
    """Serve the parent until it closes the pipe."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    tables, firmware, memory, seconds = read_frame(source)
    _limit(memory)

    def call(table: str, use: str, name: str, *arguments: Value) -> tuple[Any, ...]:
        _alarm(0)  # the instrument's time is not the program's
        write_frame(sink, ["call", table, use, name, list(arguments)])
        answer = tuple(read_frame(source))
        _alarm(seconds)
        return answer

    host = LuaHost(tables, call, firmware)
    write_frame(sink, ["ready"])
    with contextlib.suppress(EOFError):
        while True:
            message = read_frame(source)
            _alarm(seconds)
            result = host.run(message)
            _alarm(0)
            write_frame(sink, ["done", *result])


def _limit(memory: int) -> None:
    """Bound what this process can take, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _alarm(seconds: float) -> None:
    """Die `seconds` from now unless told otherwise, even within one pattern match; 0: never.

    The parent kills a child that takes too long; this is for a parent that is gone.
    """
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main()
