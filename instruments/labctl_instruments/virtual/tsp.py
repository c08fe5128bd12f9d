"""TSP as an instrument runs it: messages are Lua 5.1 chunks, with no instrument in it.

The Lua is real (`lupa`), and sees functions and tables only; see `labctl_instruments.virtual.lua`.
In process it is trusted not to run for ever; behind a socket it is confined in a child process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from labctl_instruments.virtual.lua.confined import ConfinedLua, Meanwhile
from labctl_instruments.virtual.lua.host import Lua, LuaHost, Value, Vocabulary
from labctl_instruments.virtual.persona import QUERY_INTERRUPTED
from labctl_instruments.virtual.scpi.status import ERROR_TEXTS, ScpiError, Status
from labctl_instruments.virtual.tsp_status import common_settings, complete, status_tables
from labctl_instruments.virtual.tsp_table import Function, TspTable, joined

SYNTAX_ERROR = -285
RUNTIME_ERROR = -286
SCRIPT_TOO_LONG = -363
LONGEST_SCRIPT = 2**20
"""Characters of a script between `loadscript` and `endscript`."""
SEVERE = 20
"""Severity that the error queue tells: recoverable."""


_SCRIPT_WORDS = ("loadscript", "loadandrunscript")
_SETTING = re.compile(r"(\*SRE|\*ESE)(?:(\?)|\s+(\d{1,5}))\s*")
_SCRIPT = re.compile(r"(loadscript|loadandrunscript)(?:\s+([A-Za-z_]\w*))?")


@dataclass
class _Script:
    """A script that is being sent, line by line."""

    name: str
    """Its name; empty for the anonymous one."""
    is_run: bool
    """Whether it runs when it is complete."""
    lines: list[str] = field(default_factory=list)
    length: int = 0
    """Characters that came."""

    def chunk(self) -> str:
        """Return the Lua that makes a script of the lines, and runs it if it shall."""
        made = (
            f"script.new({_quoted(chr(10).join(self.lines))}, {_quoted(self.name or 'anonymous')})"
        )
        return f"{made}.run()" if self.is_run else f"local _ = {made}"


class TspEngine:
    """Executes messages as Lua chunks, on an instrument's vocabulary.

    Parameters
    ----------
    tables : mapping of str to TspTable
        The instrument's tables by name; under the empty name, global functions.
    identity : str
        Answer to `*IDN?`.
    reset : callable
        What `*RST` and `reset()` do.
    firmware : str
        Lua that runs once, when the tables stand: what is easier said in Lua; see `LuaHost`.
    on_trigger : str
        Lua that runs at `*TRG` and at a group execute trigger.
    """

    def __init__(
        self,
        tables: Mapping[str, TspTable],
        *,
        identity: str,
        reset: Callable[[], None],
        firmware: str = "",
        on_trigger: str = "",
    ) -> None:
        self.status = Status()
        self._firmware = firmware
        self._on_trigger = on_trigger
        self._loading: _Script | None = None
        self._settings = common_settings(self.status)
        own = {"opc": lambda: complete(self.status), "reset": reset}
        self._tables = {"errorqueue": self._error_queue(), **status_tables(self.status)}
        for name, table in {
            **tables,
            "": joined(tables.get("", TspTable()), TspTable(own)),
        }.items():
            self._tables[name] = joined(self._tables.get(name, TspTable()), table)
        self._uses: dict[str, dict[str, Mapping[str, Function]]] = {
            "functions": {name: table.functions for name, table in self._tables.items()},
            "getters": {name: table.getters for name, table in self._tables.items()},
            "setters": {name: table.setters for name, table in self._tables.items()},
        }
        self._lua: Lua = LuaHost(self._vocabulary(), self._call, firmware)
        self._common: dict[str, Callable[[], str]] = {
            "*IDN?": lambda: identity,
            "*ESR?": lambda: str(self.status.take_event_status()),
            "*STB?": lambda: str(self.status.byte()),
            "*OPC?": lambda: "1",
            "*TST?": lambda: "0",
            "*RST": lambda: self._run("reset()").decode("latin-1"),
            "*CLS": self._silent(self.status.clear),
            "*WAI": lambda: "",
            "*OPC": self._silent(lambda: complete(self.status)),
            "*TRG": lambda: self.trigger().decode("latin-1"),
        }

    def confine(self, meanwhile: Meanwhile = nullcontext) -> None:
        """Run messages in a child process from now on; what they had defined is lost."""
        self._lua.close()
        self._lua = ConfinedLua(self._vocabulary(), self._call, self._firmware, meanwhile=meanwhile)

    def be_ready(self) -> None:
        """Return once the Lua stands, wherever it is."""
        self._lua.run("")

    def release(self) -> None:
        """End the child process."""
        self._lua.close()

    def clear(self) -> None:
        """Forget a script that is half sent."""
        self._loading = None

    def trigger(self) -> bytes:
        """Let a trigger come; return what is printed because of it."""
        return self._run(self._on_trigger) if self._on_trigger else b""

    def handle(self, message: bytes) -> bytes:
        """Run a message, line by line as they would come one by one; return what it printed."""
        lines = message.decode("latin-1").strip("\r\n\0 ").split("\n")
        return b"".join([self._run_line(line.strip("\r ")) for line in lines])

    def _run_line(self, line: str) -> bytes:
        if self._loading is not None:
            return self._add_to_script(self._loading, line)
        if line.startswith(_SCRIPT_WORDS) and (begun := _SCRIPT.fullmatch(line)):
            self._loading = _Script(begun[2] or "", is_run=begun[1] == "loadandrunscript")
            return b""
        if line.startswith("*"):
            return self._answer_common(line)
        return self._run(line) if line else b""

    def _run(self, source: str) -> bytes:
        number, text, problem = self._lua.run(source)
        if number:
            self.status.raise_error(_told(number, problem))
        return text.encode("latin-1")

    def _add_to_script(self, script: _Script, line: str) -> bytes:
        if line != "endscript":
            script.length += len(line) + 1
            if script.length <= LONGEST_SCRIPT:
                script.lines.append(line)
            return b""
        self._loading = None
        if script.length > LONGEST_SCRIPT:
            self.status.raise_error(ScpiError(SCRIPT_TOO_LONG, f"{script.length} characters"))
            return b""
        return self._run(script.chunk())

    def _answer_common(self, source: str) -> bytes:
        answer = self._common.get(source.upper()) or self._setting(source.upper())
        if answer is None:
            self.status.raise_error(ScpiError(SYNTAX_ERROR, f"found '{source[:40]}'"))
            return b""
        try:
            text = answer()
        except ScpiError as error:
            self.status.raise_error(error)
            return b""
        return f"{text}\n".encode("latin-1") if text else b""

    def _setting(self, source: str) -> Callable[[], str] | None:
        """Return what reads or sets `*SRE` or `*ESE`; None if the message does neither."""
        match = _SETTING.fullmatch(source)
        if match is None:
            return None
        get, put = self._settings[match[1]]
        if match[2] == "?":
            return lambda: str(get())
        mask = float(match[3])
        return self._silent(lambda: put(mask))

    def _vocabulary(self) -> dict[str, Vocabulary]:
        return {
            name: Vocabulary(
                functions=list(table.functions),
                getters=list(table.getters),
                setters=list(table.setters),
                constants=table.constants,
            )
            for name, table in self._tables.items()
        }

    def _call(self, table: str, use: str, name: str, *arguments: Value) -> tuple[Any, ...]:
        """Do what Lua asks of the instrument; a refusal becomes a Lua error."""
        use_of = self._uses[use][table][name]
        try:
            result = use_of(*arguments)
        except (ScpiError, ValueError) as error:
            return False, str(error)
        except TypeError:
            where = f"{table}.{name}".removeprefix(".")
            return False, f"{where}: a parameter is missing, too many, or of the wrong type"
        return (True, *result) if isinstance(result, tuple) else (True, result)

    def _error_queue(self) -> TspTable:
        def take() -> tuple[float, str, float, float]:
            number, text = self.status.next_error()
            return float(number), text if number else "Queue Is Empty", SEVERE if number else 0, 1

        return TspTable(
            functions={"next": take, "clear": self.status.clear},
            getters={"count": lambda: self.status.errors_waiting},
        )

    @staticmethod
    def _silent(action: Callable[[], None]) -> Callable[[], str]:
        def act() -> str:
            action()
            return ""

        return act


class TspPersona:
    """A virtual instrument that speaks TSP: whatever has an engine, its `_engine`."""

    _engine: TspEngine
    message_time = 0.0
    has_blocks = False

    def exchange(self, message: bytes) -> bytes:
        """Run a message and return what it printed."""
        return self._engine.handle(message)

    def status_byte(self, *, message_available: bool = False) -> int:
        """Return the status byte."""
        return self._engine.status.byte(message_available=message_available)

    def clear(self) -> None:
        """Forget a script that is half sent; nothing runs between messages."""
        self._engine.clear()

    def trigger(self) -> None:
        """Let a group execute trigger come."""
        self._engine.trigger()

    def confine(self, meanwhile: Meanwhile = nullcontext) -> None:
        """Run messages in a child process, as those of strangers must be."""
        self._engine.confine(meanwhile)

    def be_ready(self) -> None:
        """Return once messages can be run."""
        self._engine.be_ready()

    def release(self) -> None:
        """End the child process."""
        self._engine.release()

    def query_error(self, number: int) -> None:
        """Queue the error."""
        self._engine.status.raise_error(ScpiError(number))

    def unread(self, waiting: bytes, message: bytes) -> bytes:
        """Return nothing: the answer is lost, and that is an error."""
        self.query_error(QUERY_INTERRUPTED)
        return b""


def _told(number: int, problem: str) -> ScpiError:
    """Return the error that the queue shows of what Lua said; a function's own number first."""
    head, _, rest = problem.partition(", ")
    if number == RUNTIME_ERROR and head.lstrip("-").isdigit():
        is_standard = int(head) in ERROR_TEXTS
        return ScpiError(int(head), rest.partition(";")[2] if is_standard else rest)
    return ScpiError(number, problem)


def _quoted(text: str) -> str:
    """Return `text` as a Lua string."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'
