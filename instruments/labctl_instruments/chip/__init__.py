"""The simulated chip; it knows no instrument, no SCPI and no clock."""

from labctl_instruments.chip.chip import Chip
from labctl_instruments.chip.converters import ConverterSpread
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.lines import LineCurrents
from labctl_instruments.chip.population import ROOM_TEMPERATURE

__all__ = ["ROOM_TEMPERATURE", "Chip", "ChipError", "ConverterSpread", "LineCurrents"]
