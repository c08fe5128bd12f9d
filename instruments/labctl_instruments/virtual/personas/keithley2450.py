"""Keithley 2450 SourceMeter, in its own SCPI command set, with the 2400 words PyMeasure sends.

Readings have the resolution of their range and a noise that falls with the root of the integration
time [chosen: 1e-6 of range at 1 PLC, at least 50 fA and 100 nV]; a reading takes its integration
time, its averages and the source delay.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.meter_noise import MeterNoise
from labctl_instruments.virtual.persona import GPIB_MESSAGE_TIME, ScpiPersona
from labctl_instruments.virtual.probed_chip import ProbedChip
from labctl_instruments.virtual.routing import Drive
from labctl_instruments.virtual.scpi import (
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiEngine,
    ScpiError,
    Text,
)

LINE_FREQUENCY = 50.0
OVERFLOW = 9.9e37
RESOLUTION = 1e-6
"""Of a reading, relative to its range: 6 1/2 digits."""
SOURCE_STEPS = 40_000
"""Steps of the source, within its range: 50 uV of 2 V."""
NOISE = 1e-6
"""Standard deviation of a reading at 1 PLC, relative to its range."""
LEAST_NOISE = {"CURR": 50e-15, "VOLT": 100e-9}
OVERRANGE = 1.05
RANGES = {
    "CURR": (10e-9, 100e-9, 1e-6, 10e-6, 100e-6, 1e-3, 10e-3, 100e-3, 1.0),
    "VOLT": (20e-3, 200e-3, 2.0, 20.0, 200.0),
}
HIGHEST = {"CURR": 1.05, "VOLT": 210.0}
AUTO_DELAY = 1e-3
"""Source delay where it is automatic [chosen], in s."""
OFF_LIMIT = 1e-3
"""Current that an output delivers at 0 V while it is off in the state NORMAL [chosen], in A."""
_UNITS = {"CURR": "A", "VOLT": "V", "RES": "OHM"}
_NAMES = {"CURR": "CURRent", "VOLT": "VOLTage", "RES": "RESistance"}


@dataclass
class SourceSettings:
    """One of the two things the instrument can force."""

    level: float = 0.0
    """Level, in V or A."""
    range: float = 0.0
    """Range chosen by hand; 0 where none was."""
    is_auto: bool = True
    """Whether the range follows the level."""
    limit: float = 0.0
    """Largest value of the other quantity."""
    delay: float = 0.0
    """Delay between forcing and measuring, in s."""
    is_auto_delay: bool = True
    """Whether the delay is the instrument's own."""
    off_state: str = "NORM"
    """What the output does while it is off."""


@dataclass
class SenseSettings:
    """One of the things the instrument can measure."""

    nplc: float = 1.0
    """Integration, in power-line cycles."""
    range: float = 0.0
    """Range chosen by hand; 0 where none was."""
    is_auto: bool = True
    """Whether the range follows the reading."""
    average_count: int = 10
    """Readings that the filter averages."""
    is_averaged: bool = False
    """Whether the filter is on."""


@dataclass
class Settings:
    """All that `*RST` puts back."""

    source: str = "VOLT"
    """What is forced."""
    sense: str = "CURR"
    """What is measured."""
    is_on: bool = False
    """Whether the output is on."""
    sources: dict[str, SourceSettings] = field(
        default_factory=lambda: {
            "VOLT": SourceSettings(limit=1.05e-4),
            "CURR": SourceSettings(limit=2.1),
        }
    )
    """By what is forced."""
    senses: dict[str, SenseSettings] = field(
        default_factory=lambda: {name: SenseSettings() for name in _NAMES}
    )
    """By what is measured."""


@dataclass(frozen=True)
class Reading:
    """One measurement."""

    voltage: float
    """In V."""
    current: float
    """In A."""
    limited: bool
    """Whether the source was at its limit."""
    time: float
    """Bench time, in s."""


