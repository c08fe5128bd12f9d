"""What the virtual source-meters that speak SCPI share: an output on the matrix, and its words."""

from __future__ import annotations

import zlib

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.meter_noise import MeterNoise
from labctl_instruments.virtual.persona import GPIB_MESSAGE_TIME, ScpiPersona
from labctl_instruments.virtual.probed_chip import ProbedChip
from labctl_instruments.virtual.routing import Drive
from labctl_instruments.virtual.scpi import Boolean, Choice, CommandTable, Number
from labctl_instruments.virtual.source_meter import MeterModel, Settings, SourceMeter

UNITS = {"CURR": "A", "VOLT": "V", "RES": "OHM"}
NAMES = {"CURR": "CURRent", "VOLT": "VOLTage", "RES": "RESistance"}
MOST_OHMS = 210e6


class ScpiSourceMeterPersona(ScpiPersona):
    """A source-meter whose output hangs on a row of the switch matrix.

    Parameters
    ----------
    name : str
        Its name on the bench.
    chip : ProbedChip
        What its output meets.
    clock : Clock
        Bench time.
    noise : MeterNoise
        The noise of its readings.
    """

    message_time = GPIB_MESSAGE_TIME
    model: MeterModel
    """What this instrument can do."""
    number_format: str
    """How it writes numbers."""

    def __init__(self, name: str, chip: ProbedChip, clock: Clock, noise: MeterNoise) -> None:
        self.name = name
        self._clock = clock
        self.meter = SourceMeter(
            name, self.model, chip=chip, clock=clock, noise=noise, initial=self.initial
        )
        self._begin(CommandTable(number_format=self.number_format))

    @staticmethod
    def initial() -> Settings:
        """Return the settings after `*RST`."""
        raise NotImplementedError

    def _begin(self, table: CommandTable) -> None:
        """Register the instrument's words, and make its engine."""
        raise NotImplementedError

    @property
    def serial(self) -> int:
        """Its serial number, made of its name: no two on a bench have the same."""
        return 4_000_000 + zlib.crc32(self.name.encode()) % 1_000_000

    def drive(self) -> Drive | None:
        """Return what the output does to its node."""
        return self.meter.drive()

    @property
    def _set(self) -> Settings:
        return self.meter.settings

    def _add_function(self, table: CommandTable) -> None:
        """Register what is forced, and whether it is."""
        table.setting(
            ":SOURce[1]:FUNCtion[:MODE]",
            Choice(("VOLTage", "CURRent")),
            lambda: self._set.source,
            lambda word: self.meter.change(lambda s: setattr(s, "source", word)),
        )
        table.setting(":OUTPut[1][:STATe]", Boolean(), lambda: self._set.is_on, self._put_output)

    def _put_output(self, on: bool) -> None:
        self.meter.change(lambda settings: setattr(settings, "is_on", on))

    def _bound(self, name: str) -> Number:
        """Return the parameter of a level or a range of `name`."""
        highest = self.model.highest.get(name, MOST_OHMS)
        return Number(UNITS[name], -highest, highest, style=self.number_format)

    def _add_sense_range(self, table: CommandTable, head: str, name: str) -> None:
        """Register the range on which `name` is measured."""
        table.setting(
            f"{head}:RANGe[:UPPer]",
            self._bound(name),
            lambda: self.meter.sense_range(name),
            lambda value: self.meter.put_sense_range(name, value),
        )
