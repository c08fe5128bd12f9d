"""Strangers' Lua: what it cannot reach, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labctl_instruments.virtual.lua.confined import ConfinedLua, LuaLimits
from labctl_instruments.virtual.lua.host import Vocabulary

TABLES = {
    "channel": Vocabulary(
        functions=["close", "get"], getters=["rule"], setters=["rule"], constants={"ON": 1.0}
    ),
    "": Vocabulary(functions=["delay"], getters=[], setters=[], constants={}),
}


@pytest.fixture(scope="module")
def lua() -> Iterator[ConfinedLua]:
    asked: list[tuple[object, ...]] = []

    def call(table: str, use: str, name: str, *arguments: object) -> tuple[object, ...]:
        asked.append((table, use, name, *arguments))
        if name == "get":
            return True, "1A01", float(len(asked))
        return True, None

    confined = ConfinedLua(TABLES, call, limits=LuaLimits(seconds=1.0))
    yield confined
    confined.close()


def printed(lua: ConfinedLua, expression: str) -> str:
    number, text, problem = lua.run(f"print({expression})")
    assert number == 0, problem
    return text.strip()


def test_a_program_reaches_the_instrument_and_keeps_its_names(lua):
    assert lua.run("function twice(x) return 2 * x end")[0] == 0
    assert printed(lua, "twice(21), channel.ON, (channel.get())").split("\t") == [
        "4.20000e+01",
        "1.00000e+00",
        "1A01",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "python",
        "os",
        "io",
        "debug",
        "package",
        "require",
        "module",
        "load",
        "loadfile",
        "loadstring",
        "dofile",
        "getfenv",
        "setfenv",
        "newproxy",
        "collectgarbage",
        "string.dump",
    ],
)
def test_what_leads_out_is_not_there(lua, name):
    assert printed(lua, f"tostring({name})") == "nil"


@pytest.mark.parametrize(
    "program",
    [
        'python.eval("1")',
        "channel.close.__class__.__subclasses__()",
        "channel.close(channel)",
        "channel.close(function() end)",
        "channel.nothing = 1",
        "\x1bLua",
        'string.rep("x", 1e9)',
        "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end",
        "print(('x'):rep(2e7))",
    ],
)
def test_an_escape_or_a_glutton_meets_an_error_and_the_lua_goes_on(lua, program):
    number, _, problem = lua.run(program)

    assert number < 0
    assert problem
    assert printed(lua, "1 + 1") == "2.00000e+00"


@pytest.mark.parametrize(
    "program",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "string.find(('a'):rep(30000), ('a?'):rep(30000) .. 'b')",
        "while true do channel.close('1A01') end",
        "coroutine.wrap(function() while true do end end)()",
    ],
)
def test_a_program_that_does_not_end_is_ended(lua, program):
    number, _, problem = lua.run(program)

    assert number == -286
    assert "more than 1 s" in problem
    assert printed(lua, "1 + 1") == "2.00000e+00"


def test_objects_of_python_show_no_attribute(lua):
    found = printed(lua, "tostring(pcall(function() return channel.close.__name__ end))")

    assert found == "false"


WALK = """
local seen, kinds, found = {}, {}, {}
local function walk(value, path)
  local kind = type(value)
  kinds[kind] = true
  if kind == "userdata" or kind == "thread" then found[#found + 1] = path end
  if (kind ~= "table" and kind ~= "function") or seen[value] then return end
  seen[value] = true
  for _, name in ipairs{"__class__", "__subclasses__", "__globals__", "__dict__", "func_globals"} do
    local ok, got = pcall(function() return value[name] end)
    if ok and got ~= nil then found[#found + 1] = path .. "." .. name end
  end
  local meta = getmetatable(value)
  if type(meta) == "table" then walk(meta, path .. "<meta>") end
  if kind == "table" then
    for key, each in next, value do
      walk(key, path .. "<key>")
      walk(each, path .. "." .. tostring(key))
    end
  end
end
walk(_G, "_G")
walk(getmetatable("").__index, "string")
print(#found, table.concat(found, " "))
"""


def test_from_no_value_that_lua_can_reach_does_a_walk_come_to_python(lua):
    number, text, problem = lua.run(WALK)

    assert number == 0, problem
    assert text.split("\t") == ["0.00000e+00", "\n"]


@pytest.mark.parametrize(
    "program",
    [
        "print(pcall(string.rep, 'x', 1e9))",
        "print(pcall(function() local t = {} while true do t[#t + 1] = ('x'):rep(1e6) end end))",
        "local function f() return 1 + f() end print(pcall(f))",
        "local function f() return pcall(f) end print(f())",
        "local function f() return coroutine.wrap(f)() end print(pcall(f))",
        "print(pcall(unpack, {}, 1, 1e8))",
        "print(pcall(string.format, '%s' , string.rep('%s', 1e6)))",
        "print(pcall(string.gsub, ('a'):rep(1000), '.', function() error('no') end))",
        "print(pcall(string.find, 'x', '[' ))",
    ],
)
def test_a_limit_that_pcall_catches_still_holds_and_the_lua_goes_on(lua, program):
    lua.run(program)

    assert printed(lua, "1 + 1") == "2.00000e+00"


@pytest.mark.parametrize(
    "program",
    [
        "x = " + "(" * 10_000 + "1" + ")" * 10_000,
        "local a" + ", a" * 300 + " = 1",
        "x = [[" + "=" * 100_000,
        "\x1bLuaQ\x00\x01\x04\x08\x04\x08\x00",
        "goto nowhere",
        "return " * 50,
    ],
)
def test_a_program_that_cannot_be_read_is_a_syntax_error(lua, program):
    assert lua.run(program)[0] == -285
    assert printed(lua, "1 + 1") == "2.00000e+00"


@pytest.mark.parametrize("loader", ["script.new", "script.user.scripts.x or script.new"])
def test_a_script_is_text_and_never_bytecode(lua, loader):
    number, _, problem = lua.run(f'({loader})("\\27LuaQ", "x")')

    assert number < 0
    assert "binary chunk" in problem