class Keithley2450Persona(ScpiPersona):
    """A 2450 whose output hangs on a row of the switch matrix.

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

    def __init__(self, name: str, chip: ProbedChip, clock: Clock, noise: MeterNoise) -> None:
        self.name = name
        self._chip = chip
        self._clock = clock
        self._noise = noise
        self._set = Settings()
        self._drive = self._drive_of(self._set)
        self._last = Reading(0.0, 0.0, limited=False, time=0.0)
        self._buffer: list[Reading] = []
        table = CommandTable(number_format="%.6E")
        self._add_source(table)
        self._add_sense(table)
        self._add_reading(table)
        self._add_system(table)
        self.engine = ScpiEngine(
            table,
            identity="KEITHLEY INSTRUMENTS,MODEL 2450,04000001,1.7.12b",
            reset=self._reset,
        )

    def drive(self) -> Drive | None:
        """Return what the output does to its node."""
        return self._drive

    def _drive_of(self, settings: Settings) -> Drive | None:
        source = settings.sources[settings.source]
        if not settings.is_on:
            if source.off_state == "HIMP":
                return None
            return Drive(0.0, OFF_LIMIT, is_weak=True)
        if settings.source == "VOLT":
            return Drive(_quantised(source.level, source, "VOLT"), source.limit)
        level = _quantised(source.level, source, "CURR")
        return Drive(math.copysign(source.limit, level), abs(level))

    def _add_source(self, table: CommandTable) -> None:
        table.setting(
            ":SOURce[1]:FUNCtion[:MODE]",
            Choice(("VOLTage", "CURRent")),
            lambda: self._set.source,
            lambda word: self._change(lambda s: setattr(s, "source", word)),
        )
        for name, other in (("VOLT", "CURR"), ("CURR", "VOLT")):
            head = f":SOURce[1]:{_NAMES[name]}"
            self._source_value(table, f"{head}[:LEVel][:IMMediate][:AMPLitude]", name, "level")
            self._source_value(table, f"{head}:RANGe", name, "range")
            limit = "ILIMit" if name == "VOLT" else "VLIMit"
            least = 1e-9 if name == "VOLT" else 0.02
            bound = Number(_UNITS[other], least, HIGHEST[other], style="%.6E")
            self._put(table, f"{head}:{limit}[:LEVel]", bound, name, "limit")
            table.query(f"{head}:{limit}[:LEVel]:TRIPped", self._is_limited)
            self._put(table, f"{head}:RANGe:AUTO", Boolean(), name, "is_auto")
            delay = Number("S", 0.0, 10_000.0, style="%.6E")
            self._put(table, f"{head}:DELay", delay, name, "delay")
            self._put(table, f"{head}:DELay:AUTO", Boolean(), name, "is_auto_delay")
            off = Choice(("NORMal", "HIMPedance", "ZERO", "GUARd"))
            self._put(table, f":OUTPut[1]:{_NAMES[name]}:SMODe", off, name, "off_state")
            table.stored(f"{head}:READ:BACK", Boolean(default=True))
            table.stored(f"{head}:HIGH:CAPacitance", Boolean())
            table.stored(f"{head}:PROTection[:LEVel]", Choice(("PROT2", "PROT5", "PROT10", "NONE")))

    def _source_value(self, table: CommandTable, header: str, name: str, key: str) -> None:
        bound = Number(_UNITS[name], -HIGHEST[name], HIGHEST[name], style="%.6E")

        def put(value: float) -> None:
            self._check_level(name, key, value)
            self._change(lambda s: _put_source(s.sources[name], key, value))

        table.setting(header, bound, lambda: self._shown_source(name, key), put)

    def _put(
        self,
        table: CommandTable,
        header: str,
        parameter: Number | Boolean | Choice,
        name: str,
        key: str,
    ) -> None:
        """Register one setting of a source."""

        def put(value: object) -> None:
            self._change(lambda s: setattr(s.sources[name], key, value))
            if key == "delay":
                self._set.sources[name].is_auto_delay = False

        table.setting(header, parameter, lambda: getattr(self._set.sources[name], key), put)

    def _add_sense(self, table: CommandTable) -> None:
        functions = Choice(
            ("VOLTage", "CURRent", "RESistance", "VOLTage:DC", "CURRent:DC"), is_quoted=True
        )
        table.setting(
            "[:SENSe[1]]:FUNCtion[:ON]",
            functions,
            lambda: f"{self._set.sense}:DC" if self._set.sense != "RES" else "RES",
            lambda word: setattr(self._set, "sense", word.partition(":")[0]),
        )
        for name in _NAMES:
            head = f"[:SENSe[1]]:{_NAMES[name]}"
            nplc = Number("", 0.01, 10.0, style="%.6E")
            self._sense(table, f"{head}:NPLCycles", nplc, name, "nplc")
            highest = HIGHEST.get(name, 210e6)
            table.setting(
                f"{head}:RANGe[:UPPer]",
                Number(_UNITS[name], -highest, highest, style="%.6E"),
                lambda name=name: self._shown_range(name),
                lambda value, name=name: self._put_range(name, value),
            )
            self._sense(table, f"{head}:RANGe:AUTO", Boolean(), name, "is_auto")
            self._sense(table, f"{head}:AVERage[:STATe]", Boolean(), name, "is_averaged")
            self._sense(table, f"{head}:AVERage:COUNt", Integer(1, 100), name, "average_count")
            table.stored(f"{head}:AVERage:TCONtrol", Choice(("REPeat", "MOVing"), default="REP"))
            table.stored(f"{head}:RSENse", Boolean())
            table.stored(f"{head}:AZERo[:STATe]", Boolean(default=True))
        table.stored("[:SENSe[1]]:COUNt", Integer(1, 300_000, 1))
        table.command("[:SENSe[1]]:AZERo:ONCE", lambda: self._clock.charge(3 / LINE_FREQUENCY))

    def _sense(
        self,
        table: CommandTable,
        header: str,
        parameter: Number | Boolean | Integer,
        name: str,
        key: str,
    ) -> None:
        table.setting(
            header,
            parameter,
            lambda: getattr(self._set.senses[name], key),
            lambda value: setattr(self._set.senses[name], key, value),
        )

    def _add_reading(self, table: CommandTable) -> None:
        buffer = Text(is_optional=True, is_bare_allowed=True)
        element = Choice(("READing", "SOURce", "RELative", "UNIT", "STATus"), is_optional=True)
        table.query(":READ", self._answer_reading, buffer, *[element] * 5)
        table.query(":FETCh", self._answer_last, buffer, *[element] * 5)
        table.query(":MEASure[:CURRent]", lambda *_: self._measure_function("CURR"), buffer)
        table.query(":MEASure:VOLTage", lambda *_: self._measure_function("VOLT"), buffer)
        table.query(":MEASure:RESistance", lambda *_: self._measure_function("RES"), buffer)
        table.command(":INITiate[:IMMediate]", self._take_reading)
        table.command(":ABORt", lambda: None)
        table.command("*TRG", self._take_reading)
        table.setting(
            ":OUTPut[1][:STATe]",
            Boolean(),
            lambda: self._set.is_on,
            lambda on: self._change(lambda s: setattr(s, "is_on", on)),
        )

    def _add_system(self, table: CommandTable) -> None:
        table.query(":SYSTem:LFRequency", lambda: LINE_FREQUENCY)
        table.command(":SYSTem:CLEar", lambda: self.engine.status.clear())
        table.ignored(":SYSTem:LOCal", ":SYSTem:REMote")
        table.command(":SYSTem:BEEPer[:IMMediate]", lambda *_: None, Number("HZ"), Number("S"))
        table.query("*LANG", lambda: "SCPI")
        table.stored(":ROUTe:TERMinals", Choice(("FRONt", "REAR"), default="FRON"))
        table.stored(":FORMat[:DATA]", Choice(("ASCii", "REAL", "SREal"), default="ASC"))
        table.stored(":FORMat:ASCii:PRECision", Integer(0, 16))
        table.stored(":TRACe:POINts", Integer(1, 6_875_000, 100_000))
        table.command(":TRACe:CLEar", lambda *_: self._buffer.clear(), Text(is_optional=True))
        table.query(":TRACe:ACTual", lambda *_: len(self._buffer), Text(is_optional=True))
        table.query(":TRACe:DATA", lambda *_: [self._value(r) for r in self._buffer])
        table.ignored(":TRACe:FEED", ":TRACe:FEED:CONTrol", ":STATus:MEASurement:ENABle")

    def _change(self, change: Callable[[Settings], None]) -> None:
        """Change what the output does: what stood until now acts on the chip first."""
        self._chip.before_change()
        change(self._set)
        self._drive = self._drive_of(self._set)
        self._chip.after_change()

    def _reset(self) -> None:
        self._chip.before_change()
        self._set = Settings()
        self._drive = self._drive_of(self._set)
        self._chip.after_change()
        self._buffer.clear()

    def _check_level(self, name: str, key: str, value: float) -> None:
        source = self._set.sources[name]
        if key == "level" and not source.is_auto and abs(value) > OVERRANGE * source.range:
            raise ScpiError(-222, f"{value:g} is beyond the range {source.range:g}")

    def _shown_source(self, name: str, key: str) -> float:
        source = self._set.sources[name]
        if key == "level":
            return source.level
        return _source_range(source, name)

    def _put_range(self, name: str, value: float) -> None:
        sense = self._set.senses[name]
        sense.range, sense.is_auto = _range_for(abs(value), name), False

    def _shown_range(self, name: str) -> float:
        sense = self._set.senses[name]
        if sense.is_auto:
            return _range_for(abs(self._value_of(self._last, name)), name)
        return sense.range

    def _take_reading(self) -> Reading:
        """Wait, integrate, and return what the meter says."""
        settings = self._set
        source = settings.sources[settings.source]
        sense = settings.senses[settings.sense]
        averages = sense.average_count if sense.is_averaged else 1
        delay = AUTO_DELAY if source.is_auto_delay else source.delay
        self._clock.charge(delay + averages * sense.nplc / LINE_FREQUENCY)
        voltage, current, limited = self._chip.measure(self, averages)
        reading = Reading(
            self._shown(voltage, "VOLT", averages),
            self._shown(current, "CURR", averages),
            limited,
            self._clock.now(),
        )
        self._last = reading
        self._buffer.append(reading)
        return reading

    def _shown(self, value: float, name: str, averages: int) -> float:
        """Return what the meter makes of a value: range, noise, resolution."""
        sense = self._set.senses[name]
        span = _range_for(abs(value), name) if sense.is_auto else sense.range
        noise = max(NOISE * span, LEAST_NOISE[name]) / math.sqrt(sense.nplc * averages)
        if abs(value) > OVERRANGE * span:
            return math.copysign(OVERFLOW, value)
        step = RESOLUTION * span
        return round((value + noise * self._noise.draw()) / step) * step

    def _value_of(self, reading: Reading, name: str) -> float:
        if name == "RES":
            return reading.voltage / reading.current if reading.current else OVERFLOW
        return reading.voltage if name == "VOLT" else reading.current

    def _value(self, reading: Reading) -> float:
        return self._value_of(reading, self._set.sense)

    def _answer_reading(self, *arguments: str) -> list[float | str]:
        return self._answer(self._take_reading(), arguments[1:])

    def _answer_last(self, *arguments: str) -> list[float | str]:
        return self._answer(self._last, arguments[1:])

    def _answer(self, reading: Reading, elements: tuple[str, ...]) -> list[float | str]:
        source = self._set.sources[self._set.source].level
        values: dict[str, float | str] = {
            "READ": self._value(reading),
            "SOUR": source,
            "REL": reading.time,
            "UNIT": _UNITS[self._set.sense],
            "STAT": "4096" if reading.limited else "0",
        }
        return [values[element] for element in elements or ("READ",)]

    def _measure_function(self, name: str) -> float:
        self._set.sense = name
        return self._value(self._take_reading())

    def _is_limited(self) -> bool:
        return self._set.is_on and self._chip.measure(self, 0)[2]


def _put_source(source: SourceSettings, key: str, value: float) -> None:
    if key == "level":
        source.level = value
    else:
        source.range, source.is_auto = value, False


def _range_for(value: float, name: str) -> float:
    """Return the lowest range that holds a value."""
    if name not in RANGES:
        return 10.0 ** math.ceil(math.log10(max(value, 1.0)))
    for span in RANGES[name]:
        if value <= OVERRANGE * span:
            return span
    return RANGES[name][-1]


def _source_range(source: SourceSettings, name: str) -> float:
    return _range_for(abs(source.level) if source.is_auto else abs(source.range), name)


def _quantised(level: float, source: SourceSettings, name: str) -> float:
    step = _source_range(source, name) / SOURCE_STEPS
    return round(level / step) * step
