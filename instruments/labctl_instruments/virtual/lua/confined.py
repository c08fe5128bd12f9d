"""A Lua in a child process that can be killed.

Hooks are no limit: pcall swallows them, and a pattern match runs unhooked. A process is one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import lupa

import labctl_instruments
from labctl_instruments.virtual.lua.frames import FrameError, read_frame, write_frame
from labctl_instruments.virtual.lua.host import RUNTIME_ERROR, Call, Result, Vocabulary

log = logging.getLogger(__name__)

Meanwhile = Callable[[], contextlib.AbstractContextManager[object]]
"""What lets others go on while a child is waited for: entered before, left after."""

_START = "import sys; sys.path[:0] = {roots!r}; from {module} import main; main()"
_CHILD = "labctl_instruments.virtual.lua.child"
_START_SECONDS = 60.0
_GRACE = 1.0
_WAITING_FRAMES = 4


@dataclass(frozen=True)
class LuaLimits:
    """What one message may take."""

    seconds: float = 5.0
    """Time of the program itself, in s; what the instrument does meanwhile is not counted."""
    memory: int = 2**30
    """Address space of the child process, in bytes; the Lua in it has `host.MEMORY`."""


class ConfinedLua:
    """A Lua in a child process.

    A message that takes too long ends the child; the next one begins in a new child, in which what
    earlier messages defined is not there.

    Parameters
    ----------
    tables : mapping of str to Vocabulary
        The instrument's tables; see `LuaHost`.
    call : Call
        How Lua reaches the instrument.
    firmware : str
        Lua that runs once in each new child; see `LuaHost`.
    limits : LuaLimits
        What one message may take.
    meanwhile : Meanwhile
        Around every wait for the child: what lets others go on.
    """

    def __init__(
        self,
        tables: Mapping[str, Vocabulary],
        call: Call,
        firmware: str = "",
        *,
        limits: LuaLimits | None = None,
        meanwhile: Meanwhile = contextlib.nullcontext,
    ) -> None:
        self._tables = tables
        self._call = call
        self._firmware = firmware
        self._limits = limits or LuaLimits()
        self._meanwhile = meanwhile
        self._turn = threading.Lock()
        self._child: _Child | None = self._begin()
        self._is_closed = False

    def run(self, source: str) -> Result:
        """Run a message; one that is not done in time is ended, with its child.

        Where another message runs already, it is waited for.
        """
        with self._meanwhile():
            self._turn.acquire()
        try:
            return self._run(source)
        finally:
            self._turn.release()

    def _run(self, source: str) -> Result:
        if self._is_closed:
            return RUNTIME_ERROR, "", "the bench is closed"
        if self._child is None:
            self._child = self._begin()
        child = self._child
        try:
            return self._converse(child, source)
        except (EOFError, OSError, ValueError, queue.Empty, LookupError, TypeError) as error:
            log.warning("a Lua program was ended: %s: %s", type(error).__name__, error)
            child.end()
            self._child = None
            return RUNTIME_ERROR, "", f"the program was ended ({self._reason(error)})"

    def close(self) -> None:
        """End the child."""
        self._is_closed = True
        if self._child is not None:
            self._child.end()
            self._child = None

    def _begin(self) -> _Child:
        child = _Child()
        child.tell(
            [self._tables, self._firmware, self._limits.memory, self._limits.seconds + _GRACE]
        )
        return child

    def _converse(self, child: _Child, source: str) -> Result:
        """Let the child run `source`, and do what it asks of the instrument meanwhile."""
        with self._meanwhile():
            child.be_ready()
        child.tell(source)
        left = self._limits.seconds
        while True:
            began = time.monotonic()
            with self._meanwhile():
                word, *rest = child.hear(left)
            left -= time.monotonic() - began
            if word == "done":
                number, text, problem = rest
                return int(number), str(text), str(problem)
            table, use, name, arguments = rest
            if name not in cast("dict[str, Any]", self._tables[table])[use]:
                raise FrameError(f"asked for {table}.{name}")
            child.tell(self._call(table, use, name, *arguments))

    def _reason(self, error: Exception) -> str:
        if isinstance(error, queue.Empty):
            return f"it took more than {self._limits.seconds:g} s"
        return "it took too much time or memory"


class _Child:
    """The process, and a thread that hears it."""

    def __init__(self) -> None:
        roots = {Path(module.__path__[0]).parent for module in (labctl_instruments, lupa)}
        start = _START.format(roots=sorted(map(str, roots)), module=_CHILD)
        kept = {key: os.environ[key] for key in ("SYSTEMROOT",) if key in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept,
            start_new_session=True,
        )
        self._heard: queue.Queue[list[Any] | Exception] = queue.Queue(_WAITING_FRAMES)
        self._is_ready = False
        threading.Thread(target=self._listen, daemon=True).start()

    def be_ready(self) -> None:
        """Wait until the Lua stands."""
        if not self._is_ready:
            if self.hear(_START_SECONDS) != ["ready"]:
                raise FrameError("the firmware asked something")
            self._is_ready = True

    def tell(self, content: object) -> None:
        """Send a frame."""
        write_frame(cast("IO[bytes]", self._process.stdin), content)  # type: ignore[arg-type]  # a BinaryIO in all but name

    def hear(self, seconds: float) -> list[Any]:
        """Return the next frame; queue.Empty if there is none in time, EOFError if it died."""
        heard = self._heard.get(timeout=max(seconds, 1e-3))
        if isinstance(heard, Exception):
            raise heard
        return heard

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        with contextlib.suppress(queue.Empty):  # the thread may wait for room
            while True:
                self._heard.get_nowait()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _listen(self) -> None:
        pipe = self._process.stdout
        try:
            while pipe is not None:
                self._heard.put(read_frame(pipe))  # type: ignore[arg-type]  # a BinaryIO in all but name
        except (EOFError, FrameError, OSError, ValueError) as error:
            self._heard.put(error)
