"""How a Keithley 2450 reads: its buffers, its sweeps, its loaded trigger model."""

from __future__ import annotations

import datetime
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from labctl_instruments.virtual.scpi import (
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiError,
    Text,
)
from labctl_instruments.virtual.source_meter import Reading, Settings, SourceMeter

DEFAULT_BUFFERS = ("defbuffer1", "defbuffer2")
DEFAULT_CAPACITY = 100_000
MOST_BUFFERS = 16
MOST_READINGS = 100_000
"""Most readings of one sweep, and of one request, here [chosen]; the instrument has more."""
_EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""Date at bench time 0 [chosen]."""
_ELEMENTS = (
    "DATE",
    "FORMatted",
    "FRACtional",
    "READing",
    "RELative",
    "SEConds",
    "SOURce",
    "SOURFORMatted",
    "SOURSTATus",
    "SOURUNIT",
    "STATus",
    "TIME",
    "TSTamp",
    "UNIT",
)
_UNITS = {"CURR": "A", "VOLT": "V", "RES": "OHM"}
_STYLES = ("STANdard", "COMPact", "FULL", "WRITable", "FULLWRITable")
_LIMITED = 4096


@dataclass(frozen=True)
class Entry:
    """One reading in a buffer, and what was forced and measured."""

    reading: Reading
    sense: str
    source: str
    level: float

    @property
    def value(self) -> float:
        """What the meter showed."""
        return self.reading.value(self.sense)

    def element(self, name: str) -> float | str:
        """Return one of the elements that a client can ask for, by its short form."""
        when = _EPOCH + datetime.timedelta(seconds=self.reading.time)
        status = str(_LIMITED if self.reading.limited else 0)
        answers: dict[str, Callable[[], float | str]] = {
            "READ": lambda: self.value,
            "SOUR": lambda: self.level,
            "REL": lambda: self.reading.time,
            "UNIT": lambda: _UNITS[self.sense],
            "SOURUNIT": lambda: _UNITS[self.source],
            "STAT": lambda: status,
            "SOURSTAT": lambda: status,
            "FORM": lambda: f"{self.value:+.6E} {_UNITS[self.sense]}",
            "SOURFORM": lambda: f"{self.level:+.6E} {_UNITS[self.source]}",
            "DATE": lambda: when.strftime("%m/%d/%Y"),
            "TIME": lambda: when.strftime("%H:%M:%S"),
            "TST": lambda: when.strftime("%m/%d/%Y %H:%M:%S.%f"),
            "SEC": lambda: str(int(when.timestamp())),
            "FRAC": lambda: when.microsecond * 1e-6,
        }
        return answers[name]()


@dataclass
class Sweep:
    """A loaded trigger model: levels that are forced and read in turn."""

    source: str
    levels: Sequence[float]
    delay: float
    count: int
    stops_at_limit: bool
    buffer: str


@dataclass
class _Loop:
    """A loaded trigger model: readings, one after the other."""

    count: int
    delay: float
    buffer: str


@dataclass
class _Loaded:
    """What `*RST` clears."""

    model: Sweep | _Loop | None = None
    count: int = 1
    lists: dict[str, tuple[float, ...]] = field(default_factory=lambda: {"VOLT": (), "CURR": ()})


class BufferedReadings:
    """Buffers, sweeps and readings of a 2450.

    Parameters
    ----------
    meter : SourceMeter
        What forces and measures.
    table : CommandTable
        Where its commands go.
    """

    def __init__(self, meter: SourceMeter, table: CommandTable) -> None:
        self._meter = meter
        self._loaded = _Loaded()
        self._buffers = {name: deque[Entry](maxlen=DEFAULT_CAPACITY) for name in DEFAULT_BUFFERS}
        self._add_readings(table)
        self._add_buffers(table)
        self._add_triggers(table)
        for name, word in (("VOLT", "VOLTage"), ("CURR", "CURRent")):
            self._add_sweeps(table, name, word)

    def reset(self) -> None:
        """Do as `*RST` says: default buffers empty, no other, nothing loaded."""
        self._loaded = _Loaded()
        self._buffers = {name: deque[Entry](maxlen=DEFAULT_CAPACITY) for name in DEFAULT_BUFFERS}

    def _add_readings(self, table: CommandTable) -> None:
        buffer = Text(is_optional=True, is_bare_allowed=True)
        elements = [Choice(_ELEMENTS, is_optional=True)] * len(_ELEMENTS)
        table.query(":READ", self._answer_reading, buffer, *elements)
        table.query(":FETCh", self._answer_last, buffer, *elements)
        table.query(":MEASure", self._answer_reading, buffer, *elements)
        for name, word in (("CURR", "CURRent"), ("VOLT", "VOLTage"), ("RES", "RESistance")):
            table.query(
                f":MEASure:{word}[:DC]",
                lambda *arguments, name=name: self._answer_function(name, arguments),
                buffer,
                *elements,
            )
        table.command("*TRG", lambda: self._read("defbuffer1"))
        table.setting(
            "[:SENSe[1]]:COUNt",
            Integer(1, 300_000, 1),
            lambda: self._loaded.count,
            lambda count: setattr(self._loaded, "count", count),
        )

    def _add_buffers(self, table: CommandTable) -> None:
        name = Text(is_optional=True, is_bare_allowed=True)
        named = Text(is_bare_allowed=True)
        style = Choice(_STYLES, is_optional=True)
        table.command(":TRACe:MAKE", self._make, named, Integer(10, 6_875_000), style)
        table.command(":TRACe:DELete", self._delete, named)
        table.command(":TRACe:POINts", self._resize, Integer(10, 6_875_000), name)
        table.query(":TRACe:POINts", lambda *args: self._buffer(*args).maxlen or 0, name)
        table.command(":TRACe:CLEar", lambda *args: self._buffer(*args).clear(), name)
        table.query(":TRACe:ACTual", lambda *args: len(self._buffer(*args)), name)
        table.query(":TRACe:ACTual:STARt", lambda *args: min(len(self._buffer(*args)), 1), name)
        table.query(":TRACe:ACTual:END", lambda *args: len(self._buffer(*args)), name)
        table.command(
            ":TRACe:TRIGger", lambda *args: self._read(*args or DEFAULT_BUFFERS[:1]), name
        )
        index = Integer(1, 6_875_000, is_optional=True)
        elements = [Choice(_ELEMENTS, is_optional=True)] * len(_ELEMENTS)
        table.query(":TRACe:DATA", self._tell_data, index, index, name, *elements)
        table.stored(":TRACe:FILL:MODE", Choice(("CONTinuous", "ONCE"), default="CONT"))
        for word, statistic in _STATISTICS.items():
            table.query(
                f":TRACe:STATistics:{word}",
                lambda *args, statistic=statistic: self._tell_statistic(statistic, args),
                name,
            )
        table.command(":TRACe:STATistics:CLEar", lambda *_: None, name)
        table.ignored(":TRACe:FEED", ":TRACe:FEED:CONTrol", ":STATus:MEASurement:ENABle")

    def _add_triggers(self, table: CommandTable) -> None:
        buffer = Text(is_optional=True, is_bare_allowed=True)
        table.command(":INITiate[:IMMediate]", self._initiate)
        table.command(":ABORt", lambda: None)
        table.query(":TRIGger:STATe", lambda: "IDLE;IDLE;0")
        words = Text(is_bare_allowed=True)
        count = Integer(1, MOST_READINGS, is_optional=True)
        delay = Number("S", 0.0, 10_000.0, is_optional=True)
        table.command(":TRIGger:LOAD", self._load, words, count, delay, buffer)

    def _add_sweeps(self, table: CommandTable, name: str, word: str) -> None:
        level = Number(
            _UNITS[name], -self._meter.model.highest[name], self._meter.model.highest[name]
        )
        points = Integer(2, MOST_READINGS)
        step = Number(_UNITS[name])
        rest = (
            Number("S", -1.0, 10_000.0, is_optional=True),
            Integer(0, MOST_READINGS, is_optional=True),
            Choice(("AUTO", "BEST", "FIXed"), is_optional=True),
            Boolean(is_optional=True),
            Boolean(is_optional=True),
            Text(is_optional=True, is_bare_allowed=True),
        )
        head = f":SOURce[1]:SWEep:{word}"
        table.command(
            f"{head}:LINear",
            lambda start, stop, n, *how: self._load_sweep(name, np.linspace(start, stop, n), how),
            *(level, level, points),
            *rest,
        )
        table.command(
            f"{head}:LINear:STEP",
            lambda start, stop, by, *how: self._load_sweep(name, _stepped(start, stop, by), how),
            *(level, level, step),
            *rest,
        )
        table.command(
            f"{head}:LOGarithmic",
            lambda start, stop, n, *how: self._load_sweep(name, _curved(start, stop, n), how),
            *(level, level, points),
            *rest,
        )
        table.command(f"{head}:LIST", lambda *how: self._load_list(name, how), *_LIST)
        several = Number(_UNITS[name], level.minimum, level.maximum, is_optional=True)
        header = f":SOURce[1]:LIST:{word}"
        table.command(header, lambda *levels: self._put_list(name, levels), level, *[several] * 99)
        table.query(header, lambda: list(self._loaded.lists[name]))
        table.query(f"{header}:POINts", lambda: len(self._loaded.lists[name]))
        table.command(
            f"{header}:APPend",
            lambda *levels: self._put_list(name, self._loaded.lists[name] + levels),
            level,
            *[several] * 99,
        )

    def _buffer(self, name: str = "defbuffer1") -> deque[Entry]:
        try:
            return self._buffers[name]
        except KeyError:
            raise ScpiError(-224, f"there is no buffer '{name[:20]}'") from None

    def _make(self, name: str, size: int, *_: str) -> None:
        if name in self._buffers or len(self._buffers) >= MOST_BUFFERS:
            raise ScpiError(-221, f"buffer '{name[:20]}' cannot be made")
        self._buffers[name] = deque(maxlen=size)

    def _delete(self, name: str) -> None:
        self._buffer(name)
        if name in DEFAULT_BUFFERS:
            raise ScpiError(-221, f"'{name}' cannot be deleted")
        del self._buffers[name]

    def _resize(self, size: int, name: str = "defbuffer1") -> None:
        self._buffer(name)
        self._buffers[name] = deque(maxlen=size)

    def _put_list(self, name: str, levels: tuple[float, ...]) -> None:
        if len(levels) > MOST_READINGS:
            raise ScpiError(-223, f"{len(levels)} levels, at most {MOST_READINGS}")
        self._loaded.lists[name] = levels

    def _take(self, extra_delay: float = 0.0) -> Entry:
        reading = self._meter.take_reading(extra_delay)
        settings = self._meter.settings
        return Entry(reading, settings.sense, settings.source, self._meter.source.level)

    def _read(self, name: str) -> Entry:
        """Take as many readings as `:SENSe:COUNt` says into a buffer; return the last."""
        buffer = self._buffer(name)
        for _ in range(self._loaded.count):
            buffer.append(self._take())
        return buffer[-1]

    def _answer_reading(self, *arguments: str) -> list[float | str]:
        name, *elements = arguments or ("defbuffer1",)
        entry = self._read(name)
        return [entry.element(element) for element in elements or ("READ",)]

    def _answer_last(self, *arguments: str) -> list[float | str]:
        name, *elements = arguments or ("defbuffer1",)
        buffer = self._buffer(name)
        if not buffer:
            raise ScpiError(-230, f"buffer '{name}' is empty")
        return [buffer[-1].element(element) for element in elements or ("READ",)]

    def _answer_function(self, name: str, arguments: tuple[str, ...]) -> list[float | str]:
        self._meter.settings.sense = name
        return self._answer_reading(*arguments)

    def _tell_data(self, *arguments: int | str) -> list[float | str]:
        """Answer a part of a buffer; all of the first one where PyMeasure names no part."""
        numbers = [part for part in arguments if isinstance(part, int)]
        name, *elements = [part for part in arguments if isinstance(part, str)] or ["defbuffer1"]
        entries = list(self._buffer(name))
        first, last = numbers if len(numbers) == 2 else (1, len(entries))
        if not 1 <= first <= last <= len(entries):
            raise ScpiError(-222, f"readings {first} to {last} of {len(entries)}")
        chosen = entries[first - 1 : last]
        return [entry.element(element) for entry in chosen for element in elements or ("READ",)]

    def _tell_statistic(
        self, statistic: Callable[[Sequence[float]], float], arguments: tuple[str, ...]
    ) -> float:
        values = [entry.value for entry in self._buffer(*arguments)]
        return float(statistic(values)) if values else 0.0

    def _load(self, kind: str, count: int = 1, delay: float = 0.0, buffer: str = "") -> None:
        """Load one of the instrument's own trigger models."""
        if kind.upper() == "EMPTY":
            self._loaded.model = None
        elif kind.upper() == "SIMPLELOOP":
            self._loaded.model = _Loop(count, delay, buffer or "defbuffer1")
        else:
            raise ScpiError(-224, f"no trigger model '{kind[:20]}' here")

    def _load_sweep(self, source: str, levels: Iterable[float], how: tuple[object, ...]) -> None:
        """Load a sweep; `how` is delay, count, range, abort, dual and buffer, as far as told."""
        delay, count, _, aborts, dual, buffer = (*how, *_HOW[len(how) :])
        forced = [float(level) for level in levels]
        if dual:
            forced += forced[-2::-1]
        if len(forced) * max(int(str(count)), 1) > MOST_READINGS:
            raise ScpiError(-223, f"{len(forced)} levels {count} times, at most {MOST_READINGS}")
        self._buffer(str(buffer))
        self._loaded.model = Sweep(
            source, forced, float(str(delay)), max(int(str(count)), 1), bool(aborts), str(buffer)
        )

    def _load_list(self, name: str, how: tuple[object, ...]) -> None:
        first, delay, count, aborts, buffer = (*how, *_HOW_OF_LIST[len(how) :])
        levels = self._loaded.lists[name][int(str(first)) - 1 :]
        if not levels:
            raise ScpiError(-221, "there is no list of levels")
        self._load_sweep(name, levels, (delay, count, "AUTO", aborts, False, buffer))

    def _initiate(self) -> None:
        """Run what is loaded; without a trigger model, take readings."""
        model = self._loaded.model
        if model is None:
            self._read("defbuffer1")
        elif isinstance(model, _Loop):
            buffer = self._buffer(model.buffer)
            buffer.extend(self._take(model.delay) for _ in range(model.count))
        else:
            self._buffer(model.buffer).extend(self._run(model))

    def _run(self, sweep: Sweep) -> Iterator[Entry]:
        """Yield the readings of a sweep; the output is on meanwhile, and off at its end."""
        self._meter.change(lambda settings: _begin(settings, sweep.source))
        try:
            for _ in range(sweep.count):
                for level in sweep.levels:
                    self._meter.check_level(sweep.source, level)
                    self._force(level)
                    entry = self._take(max(sweep.delay, 0.0))
                    yield entry
                    if sweep.stops_at_limit and entry.reading.limited:
                        return
        finally:
            self._meter.change(lambda settings: setattr(settings, "is_on", False))

    def _force(self, level: float) -> None:
        self._meter.change(lambda _: setattr(self._meter.source, "level", level))


