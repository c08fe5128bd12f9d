"""Keithley 2450 in its command set TSP (`*LANG TSP`): the same meter and buffers as in SCPI.

Its enumerations are strings that name themselves, so that `print(smu.source.func)` says what the
instrument says. What it does in Lua is in `keithley2450_tsp.lua`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.lua.host import Value
from labctl_instruments.virtual.personas.keithley2450_buffers import (
    MOST_READINGS,
    BufferedReadings,
    curved,
    stepped,
)
from labctl_instruments.virtual.scpi.status import ScpiError
from labctl_instruments.virtual.source_meter import LINE_FREQUENCY, Settings, SourceMeter
from labctl_instruments.virtual.tsp import TspEngine, TspPersona
from labctl_instruments.virtual.tsp_table import TspTable, kept

_FIRMWARE = Path(__file__).with_suffix(".lua")
_FUNCTIONS = {
    "smu.FUNC_DC_VOLTAGE": "VOLT",
    "smu.FUNC_DC_CURRENT": "CURR",
    "smu.FUNC_RESISTANCE": "RES",
}
_SWITCH = {"smu.OFF": False, "smu.ON": True}
_OFF_STATES = {
    "smu.OFFMODE_NORMAL": "NORM",
    "smu.OFFMODE_HIGHZ": "HIMP",
    "smu.OFFMODE_ZERO": "ZERO",
    "smu.OFFMODE_GUARD": "GUAR",
}
_PLAIN = (
    "smu.FILTER_REPEAT_AVG",
    "smu.FILTER_MOVING_AVG",
    "smu.RANGE_AUTO",
    "smu.RANGE_BEST",
    "smu.RANGE_FIXED",
    "smu.SENSE_2WIRE",
    "smu.SENSE_4WIRE",
    "smu.TERMINALS_FRONT",
    "smu.TERMINALS_REAR",
)
_DELAY_AUTO = -1.0
_LIMITS = {"VOLT": (1e-9, 1.05), "CURR": (0.02, 210.0)}
"""Bounds of the limit of a source, in A and V."""


class Keithley2450Tsp(TspPersona):
    """The face of a 2450 that executes Lua.

    Parameters
    ----------
    meter : SourceMeter
        What forces and measures.
    readings : BufferedReadings
        Its buffers and sweeps.
    clock : Clock
        Bench time.
    identity : str
        Answer to `*IDN?`.
    reset : callable
        What `*RST` and `reset()` do.
    """

    def __init__(
        self,
        meter: SourceMeter,
        readings: BufferedReadings,
        clock: Clock,
        *,
        identity: str,
        reset: Callable[[], None],
    ) -> None:
        self._meter = meter
        self._readings = readings
        self._clock = clock
        tables = {
            "": self._globals(),
            "smu": self._smu(reset),
            "smu.source": self._source(),
            "smu.source.ilimit": self._limit("VOLT"),
            "smu.source.vlimit": self._limit("CURR"),
            "smu.measure": self._measure(),
            "smu.measure.filter": self._filter(),
            "smu.measure.autozero": self._auto_zero(),
            "smu.interlock": TspTable(getters={"tripped": lambda: "smu.ON"}),
            "trigger": TspTable(),
            "trigger.model": self._trigger_model(),
            "localnode": self._node(identity),
            "eventlog": self._event_log(),
            "status": TspTable(functions={"clear": lambda: self._engine.status.clear()}),
        }
        self._engine = TspEngine(
            tables,
            identity=identity,
            reset=reset,
            firmware=_FIRMWARE.read_text(encoding="ascii"),
        )

    @property
    def _set(self) -> Settings:
        return self._meter.settings

    def _globals(self) -> TspTable:
        return TspTable(
            functions={
                "delay": lambda seconds: self._clock.charge(_within(seconds, 0.0, 1e5)),
                "waitcomplete": lambda *_: None,
                "_now": self._clock.now,
                "_count": self._readings.count,
                "_capacity": self._readings.capacity,
                "_element": self._readings.element,
                "_clear": lambda name: self._readings.buffer(name).clear(),
                "_make": lambda name, size: self._readings.make(
                    name, int(_within(size, 10, 6_875_000))
                ),
                "_delete": self._readings.delete,
            }
        )

    def _smu(self, reset: Callable[[], None]) -> TspTable:
        names = (*_FUNCTIONS, *_SWITCH, *_OFF_STATES, *_PLAIN)
        constants: dict[str, Value] = {name.removeprefix("smu."): name for name in names}
        table = kept(terminals="smu.TERMINALS_FRONT")
        table.constants.update(constants, DELAY_AUTO=_DELAY_AUTO, INFINITE=0)
        table.functions["reset"] = reset
        return table

    def _source(self) -> TspTable:
        table = kept(readback="smu.ON", highc="smu.OFF")
        self._choice(table, "func", _FUNCTIONS, ("VOLT", "CURR"), "source")
        self._of_source(table, "autorange", _SWITCH, "is_auto")
        self._of_source(table, "autodelay", _SWITCH, "is_auto_delay")
        self._of_source(table, "offmode", _OFF_STATES, "off_state")
        table.getters["output"] = lambda: _name(_SWITCH, self._set.is_on)
        table.setters["output"] = self._put_output
        table.getters["level"] = lambda: self._meter.source.level
        table.setters["level"] = self._put_level
        table.getters["range"] = lambda: self._meter.source_range(self._set.source)
        table.setters["range"] = self._put_source_range
        table.getters["delay"] = lambda: self._meter.source.delay
        table.setters["delay"] = self._put_delay
        for kind in ("linear", "linearstep", "log"):
            table.functions[f"sweep{kind}"] = partial(self._sweep, kind)
        return table

    def _limit(self, source: str) -> TspTable:
        """Return the limit of one source; of the other function than is sourced it is told too."""

        def put(value: object) -> None:
            limit = _within(value, *_LIMITS[source])
            self._meter.change(lambda s: setattr(s.sources[source], "limit", limit))

        def tripped() -> str:
            is_mine = self._set.source == source
            return _name(_SWITCH, is_mine and self._meter.is_limited())

        return TspTable(
            getters={"level": lambda: self._set.sources[source].limit, "tripped": tripped},
            setters={"level": put},
        )

    def _measure(self) -> TspTable:
        table = kept(sense="smu.SENSE_2WIRE", displaydigits=5.0, offsetcompensation="smu.OFF")
        self._choice(table, "func", _FUNCTIONS, ("VOLT", "CURR", "RES"), "sense")
        table.functions["_read"] = self._readings.read_into
        table.getters["count"] = lambda: self._readings.readings_at_once
        table.setters["count"] = self._put_count
        table.getters["nplc"] = lambda: self._sense("nplc")
        table.setters["nplc"] = lambda value: self._put_sense("nplc", _within(value, 0.01, 10.0))
        table.getters["autorange"] = lambda: _name(_SWITCH, self._sense("is_auto"))
        table.setters["autorange"] = lambda value: self._put_sense(
            "is_auto", _meant(_SWITCH, value)
        )
        table.getters["range"] = lambda: self._meter.sense_range(self._set.sense)
        table.setters["range"] = self._put_sense_range
        return table

    def _filter(self) -> TspTable:
        table = kept(type="smu.FILTER_REPEAT_AVG")
        table.getters["enable"] = lambda: _name(_SWITCH, self._sense("is_averaged"))
        table.setters["enable"] = lambda value: self._put_sense(
            "is_averaged", _meant(_SWITCH, value)
        )
        table.getters["count"] = lambda: self._sense("average_count")
        table.setters["count"] = lambda value: self._put_sense(
            "average_count", int(_within(value, 1, 100))
        )
        return table

    def _auto_zero(self) -> TspTable:
        table = kept(enable="smu.ON")
        table.functions["once"] = lambda: self._clock.charge(3 / LINE_FREQUENCY)
        return table

    def _trigger_model(self) -> TspTable:
        idle = ("trigger.STATE_IDLE", "trigger.STATE_IDLE", 0.0)
        return TspTable(
            functions={
                "load": self._load_model,
                "initiate": self._readings.initiate,
                "abort": lambda: None,
                "state": lambda: idle,
            }
        )

    def _node(self, identity: str) -> TspTable:
        table = kept(prompts=0, showevents=0, showerrors=0)
        table.getters["linefreq"] = lambda: LINE_FREQUENCY
        _, _, serial, version = identity.split(",")
        table.constants.update(model="2450", serialno=serial, version=version)
        return table

    def _event_log(self) -> TspTable:
        def take(*_: Value) -> tuple[float, str, float, float] | tuple[float, str]:
            number, text = self._engine.status.next_error()
            return (number, text, 1.0, 0.0) if number else (0.0, "No error", 0.0, 0.0)

        return TspTable(
            functions={
                "next": take,
                "getcount": lambda *_: self._engine.status.errors_waiting,
                "clear": lambda: self._engine.status.clear(),
            },
            constants={
                "SEV_ERROR": 1.0,
                "SEV_WARN": 2.0,
                "SEV_INFO": 4.0,
                "SEV_ALL": 7.0,
            },
        )

    def _choice(
        self,
        table: TspTable,
        key: str,
        names: dict[str, str],
        allowed: tuple[str, ...],
        setting: str,
    ) -> None:
        """Let an attribute of the settings be one of some names."""

        def put(value: object) -> None:
            meant = _meant(names, value)
            if meant not in allowed:
                raise ScpiError(-224, f"{key} = {value}")
            self._meter.change(lambda settings: setattr(settings, setting, meant))

        table.getters[key] = lambda: _name(names, getattr(self._set, setting))
        table.setters[key] = put

    def _of_source(self, table: TspTable, key: str, names: dict[str, Any], setting: str) -> None:
        """Let an attribute of the source in use be one of some names."""

        def put(value: object) -> None:
            meant = _meant(names, value)
            self._meter.change(lambda _: setattr(self._meter.source, setting, meant))

        table.getters[key] = lambda: _name(names, getattr(self._meter.source, setting))
        table.setters[key] = put

    def _put_output(self, value: object) -> None:
        on = _meant(_SWITCH, value)
        self._meter.change(lambda settings: setattr(settings, "is_on", on))

    def _put_level(self, value: object) -> None:
        source = self._set.source
        highest = self._meter.model.highest[source]
        level = _within(value, -highest, highest)
        self._meter.check_level(source, level)
        self._meter.change(lambda _: setattr(self._meter.source, "level", level))

    def _put_source_range(self, value: object) -> None:
        source = self._set.source
        highest = self._meter.model.highest[source]
        span = self._meter.model.range_for(abs(_within(value, -highest, highest)), source)

        def put(_: Settings) -> None:
            self._meter.source.range, self._meter.source.is_auto = span, False

        self._meter.change(put)

    def _put_delay(self, value: object) -> None:
        source, delay = self._meter.source, _within(value, -1.0, 10_000.0)
        source.is_auto_delay = delay == _DELAY_AUTO
        source.delay = max(delay, 0.0)

    def _put_count(self, value: object) -> None:
        self._readings.readings_at_once = int(_within(value, 1, 300_000))

    def _sense(self, key: str) -> Any:  # noqa: ANN401  (a setting of any kind)
        return getattr(self._set.senses[self._set.sense], key)

    def _put_sense(self, key: str, value: object) -> None:
        setattr(self._set.senses[self._set.sense], key, value)

    def _put_sense_range(self, value: object) -> None:
        highest = self._meter.model.highest.get(self._set.sense, 210e6)
        self._meter.put_sense_range(self._set.sense, _within(value, -highest, highest))

    def _sweep(self, kind: str, _: str, start: float, stop: float, *rest: Value) -> None:
        """Set up a sweep: points or step, then delay, count, range, abort, dual, buffer."""
        by, *how = rest
        if kind == "linearstep":
            levels = stepped(start, stop, _within(by, -1e9, 1e9))
        elif kind == "linear":
            levels = np.linspace(start, stop, int(_within(by, 2, MOST_READINGS))).tolist()
        else:
            levels = curved(start, stop, int(_within(by, 2, MOST_READINGS)))
        words = tuple(_SWITCH.get(str(word), word) for word in how)
        self._readings.load_sweep(self._set.source, levels, words)

    def _load_model(self, kind: str, *how: Value) -> None:
        """Load one of the instrument's own trigger models: its count, delay and buffer."""
        defaults: tuple[Value, ...] = (1.0, 0.0, "defbuffer1")
        count, delay, buffer = how + defaults[len(how) :]
        self._readings.load(
            kind, int(_within(count, 1, MOST_READINGS)), _within(delay, 0.0, 1e4), str(buffer)
        )


def _name(names: dict[str, Any], value: object) -> str:
    """Return the name of a setting."""
    return next(name for name, meant in names.items() if meant == value)


def _meant(names: dict[str, Any], value: object) -> Any:  # noqa: ANN401  (a setting of any kind)
    """Return the setting of a name; of a switch, 0 and 1 are names too."""
    if names is _SWITCH and value in (0, 1):
        return bool(value)
    if value not in names:
        raise ScpiError(-224, f"{value}")
    return names[str(value)]


def _within(value: object, low: float, high: float) -> float:
    """Return a number within bounds; ScpiError if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScpiError(-224, f"{value} is no number")
    if not low <= value <= high:
        raise ScpiError(-222, f"{value:g} is not within {low:g} and {high:g}")
    return float(value)
