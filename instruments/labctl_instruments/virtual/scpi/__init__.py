"""SCPI as an instrument hears it: one engine, with no instrument in it."""

from labctl_instruments.virtual.scpi.engine import CommandTable, ScpiEngine
from labctl_instruments.virtual.scpi.parameters import (
    Block,
    Boolean,
    Choice,
    Extreme,
    Integer,
    Number,
    Parameter,
    Text,
)
from labctl_instruments.virtual.scpi.status import ScpiError, Status

__all__ = [
    "Block",
    "Boolean",
    "Choice",
    "CommandTable",
    "Extreme",
    "Integer",
    "Number",
    "Parameter",
    "ScpiEngine",
    "ScpiError",
    "Status",
    "Text",
]