_HOW: tuple[object, ...] = (-1.0, 1, "BEST", True, False, "defbuffer1")
_HOW_OF_LIST: tuple[object, ...] = (1, -1.0, 1, True, "defbuffer1")
_LIST = (
    Integer(1, 100, is_optional=True),
    Number("S", -1.0, 10_000.0, is_optional=True),
    Integer(0, MOST_READINGS, is_optional=True),
    Boolean(is_optional=True),
    Text(is_optional=True, is_bare_allowed=True),
)
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "AVERage": statistics.fmean,
    "MAXimum": max,
    "MINimum": min,
    "STDDev": lambda values: statistics.stdev(values) if len(values) > 1 else 0.0,
}


def _begin(settings: Settings, source: str) -> None:
    """Choose the source and put the output on."""
    settings.source, settings.is_on = source, True


def _stepped(start: float, stop: float, by: float) -> list[float]:
    """Return the levels from `start` to `stop`, `by` apart."""
    if by == 0.0 or abs(stop - start) / abs(by) > MOST_READINGS:
        raise ScpiError(-222, f"a step of {by:g}")
    count = int(abs(stop - start) / abs(by) + 1e-9) + 1
    sign = 1.0 if stop >= start else -1.0
    return [start + sign * abs(by) * k for k in range(count)]


def _curved(start: float, stop: float, count: int) -> list[float]:
    """Return levels with equal ratios."""
    if start * stop <= 0.0:
        raise ScpiError(-222, "a logarithmic sweep meets or crosses 0")
    return [float(level) for level in np.geomspace(start, stop, count)]
