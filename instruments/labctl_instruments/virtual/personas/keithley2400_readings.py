"""How a Keithley 2400 reads: functions, elements, trigger layers, sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.personas.keithley2400_buffer import (
    MOST_READINGS,
    NOT_MEASURED,
    Buffer,
)
from labctl_instruments.virtual.reading_format import ReadingFormat, Values
from labctl_instruments.virtual.scpi import (
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiError,
    Status,
)
from labctl_instruments.virtual.source_meter import Reading, SourceMeter

FloatArray = npt.NDArray[np.float64]

NOT_PERMITTED = 803
"""A measurement while the output is off."""
TRIGGER_DEADLOCK = -214
_ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus")
_ORDER = ("VOLT", "CURR", "RES", "TIME", "STAT")
_FUNCTIONS = ("VOLTage", "VOLTage:DC", "CURRent", "CURRent:DC", "RESistance")
_STYLE = "%+.6E"
# Bits of the status word (2400 User's Manual, "Status"): compliance, front terminals, what is
# measured and what is forced.
_FRONT, _COMPLIANCE = 4, 8
_MEASURED = {"VOLT": 2**11, "CURR": 2**12, "RES": 2**13}
_FORCED = {"VOLT": 2**14, "CURR": 2**15}


@dataclass
class _Sweep:
    """How one source steps."""

    mode: str = "FIX"
    start: float = 0.0
    stop: float = 0.0
    step: float = 0.0
    points: Sequence[float] = (0.0,)


@dataclass
class _Triggers:
    """The trigger model and the buffer, as `*RST` leaves them."""

    elements: tuple[str, ...] = _ORDER
    functions: tuple[str, ...] = ("CURR",)
    is_concurrent: bool = True
    counts: dict[str, int] = field(default_factory=lambda: {"ARM": 1, "TRIG": 1})
    sources: dict[str, str] = field(default_factory=lambda: {"ARM": "IMM", "TRIG": "IMM"})
    delay: float = 0.0
    timer: float = 0.1
    clears: bool = False
    sweeps: dict[str, _Sweep] = field(default_factory=lambda: {"VOLT": _Sweep(), "CURR": _Sweep()})
    is_up: bool = True
    is_logarithmic: bool = False


class Readings:
    """What a 2400 answers when it is asked for readings.

    Parameters
    ----------
    meter : SourceMeter
        What forces and measures.
    clock : Clock
        Bench time.
    status : Status
        Where a full buffer is told.
    table : CommandTable
        Where its commands go.
    """

    def __init__(
        self, meter: SourceMeter, clock: Clock, status: Status, table: CommandTable
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._is_armed = False
        self._last: list[float] = []
        self._start = 0.0
        self._set = _Triggers()
        self._add_format(table)
        self._add_triggers(table)
        self._add_sweeps(table)
        self.form = ReadingFormat(table, {"REAL": 4, "SREal": 4}, is_swapped=False)
        self._buffer = Buffer(status, table, self)

    def reset(self) -> None:
        """Do as `*RST` says; the buffer stays."""
        self._set = _Triggers()
        self._is_armed = False
        self.form.reset()
        self._buffer.stop()

    def restart_time(self) -> None:
        """Count the time of readings from now."""
        self._start = self._clock.now()

    def configure(self, name: str | None) -> None:
        """Measure one function (None: those chosen), once, triggered at once."""
        if name is not None:
            self._set.functions = (name,)
        self._set.counts = {"ARM": 1, "TRIG": 1}
        self._set.sources = {"ARM": "IMM", "TRIG": "IMM"}
        self._set.delay = 0.0

    def read(self) -> list[float]:
        """Take all readings that the trigger layers ask for; return their elements."""
        if "BUS" in self._set.sources.values():
            raise ScpiError(TRIGGER_DEADLOCK)
        self._take()
        return self._last

    def _add_format(self, table: CommandTable) -> None:
        element = Choice(_ELEMENTS, is_optional=True)
        header = ":FORMat:ELEMents[:SENSe[1]]"
        table.command(header, self._put_elements, Choice(_ELEMENTS), *[element] * 4)
        table.query(header, lambda: ",".join(self._set.elements))
        function = Choice(_FUNCTIONS, is_optional=True)
        head = "[:SENSe[1]]:FUNCtion"
        table.command(f"{head}[:ON]", self._put_functions, Choice(_FUNCTIONS), *[function] * 2)
        table.query(f"{head}[:ON]", self._tell_functions)
        table.command(f"{head}[:ON]:ALL", lambda: self._put_functions("VOLT", "CURR", "RES"))
        table.command(f"{head}:OFF", self._drop_functions, Choice(_FUNCTIONS), *[function] * 2)
        table.command(f"{head}:OFF:ALL", lambda: self._drop_functions("VOLT", "CURR", "RES"))
        table.setting(
            f"{head}:CONCurrent",
            Boolean(),
            lambda: self._set.is_concurrent,
            lambda on: setattr(self._set, "is_concurrent", on),
        )

    def _add_triggers(self, table: CommandTable) -> None:
        table.query(":READ", lambda: self.form.tell(self.read()))
        table.query(":FETCh", self._tell_last)
        table.query("[:SENSe[1]]:DATA[:LATest]", self._tell_last)
        table.command(":INITiate[:IMMediate]", self._initiate)
        table.command("*TRG", self._bus_trigger)
        table.command(":ABORt", lambda: setattr(self, "_is_armed", False))
        table.command(":TRIGger:CLEar", lambda: None)
        self._add_layer(table, "ARM", ":ARM[:SEQuence[1]][:LAYer[1]]")
        self._add_layer(table, "TRIG", ":TRIGger[:SEQuence[1]]")
        table.setting(
            ":TRIGger[:SEQuence[1]]:DELay",
            Number("S", 0.0, 999.9999, style=_STYLE),
            lambda: self._set.delay,
            lambda seconds: setattr(self._set, "delay", seconds),
        )
        table.setting(
            ":ARM[:SEQuence[1]][:LAYer[1]]:TIMer",
            Number("S", 1e-3, 99999.99, style=_STYLE),
            lambda: self._set.timer,
            lambda seconds: setattr(self._set, "timer", seconds),
        )
        table.setting(
            ":SOURce[1]:CLEar:AUTO",
            Boolean(),
            lambda: self._set.clears,
            lambda on: setattr(self._set, "clears", on),
        )
        table.command(":SOURce[1]:CLEar[:IMMediate]", lambda: self._put_output(False))

    def _add_layer(self, table: CommandTable, layer: str, head: str) -> None:
        words = ("IMMediate", "TLINk", "TIMer", "MANual", "BUS", "NSTest", "PSTest", "BSTest")
        table.setting(
            f"{head}:COUNt",
            Integer(1, MOST_READINGS),
            lambda: self._set.counts[layer],
            lambda count: self._put_count(layer, count),
        )
        table.setting(
            f"{head}:SOURce",
            Choice(words),
            lambda: self._set.sources[layer],
            lambda word: self._set.sources.__setitem__(layer, word),
        )
        outputs = ("SOURce", "DELay", "SENSe", "TENTer", "TEXit", "NONE")
        table.stored(f"{head}:OUTPut", Choice(outputs, default="NONE"))
        table.stored(f"{head}:DIRection", Choice(("SOURce", "ACCeptor"), default="ACC"))
        for place, default in (("ILINe", 1), ("OLINe", 2)):
            table.stored(f"{head}:{place}", Integer(1, 4, default))

    def _add_sweeps(self, table: CommandTable) -> None:
        for name, word in (("VOLT", "VOLTage"), ("CURR", "CURRent")):
            head = f":SOURce[1]:{word}"
            table.setting(
                f"{head}:MODE",
                Choice(("FIXed", "SWEep", "LIST")),
                lambda name=name: self._set.sweeps[name].mode,
                lambda mode, name=name: setattr(self._set.sweeps[name], "mode", mode),
            )
            for key, place in (("start", "STARt"), ("stop", "STOP"), ("step", "STEP")):
                bound = 2 * self._meter.model.highest[name]
                table.setting(
                    f"{head}:{place}",
                    Number({"VOLT": "V", "CURR": "A"}[name], -bound, bound, style=_STYLE),
                    lambda name=name, key=key: getattr(self._set.sweeps[name], key),
                    lambda value, name=name, key=key: setattr(self._set.sweeps[name], key, value),
                )
            level = Number({"VOLT": "V", "CURR": "A"}[name], is_optional=True)
            table.command(
                f":SOURce[1]:LIST:{word}",
                lambda *levels, name=name: setattr(self._set.sweeps[name], "points", levels),
                *[level] * 100,
            )
            table.query(
                f":SOURce[1]:LIST:{word}", lambda name=name: list(self._set.sweeps[name].points)
            )
            table.query(
                f":SOURce[1]:LIST:{word}:POINts",
                lambda name=name: len(self._set.sweeps[name].points),
            )
        table.stored(":SOURce[1]:SWEep:RANGing", Choice(("BEST", "AUTO", "FIXed"), default="BEST"))
        table.setting(
            ":SOURce[1]:SWEep:SPACing",
            Choice(("LINear", "LOGarithmic")),
            lambda: "LOG" if self._set.is_logarithmic else "LIN",
            lambda word: setattr(self._set, "is_logarithmic", word == "LOG"),
        )
        table.setting(
            ":SOURce[1]:SWEep:DIRection",
            Choice(("UP", "DOWn")),
            lambda: "UP" if self._set.is_up else "DOW",
            lambda word: setattr(self._set, "is_up", word == "UP"),
        )
        table.setting(
            ":SOURce[1]:SWEep:POINts",
            Integer(1, MOST_READINGS),
            lambda: len(self._levels_of_sweep()),
            self._put_points,
        )

    def _put_elements(self, *words: str) -> None:
        self._set.elements = tuple(name for name in _ORDER if name in words)

    def _put_functions(self, *words: str) -> None:
        names = tuple(word.partition(":")[0] for word in words)
        if not self._set.is_concurrent:
            self._set.functions = names[-1:]
            return
        kept = self._set.functions
        self._set.functions = kept + tuple(name for name in names if name not in kept)

    def _drop_functions(self, *words: str) -> None:
        names = {word.partition(":")[0] for word in words}
        self._set.functions = tuple(n for n in self._set.functions if n not in names)

    def _tell_functions(self) -> str:
        shown = {"VOLT": '"VOLT:DC"', "CURR": '"CURR:DC"', "RES": '"RES"'}
        return ",".join(shown[name] for name in _ORDER[:3] if name in self._set.functions)

    def _put_count(self, layer: str, count: int) -> None:
        other = "TRIG" if layer == "ARM" else "ARM"
        if count * self._set.counts[other] > MOST_READINGS:
            raise ScpiError(-222, f"more than {MOST_READINGS} readings")
        self._set.counts[layer] = count

    def _put_points(self, count: int) -> None:
        sweep = self._sweep
        sweep.step = (sweep.stop - sweep.start) / max(count - 1, 1)

    def _tell_last(self) -> Values | str:
        if not self._last:
            raise ScpiError(-230)
        return self.form.tell(self._last)

    def _initiate(self) -> None:
        if "BUS" in self._set.sources.values():
            self._is_armed = True
            return
        self._take()

    def _bus_trigger(self) -> None:
        if not self._is_armed:
            raise ScpiError(-211)
        self._is_armed = False
        self._take()

    def _take(self) -> None:
        """Take all readings that the layers ask for."""
        if not self._meter.settings.is_on:
            if not self._set.clears:
                raise ScpiError(NOT_PERMITTED, "Not permitted with OUTPUT off")
            self._put_output(True)
        taken = [element for reading in self._run() for element in self.elements_of(reading)]
        self._last = taken
        if self._set.clears:
            self._put_output(False)

    def _run(self) -> Iterator[Reading]:
        levels = self._levels_of_sweep() if self._sweep.mode != "FIX" else []
        for n in range(self._set.counts["ARM"]):
            if n and self._set.sources["ARM"] == "TIM":
                self._clock.charge(self._set.timer)
            for k in range(self._set.counts["TRIG"]):
                if levels:
                    self._force(levels[k % len(levels)])
                reading = self._meter.take_reading(extra_delay=self._set.delay)
                self._buffer.feed(reading)
                yield reading

    @property
    def _sweep(self) -> _Sweep:
        return self._set.sweeps[self._meter.settings.source]

    def _levels_of_sweep(self) -> list[float]:
        sweep = self._sweep
        if sweep.mode == "LIST":
            return list(sweep.points)
        steps = abs(sweep.stop - sweep.start) / abs(sweep.step) if sweep.step else 0.0
        count = min(round(steps) + 1, MOST_READINGS)
        is_curved = self._set.is_logarithmic and sweep.start * sweep.stop > 0
        space = np.geomspace if is_curved else np.linspace
        levels = [float(level) for level in space(sweep.start, sweep.stop, count)]
        return levels if self._set.is_up else levels[::-1]

    def _force(self, level: float) -> None:
        highest = self._meter.model.highest[self._meter.settings.source]
        if abs(level) > highest:
            raise ScpiError(-222, f"{level:g} is beyond {highest:g}")
        self._meter.change(lambda settings: setattr(self._meter.source, "level", level))

    def _put_output(self, on: bool) -> None:
        self._meter.change(lambda settings: setattr(settings, "is_on", on))

    def keeps(self, name: str) -> bool:
        """Return whether an element is answered."""
        return name in self._set.elements

    def elements_of(self, reading: Reading) -> list[float]:
        """Return what is answered of a reading, in the instrument's order."""
        values = self.values_of(reading)
        values["TIME"] = reading.time - self._start
        values["STAT"] = float(self._status_word(reading))
        return [values[name] for name in self._set.elements]

    def values_of(self, reading: Reading) -> dict[str, float]:
        """Return voltage, current and resistance; of what is not measured, the level forced."""
        settings = self._meter.settings
        shown: dict[str, float] = dict.fromkeys(_ORDER[:3], NOT_MEASURED)
        shown[settings.source] = self._meter.source.level
        measures = self._set.functions
        for name in measures:
            shown[name] = reading.value(name)
        return shown

    def _status_word(self, reading: Reading) -> int:
        word = _FRONT | _FORCED[self._meter.settings.source]
        word |= sum(_MEASURED[name] for name in self._set.functions)
        return word | _COMPLIANCE if reading.limited else word
