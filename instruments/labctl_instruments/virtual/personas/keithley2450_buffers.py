"""The readings of a Keithley 2450: its buffers, its sweeps, its loaded trigger model.

No command set is in it: SCPI and TSP both ask for them.
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from labctl_instruments.virtual.scpi.status import ScpiError
from labctl_instruments.virtual.source_meter import Reading, Settings, SourceMeter

DEFAULT_BUFFERS = ("defbuffer1", "defbuffer2")
DEFAULT_CAPACITY = 100_000
MOST_BUFFERS = 16
MOST_READINGS = 100_000
"""Most readings of one sweep, and of one request, here [chosen]; the instrument has more."""
_EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""Date at bench time 0 [chosen]."""
UNITS = {"CURR": "A", "VOLT": "V", "RES": "OHM"}
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
            "UNIT": lambda: UNITS[self.sense],
            "SOURUNIT": lambda: UNITS[self.source],
            "STAT": lambda: status,
            "SOURSTAT": lambda: status,
            "FORM": lambda: f"{self.value:+.6E} {UNITS[self.sense]}",
            "SOURFORM": lambda: f"{self.level:+.6E} {UNITS[self.source]}",
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
    """

    def __init__(self, meter: SourceMeter) -> None:
        self.meter = meter
        self._loaded = _Loaded()
        self._buffers = {name: deque[Entry](maxlen=DEFAULT_CAPACITY) for name in DEFAULT_BUFFERS}

    def reset(self) -> None:
        """Do as `*RST` says: default buffers empty, no other, nothing loaded."""
        self._loaded = _Loaded()
        self._buffers = {name: deque[Entry](maxlen=DEFAULT_CAPACITY) for name in DEFAULT_BUFFERS}

    @property
    def readings_at_once(self) -> int:
        """How many readings one request takes."""
        return self._loaded.count

    @readings_at_once.setter
    def readings_at_once(self, count: int) -> None:
        self._loaded.count = count

    def read_into(self, name: str) -> tuple[float, float]:
        """Take readings into a buffer; return the last, and its bench time in s."""
        entry = self.read(name)
        return entry.value, entry.reading.time

    def count(self, name: str) -> int:
        """Return how many readings a buffer holds."""
        return len(self.buffer(name))

    def capacity(self, name: str) -> int:
        """Return how many readings a buffer can hold."""
        return self.buffer(name).maxlen or 0

    def element(self, name: str, what: str, index: float) -> float | str:
        """Return an element of a reading in a buffer, counted from 1."""
        buffer = self.buffer(name)
        if not 1 <= index <= len(buffer):
            raise ScpiError(-222, f"reading {index:g} of {len(buffer)}")
        return buffer[int(index) - 1].element(what)

    def buffer(self, name: str = "defbuffer1") -> deque[Entry]:
        """Return a buffer; error -224 if there is none of that name."""
        try:
            return self._buffers[name]
        except KeyError:
            raise ScpiError(-224, f"there is no buffer '{name[:20]}'") from None

    def make(self, name: str, size: int) -> None:
        """Make a buffer for `size` readings."""
        if name in self._buffers or len(self._buffers) >= MOST_BUFFERS:
            raise ScpiError(-221, f"buffer '{name[:20]}' cannot be made")
        self._buffers[name] = deque(maxlen=size)

    def delete(self, name: str) -> None:
        """Delete a buffer that was made."""
        self.buffer(name)
        if name in DEFAULT_BUFFERS:
            raise ScpiError(-221, f"'{name}' cannot be deleted")
        del self._buffers[name]

    def resize(self, size: int, name: str = "defbuffer1") -> None:
        """Empty a buffer, and let it hold `size` readings."""
        self.buffer(name)
        self._buffers[name] = deque(maxlen=size)

    def put_list(self, name: str, levels: tuple[float, ...]) -> None:
        """Keep the levels of a list sweep, in V or A."""
        if len(levels) > MOST_READINGS:
            raise ScpiError(-223, f"{len(levels)} levels, at most {MOST_READINGS}")
        self._loaded.lists[name] = levels

    def _take(self, extra_delay: float = 0.0) -> Entry:
        reading = self.meter.take_reading(extra_delay)
        settings = self.meter.settings
        return Entry(reading, settings.sense, settings.source, self.meter.source.level)

    def read(self, name: str) -> Entry:
        """Take as many readings as `:SENSe:COUNt` says into a buffer; return the last."""
        buffer = self.buffer(name)
        for _ in range(self._loaded.count):
            buffer.append(self._take())
        return buffer[-1]

    def load(self, kind: str, count: int = 1, delay: float = 0.0, buffer: str = "") -> None:
        """Load one of the instrument's own trigger models."""
        if kind.upper() == "EMPTY":
            self._loaded.model = None
        elif kind.upper() == "SIMPLELOOP":
            self._loaded.model = _Loop(count, delay, buffer or "defbuffer1")
        else:
            raise ScpiError(-224, f"no trigger model '{kind[:20]}' here")

    def load_sweep(self, source: str, levels: Iterable[float], how: tuple[object, ...]) -> None:
        """Load a sweep; `how` is delay, count, range, abort, dual and buffer, as far as told."""
        delay, count, _, aborts, dual, buffer = (*how, *_HOW[len(how) :])
        forced = [float(level) for level in levels]
        if dual:
            forced += forced[-2::-1]
        if len(forced) * max(int(str(count)), 1) > MOST_READINGS:
            raise ScpiError(-223, f"{len(forced)} levels {count} times, at most {MOST_READINGS}")
        self.buffer(str(buffer))
        self._loaded.model = Sweep(
            source, forced, float(str(delay)), max(int(str(count)), 1), bool(aborts), str(buffer)
        )

    def levels(self, name: str) -> tuple[float, ...]:
        """Return the levels of the list of V or A."""
        return self._loaded.lists[name]

    def load_list(self, name: str, how: tuple[object, ...]) -> None:
        """Load a sweep of the list: first place, delay, count, abort, buffer, as far as told."""
        first, delay, count, aborts, buffer = (*how, *_HOW_OF_LIST[len(how) :])
        levels = self._loaded.lists[name][int(str(first)) - 1 :]
        if not levels:
            raise ScpiError(-221, "there is no list of levels")
        self.load_sweep(name, levels, (delay, count, "AUTO", aborts, False, buffer))

    def initiate(self) -> None:
        """Run what is loaded; without a trigger model, take readings."""
        model = self._loaded.model
        if model is None:
            self.read("defbuffer1")
        elif isinstance(model, _Loop):
            buffer = self.buffer(model.buffer)
            buffer.extend(self._take(model.delay) for _ in range(model.count))
        else:
            self.buffer(model.buffer).extend(self._run(model))

    def _run(self, sweep: Sweep) -> Iterator[Entry]:
        """Yield the readings of a sweep; the output is on meanwhile, and off at its end."""
        self.meter.change(lambda settings: _begin(settings, sweep.source))
        try:
            for _ in range(sweep.count):
                for level in sweep.levels:
                    self.meter.check_level(sweep.source, level)
                    self._force(level)
                    entry = self._take(max(sweep.delay, 0.0))
                    yield entry
                    if sweep.stops_at_limit and entry.reading.limited:
                        return
        finally:
            self.meter.change(lambda settings: setattr(settings, "is_on", False))

    def _force(self, level: float) -> None:
        self.meter.change(lambda _: setattr(self.meter.source, "level", level))


_HOW: tuple[object, ...] = (-1.0, 1, "BEST", True, False, "defbuffer1")
_HOW_OF_LIST: tuple[object, ...] = (1, -1.0, 1, True, "defbuffer1")


def _begin(settings: Settings, source: str) -> None:
    """Choose the source and put the output on."""
    settings.source, settings.is_on = source, True


def stepped(start: float, stop: float, by: float) -> list[float]:
    """Return the levels from `start` to `stop`, `by` apart."""
    if by == 0.0 or abs(stop - start) / abs(by) > MOST_READINGS:
        raise ScpiError(-222, f"a step of {by:g}")
    count = int(abs(stop - start) / abs(by) + 1e-9) + 1
    sign = 1.0 if stop >= start else -1.0
    return [start + sign * abs(by) * k for k in range(count)]


def curved(start: float, stop: float, count: int) -> list[float]:
    """Return levels with equal ratios."""
    if start * stop <= 0.0:
        raise ScpiError(-222, "a logarithmic sweep meets or crosses 0")
    return [float(level) for level in np.geomspace(start, stop, count)]
