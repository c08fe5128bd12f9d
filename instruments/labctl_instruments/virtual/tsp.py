"""TSP as an instrument runs it: messages are Lua 5.1 chunks, with no instrument in it.

The Lua is real (`lupa`), and sees functions and tables only: no Python object, no os, io, debug,
package, no loading of code, no binary chunks. In process it is trusted not to run for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lupa import lua51

from labctl_instruments.virtual.scpi.status import ScpiError, Status

Function = Callable[..., Any]
Value = str | float | bool | None

SYNTAX_ERROR = -285
RUNTIME_ERROR = -286
SEVERE = 20
"""Severity that the error queue tells: recoverable."""
MEMORY = 64 * 2**20
"""Most bytes that the Lua of one instrument may hold."""


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


_PRELUDE = r"""
local emit_nothing = {}
local loadstring, pcall, tostring, type, select = loadstring, pcall, tostring, type, select
local format, concat, byte = string.format, table.concat, string.byte
local setmetatable, error = setmetatable, error
local out, number_format = {}, "%.5e"

for _, name in ipairs{"os", "io", "debug", "package", "require", "module", "load", "loadfile",
    "loadstring", "dofile", "getfenv", "setfenv", "newproxy", "collectgarbage", "python"} do
  _G[name] = nil
end
string.dump = nil

function print(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    parts[i] = type(value) == "number" and format(number_format, value) or tostring(value)
  end
  out[#out + 1] = concat(parts, "\t")
end

local function finish(ok, ...)
  if ok then return ... end
  error((...), 0)
end

local function wrap(f)
  return function(...) return finish(f(...)) end
end

local function object(members, getters, setters)
  return setmetatable(members, {
    __index = function(_, key)
      local getter = getters[key]
      if getter then return getter() end
    end,
    __newindex = function(self, key, value)
      local setter = setters[key]
      if setter then return setter(value) end
      error("cannot assign to '" .. tostring(key) .. "'", 0)
    end,
    __metatable = false,
  })
end

local function run(source)
  if byte(source) == 27 then return -285, "", "binary chunk" end
  local chunk, problem = loadstring(source, "=TSP")
  if not chunk then return -285, "", problem end
  local ok, failure = pcall(chunk)
  local text = #out > 0 and concat(out, "\n") .. "\n" or ""
  out = {}
  if ok then return 0, text, "" end
  return -286, text, tostring(failure)
end

local function define(name, value) _G[name] = value end

return run, wrap, object, define
"""


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
        self._lua = lua51.LuaRuntime(
            encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_deny,
            max_memory=MEMORY,
        )
        self._run, self._wrap, self._object, self._define = self._lua.execute(_PRELUDE)
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
        for name, table in {"errorqueue": self._error_queue(), **tables}.items():
            self._install(name, table)
        self._define("reset", self._callable(reset))

    def handle(self, message: bytes) -> bytes:
        """Run a message and return what it printed."""
        source = message.decode("latin-1").strip("\r\n\0 ")
        if source.startswith("*"):
            return self._answer_common(source)
        number, text, problem = self._run(source)
        if number:
            self.status.raise_error(_told(int(number), problem))
        return str(text).encode("latin-1")

    def _answer_common(self, source: str) -> bytes:
        answer = self._common.get(source.upper())
        if answer is None:
            self.status.raise_error(ScpiError(SYNTAX_ERROR, f"found '{source[:40]}'"))
            return b""
        text = answer()
        return f"{text}\n".encode("latin-1") if text else b""

    def _install(self, name: str, table: TspTable) -> None:
        functions = {key: self._callable(value) for key, value in table.functions.items()}
        if not name:
            for key, function in functions.items():
                self._define(key, function)
            return
        getters = {key: self._callable(value) for key, value in table.getters.items()}
        setters = {key: self._callable(value) for key, value in table.setters.items()}
        members = self._lua.table_from({**functions, **table.constants})
        made = self._object(members, self._lua.table_from(getters), self._lua.table_from(setters))
        self._define(name, made)

    def _callable(self, function: Function) -> object:
        """Return a Lua function that calls a Python one; its refusals are Lua errors."""

        def guarded(*arguments: Any) -> tuple[Any, ...]:  # noqa: ANN401  (whatever Lua passes)
            try:
                result = function(*arguments)
            except (ScpiError, TypeError, ValueError) as error:
                return False, str(error)
            return (True, *result) if isinstance(result, tuple) else (True, result)

        wrapped: object = self._wrap(guarded)
        return wrapped

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


def _deny(owner: object, name: object, is_setting: bool) -> str:
    """Refuse every attribute of every Python object."""
    raise AttributeError("access denied")


def _told(number: int, problem: str) -> ScpiError:
    """Return the error that the queue shows of what Lua said; a function's own number first."""
    head, _, rest = problem.partition(", ")
    if number == RUNTIME_ERROR and head.lstrip("-").isdigit():
        return ScpiError(int(head), rest.partition(";")[2])
    return ScpiError(number, problem)
