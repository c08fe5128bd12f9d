"""One Lua with an instrument's vocabulary, and nothing else of Python in it.

It sees functions and tables only: no Python object, no os, io, debug, package, no loading of code,
no binary chunks; its memory is bounded, its time is not (see `confined`). This module imports
nothing of labctl: it is what runs in the child process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypedDict

from lupa import lua51

Value = str | float | bool | None
Result = tuple[int, str, str]
"""Of a message: 0 or an error number, what it printed, what was wrong."""

MEMORY = 64 * 2**20
"""Most bytes that the Lua of one instrument may hold."""
RUNTIME_ERROR = -286
_PLAIN = (str, int, float, type(None))


class Vocabulary(TypedDict):
    """The names in one table of an instrument, such as `channel`."""

    functions: list[str]
    getters: list[str]
    setters: list[str]
    constants: dict[str, Value]


class Call(Protocol):
    """How Lua reaches the instrument."""

    def __call__(self, table: str, use: str, name: str, *arguments: Value) -> tuple[Any, ...]:
        """Use a name of the vocabulary; return True and the results, or False and a reason.

        `use` is `functions`, `getters` or `setters`.
        """
        ...


class Lua(Protocol):
    """Whatever runs messages as Lua chunks."""

    def run(self, source: str) -> Result:
        """Run a message."""
        ...

    def close(self) -> None:
        """End it; no message follows."""


_PRELUDE = r"""
local loadstring, pcall, tostring, type, select = loadstring, pcall, tostring, type, select
local format, concat, byte = string.format, table.concat, string.byte
local setmetatable, error, rawset = setmetatable, error, rawset
local find = string.find
local out, number_format = {}, "%.5e"
local printed, most_printed = 0, 2^23

collectgarbage("setpause", 120)
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
  local line = concat(parts, "\t")
  printed = printed + #line
  if printed > most_printed then error("more than 8 MiB are printed", 0) end
  out[#out + 1] = line
end

local function compile(source, name)
  if byte(source) == 27 then return nil, "binary chunk" end
  return loadstring(source, "=" .. name)
end

local scripts = {}
script = {user = {scripts = scripts}}

function script.new(source, name)
  name = name or "anonymous"
  if not find(name, "^[%a_][%w_]*$") then error("'" .. tostring(name) .. "' is no name", 0) end
  local chunk, problem = compile(source, name)
  if not chunk then error(problem, 0) end
  local made = setmetatable({
    name = name, source = source, autorun = "no", run = chunk,
    save = function() end, list = function() print(source) end,
  }, {__call = function(_, ...) return chunk(...) end, __metatable = false})
  if name == "anonymous" then
    script.anonymous = made
  else
    scripts[name], _G[name] = made, made
  end
  return made
end

function script.delete(name)
  scripts[name], _G[name] = nil, nil
end

function script.run() return script.anonymous.run() end

local function finish(ok, ...)
  if ok then return ... end
  error((...), 0)
end

local function wrap(f)
  return function(...) return finish(f(...)) end
end

-- As on the instruments, programs may see the attributes by name: getmetatable(smua).Getters.
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
    __metatable = {Getters = getters, Setters = setters},
  })
end

-- A bench says the same few messages again and again: compiling them takes longer than running.
local chunks, kept, most_kept, longest_kept = {}, 0, 256, 512

local function chunk_of(source)
  local chunk = chunks[source]
  if chunk then return chunk end
  local problem
  chunk, problem = compile(source, "TSP")
  if chunk and #source <= longest_kept then
    if kept >= most_kept then chunks, kept = {}, 0 end
    chunks[source], kept = chunk, kept + 1
  end
  return chunk, problem
end

local function run(source)
  local chunk, problem = chunk_of(source)
  if not chunk then return -285, "", problem end
  local ok, failure = pcall(chunk)
  local lines = out
  out, printed = {}, 0
  local text = #lines > 0 and concat(lines, "\n") .. "\n" or ""
  if ok then return 0, text, "" end
  return -286, text, tostring(failure)
end

local function define(owner, name, value) rawset(owner or _G, name, value) end

local function install(firmware)
  local chunk, problem = compile(firmware, "firmware")
  if not chunk then error(problem, 0) end
  chunk(function(style) number_format = style end, object)
end

return run, wrap, object, define, install
"""


class LuaHost:
    """A Lua in this process.

    Parameters
    ----------
    tables : mapping of str to Vocabulary
        The instrument's tables by name, an owner (`smua`) before what it owns (`smua.source`);
        under the empty name, global functions.
    call : Call
        How Lua reaches the instrument.
    firmware : str
        Lua that runs once, when the tables stand, and asks nothing of the instrument. It is given
        a function that sets the format of printed numbers, and one that makes an object of members,
        getters and setters.
    """

    def __init__(self, tables: Mapping[str, Vocabulary], call: Call, firmware: str = "") -> None:
        self._call = call
        self._lua = lua51.LuaRuntime(
            encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_deny,
            max_memory=MEMORY,
        )
        self._run, self._wrap, self._object, self._define, install = self._lua.execute(_PRELUDE)
        self._objects: dict[str, object] = {"": None}
        for name, vocabulary in tables.items():
            self._install(name, vocabulary)
        install(firmware)

    def run(self, source: str) -> Result:
        """Run a message."""
        result = self._attempt(source)
        if result[0]:
            self._lua.gccollect()  # Lua 5.1 does not look for garbage where memory ends
        return result

    def close(self) -> None:
        """Nothing is to be ended in this process."""

    def _attempt(self, source: str) -> Result:
        try:
            number, text, problem = self._run(source)
        except (lua51.LuaError, MemoryError) as error:
            return RUNTIME_ERROR, "", str(error) or "not enough memory"
        return int(number), str(text), str(problem)

    def _install(self, name: str, vocabulary: Vocabulary) -> None:
        def used(use: str, names: list[str]) -> dict[str, object]:
            return {key: self._callable(name, use, key) for key in names}

        functions = used("functions", vocabulary["functions"])
        if not name:
            for key, function in functions.items():
                self._define(None, key, function)
            return
        members = self._lua.table_from({**functions, **vocabulary["constants"]})
        getters = self._lua.table_from(used("getters", vocabulary["getters"]))
        setters = self._lua.table_from(used("setters", vocabulary["setters"]))
        self._objects[name] = self._object(members, getters, setters)
        owner, _, own = name.rpartition(".")
        place = int(own) if own.isdigit() else own  # slot[1]
        self._define(self._objects[owner], place, self._objects[name])

    def _callable(self, table: str, use: str, name: str) -> object:
        """Return a Lua function that calls into the instrument; its refusals are Lua errors."""

        def called(*arguments: Any) -> tuple[Any, ...]:  # noqa: ANN401  (whatever Lua passes)
            if any(not isinstance(value, _PLAIN) for value in arguments):
                place = f"{table}.{name}".lstrip(".")
                return False, f"-224, Illegal parameter value;{place} takes strings and numbers"
            return self._call(table, use, name, *arguments)

        wrapped: object = self._wrap(called)
        return wrapped


def _deny(owner: object, name: object, is_setting: bool) -> str:
    """Refuse every attribute of every Python object."""
    raise AttributeError("access denied")
