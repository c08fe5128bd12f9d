"""TSP as an instrument runs it: messages are Lua 5.1 chunks, with no instrument in it.

The Lua is real (`lupa`), and sees functions and tables only; see `labctl_instruments.virtual.lua`.
In process it is trusted not to run for ever; behind a socket it is confined in a child process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl_instruments.virtual.lua.confined import ConfinedLua
from labctl_instruments.virtual.lua.host import Lua, LuaHost, Value, Vocabulary
from labctl_instruments.virtual.scpi.status import ScpiError, Status

Function = Callable[..., Any]

SYNTAX_ERROR = -285
RUNTIME_ERROR = -286
SEVERE = 20
"""Severity that the error queue tells: recoverable."""


@dataclass
class TspTable:
    """One table of an instrument's vocabulary, such as `channel`."""

    functions: dict[str, Function] = field(default_factory=dict)
    """Functions by name; they take and return strings, numbers, booleans and nil."""
    getters: dict[str, Callable[[], Value]] = field(default_factory=dict)
    """Attributes by name, read each time they are asked for."""
    setters: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    """Attributes that can be assigned."""
    constants: dict[str, Value] = field(default_factory=dict)
    """Names that stand for numbers or strings."""


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
    """

    def __init__(
        self, tables: Mapping[str, TspTable], *, identity: str, reset: Callable[[], None]
    ) -> None:
        self.status = Status()
        self._reset = reset
        own = TspTable(functions={**tables.get("", TspTable()).functions, "reset": reset})
        self._tables = {"errorqueue": self._error_queue(), **tables, "": own}
        self._lua: Lua = LuaHost(self._vocabulary(), self._call)
        self._common: dict[str, Callable[[], str]] = {
            "*IDN?": lambda: identity,
            "*ESR?": lambda: str(self.status.take_event_status()),
            "*STB?": lambda: str(self.status.byte()),
            "*OPC?": lambda: "1",
            "*TST?": lambda: "0",
            "*RST": self._silent(reset),
            "*CLS": self._silent(self.status.clear),
            "*WAI": lambda: "",
            "*OPC": lambda: "",
            "*TRG": lambda: "",
        }

    def confine(self) -> None:
        """Run messages in a child process from now on; what they had defined is lost."""
        self._lua.close()
        self._lua = ConfinedLua(self._vocabulary(), self._call)

    def release(self) -> None:
        """End the child process."""
        self._lua.close()

    def handle(self, message: bytes) -> bytes:
        """Run a message and return what it printed."""
        source = message.decode("latin-1").strip("\r\n\0 ")
        if source.startswith("*"):
            return self._answer_common(source)
        number, text, problem = self._lua.run(source)
        if number:
            self.status.raise_error(_told(number, problem))
        return text.encode("latin-1")

    def _answer_common(self, source: str) -> bytes:
        answer = self._common.get(source.upper())
        if answer is None:
            self.status.raise_error(ScpiError(SYNTAX_ERROR, f"found '{source[:40]}'"))
            return b""
        text = answer()
        return f"{text}\n".encode("latin-1") if text else b""

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
        uses: dict[str, Mapping[str, Function]] = {
            "functions": self._tables[table].functions,
            "getters": self._tables[table].getters,
            "setters": self._tables[table].setters,
        }
        try:
            result = uses[use][name](*arguments)
        except (ScpiError, TypeError, ValueError) as error:
            return False, str(error)
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


def _told(number: int, problem: str) -> ScpiError:
    """Return the error that the queue shows of what Lua said; a function's own number first."""
    head, _, rest = problem.partition(", ")
    if number == RUNTIME_ERROR and head.lstrip("-").isdigit():
        return ScpiError(int(head), rest.partition(";")[2])
    return ScpiError(number, problem)
