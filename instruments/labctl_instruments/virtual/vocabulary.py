"""What a virtual instrument answers, as a list: read off the tables that its dialogue is run by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labctl_instruments.virtual.persona import Persona, ScpiPersona
from labctl_instruments.virtual.scpi import (
    Block,
    Boolean,
    Choice,
    Integer,
    Number,
    Parameter,
    Text,
)
from labctl_instruments.virtual.tsp import TspPersona

_WALK = """
local own = {string = 1, table = 1, math = 1, coroutine = 1, _G = 1, _VERSION = 1, script = 1}
local lua = {assert = 1, error = 1, gcinfo = 1, getmetatable = 1, ipairs = 1, next = 1, pairs = 1,
  pcall = 1, print = 1, rawequal = 1, rawget = 1, rawset = 1, select = 1, setmetatable = 1,
  tonumber = 1, tostring = 1, type = 1, unpack = 1, xpcall = 1}
local seen = {}
local function name(path, key)
  if type(key) == "number" then return path .. "[" .. key .. "]" end
  return path == "" and key or path .. "." .. key
end
local function walk(value, path)
  if seen[value] then return end
  seen[value] = true
  local meta = getmetatable(value)
  if type(meta) == "table" then
    for key in next, meta.Getters or {} do
      if type(key) ~= "number" then
        local kind = meta.Setters and meta.Setters[key] and "setting" or "attribute"
        print(kind .. " " .. name(path, key))
      end
    end
  end
  local keys = {}
  for key in next, value do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    local each = value[key]
    if not (path == "" and (own[key] or lua[key])) then
      local kind = type(each)
      if kind == "function" then print("function " .. name(path, key))
      elseif kind == "table" then walk(each, name(path, key))
      else print("constant " .. name(path, key)) end
    end
  end
end
walk(_G, "")
"""


@dataclass(frozen=True)
class Command:
    """One command of an instrument that speaks SCPI."""

    header: str
    """As its manual writes it, short form in capitals."""
    is_command: bool
    """Whether it can be told."""
    is_query: bool
    """Whether it can be asked, with a question mark."""
    parameters: tuple[str, ...]
    """What it takes when it is told (or, where it is only asked, then)."""


def scpi_commands(persona: ScpiPersona) -> tuple[Command, ...]:
    """Return the commands of an instrument, in the order in which it registers them."""
    told: dict[str, dict[bool, tuple[str, ...]]] = {}
    for header, is_query, parameters in persona.engine.registered:
        shown = tuple(_shown(parameter) for parameter in parameters)
        told.setdefault(header.lstrip(":"), {})[is_query] = shown
    return tuple(
        Command(header, False in found, True in found, found.get(False, found.get(True, ())))
        for header, found in told.items()
    )


def tsp_names(persona: TspPersona) -> dict[str, tuple[str, ...]]:
    """Return the names that programs find on an instrument: functions, settings, and so on."""
    printed = persona.exchange(f"loadandrunscript{_WALK}endscript\n".encode()).decode()
    found: dict[str, list[str]] = {}
    for line in printed.splitlines():
        kind, _, name = line.partition(" ")
        found.setdefault(kind, []).append(name)
    return {kind: tuple(sorted(names)) for kind, names in sorted(found.items())}


def pages(personas: dict[str, Persona]) -> Iterator[str]:
    """Yield the lines of a page of Markdown that lists what instruments answer, by their titles."""
    for title, persona in personas.items():
        yield from ("", f"## {title}", "")
        if isinstance(persona, TspPersona):
            for kind, names in tsp_names(persona).items():
                yield f"* {kind}s: {' '.join(f'`{name}`' for name in _folded(names))}"
        elif isinstance(persona, ScpiPersona):
            yield from ("| header | told | asked | takes |", "|---|---|---|---|")
            for each in scpi_commands(persona):
                takes = ", ".join(each.parameters).replace("|", "\\|")
                marks = " | ".join("yes" if can else "" for can in (each.is_command, each.is_query))
                yield f"| `{each.header}` | {marks} | {takes} |"


def _folded(names: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what a second channel, buffer or numbered table has as the first has it."""
    again = ("smub", "nvbuffer2", "[2]", "[3]", "[4]", "[5]", "[6]", "[7]", "[8]")
    return tuple(name for name in names if not any(part in name for part in again))


def _shown(parameter: Parameter) -> str:
    """Return what a parameter may be, in words."""
    match parameter:
        case Choice(words=words):
            told = "|".join(words)
        case Boolean():
            told = "ON|OFF"
        case Number(unit=unit, minimum=low, maximum=high) if abs(low) < 1e30 or abs(high) < 1e30:
            told = f"{low:g} to {high:g} {unit}".rstrip()
        case Number(unit=unit):
            told = f"number {unit}".rstrip()
        case Integer(minimum=low, maximum=high):
            told = f"integer, {low} to {high}"
        case Text():
            told = "text"
        case Block():
            told = "block"
        case _:
            told = "anything"
    return f"[{told}]" if parameter.is_optional else told
