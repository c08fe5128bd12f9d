"""The tables of a TSP instrument's vocabulary, by which its Lua reaches what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from labctl_instruments.virtual.lua.host import Value

Function = Callable[..., Any]


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


def kept(**defaults: Value) -> TspTable:
    """Return a table of attributes that are kept, and do nothing more."""
    values = dict(defaults)
    return TspTable(
        getters={name: partial(values.__getitem__, name) for name in defaults},
        setters={name: partial(values.__setitem__, name) for name in defaults},
    )


def joined(first: TspTable, second: TspTable) -> TspTable:
    """Return a table with what two have; what both have is the second's."""
    return TspTable(
        functions=first.functions | second.functions,
        getters=first.getters | second.getters,
        setters=first.setters | second.setters,
        constants=first.constants | second.constants,
    )
