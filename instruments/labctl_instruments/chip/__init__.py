"""The simulated chip; it knows no instrument, no SCPI and no clock."""

from labctl_instruments.chip.chip import ROOM_TEMPERATURE, Chip
from labctl_instruments.chip.converters import ConverterSpread
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.lines import LineCurrents

__all__ = ["ROOM_TEMPERATURE", "Chip", "ChipError", "ConverterSpread", "LineCurrents"]
