"""One channel of a Keithley 2600B: what it forces, what it reads, how long that takes.

Readings have the resolution of their range and a noise that falls with the root of the integration
time [chosen: 1e-6 of range at 1 PLC, at least 5 fA and 100 nV].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.meter_noise import MeterNoise
from labctl_instruments.virtual.probed_chip import ProbedChip
from labctl_instruments.virtual.routing import Drive
from labctl_instruments.virtual.scpi.status import ScpiError

LINE_FREQUENCY = 50.0
OVERFLOW = 9.91e37
TOO_BIG, TOO_SMALL = 1101, 1102
DCAMPS, DCVOLTS = 0, 1
OFF, ON, HIGH_Z = 0, 1, 2
RESOLUTION = NOISE = 1e-6
"""Of a reading, relative to its range; the noise at 1 PLC."""
LEAST_NOISE = {"i": 5e-15, "v": 100e-9}
SOURCE_STEPS = {"i": 50_000, "v": 40_000}
OVERRANGE = 1.02
VOLTAGE_RANGES = (0.2, 2.0, 20.0, 200.0)
SOURCE_CURRENT_RANGES = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 1.5)
CURRENT_RANGES = (1e-10, *SOURCE_CURRENT_RANGES)
MOST_CURRENT_AT_200_V = 0.1
AUTO_DELAY = 1e-3
"""Settling before a reading on a range of 1 uA or less [chosen], in s."""
COMPLIANCE, FILTERED = 64, 128
"""Bits of a reading's status."""

Check = Callable[[float], float]


def _one_of(*values: float) -> Check:
    def check(value: float) -> float:
        if value not in values:
            raise ScpiError(-224, f"{value:g}")
        return value

    return check


def _between(low: float, high: float) -> Check:
    def check(value: float) -> float:
        if not value <= high:  # also what is not a number
            raise ScpiError(TOO_BIG, f"Parameter too big;{value:g} is above {high:g}")
        if value < low:
            raise ScpiError(TOO_SMALL, f"Parameter too small;{value:g} is below {low:g}")
        return value

    return check


def _range_of(ranges: tuple[float, ...]) -> Check:
    def check(value: float) -> float:
        return range_for(_between(0.0, ranges[-1])(abs(value)), ranges)

    return check


_SWITCH = _one_of(0, 1)
_DELAY = _between(-1.0, 999.0)

SOURCE: Mapping[str, tuple[float, Check]] = {
    "func": (DCVOLTS, _one_of(DCAMPS, DCVOLTS)),
    "levelv": (0.0, _between(-202.0, 202.0)),
    "leveli": (0.0, _between(-1.515, 1.515)),
    "limitv": (20.0, _between(20e-3, 200.0)),
    "limiti": (0.1, _between(1e-10, 1.5)),
    "limitp": (0.0, _between(0.0, 30.0)),
    "rangev": (0.2, _range_of(VOLTAGE_RANGES)),
    "rangei": (1e-7, _range_of(SOURCE_CURRENT_RANGES)),
    "autorangev": (1, _SWITCH),
    "autorangei": (1, _SWITCH),
    "lowrangev": (0.2, _range_of(VOLTAGE_RANGES)),
    "lowrangei": (1e-9, _range_of(SOURCE_CURRENT_RANGES)),
    "output": (OFF, _one_of(OFF, ON, HIGH_Z)),
    "offmode": (0, _one_of(0, 1, 2)),
    "offfunc": (DCVOLTS, _one_of(DCAMPS, DCVOLTS)),
    "offlimiti": (1e-3, _between(1e-10, 1.5)),
    "offlimitv": (20.0, _between(20e-3, 200.0)),
    "outputenableaction": (0, _one_of(0, 1)),
    "delay": (0.0, _DELAY),
    "settling": (0, _one_of(0, 1, 2, 3, 128)),
    "sink": (0, _SWITCH),
    "highc": (0, _SWITCH),
}
"""Attributes of `smuX.source`: what a reset puts back, and what is taken."""
MEASURE: Mapping[str, tuple[float, Check]] = {
    "nplc": (1.0, _between(0.001, 25.0)),
    "rangev": (0.2, _range_of(VOLTAGE_RANGES)),
    "rangei": (1e-7, _range_of(CURRENT_RANGES)),
    "autorangev": (1, _one_of(0, 1, 2)),
    "autorangei": (1, _one_of(0, 1, 2)),
    "lowrangev": (0.2, _range_of(VOLTAGE_RANGES)),
    "lowrangei": (1e-10, _range_of(CURRENT_RANGES)),
    "autozero": (2, _one_of(0, 1, 2)),
    "count": (1, _between(1, 100_000)),
    "delay": (-1.0, _DELAY),
    "delayfactor": (1.0, _between(0.0, 1000.0)),
    "interval": (0.0, _between(0.0, 1.0)),
}
"""Attributes of `smuX.measure`."""
FILTER: Mapping[str, tuple[float, Check]] = {
    "count": (1, _between(1, 100)),
    "enable": (0, _SWITCH),
    "type": (1, _one_of(0, 1, 2)),
}
"""Attributes of `smuX.measure.filter`."""
REL: Mapping[str, tuple[float, Check]] = {
    name: (0, _SWITCH) if name.startswith("enable") else (0.0, _between(-1e12, 1e12))
    for quantity in "ivrp"
    for name in (f"enable{quantity}", f"level{quantity}")
}
"""Attributes of `smuX.measure.rel`."""
TABLES = {"source": SOURCE, "measure": MEASURE, "measure.filter": FILTER, "measure.rel": REL}
_ACTS = ("source",)
"""Tables whose attributes change what the output does."""


@dataclass(frozen=True)
class Reading:
    """One measurement."""

    current: float
    """In A."""
    voltage: float
    """In V."""
    status: int
    """Bits: `COMPLIANCE`, `FILTERED`."""
    time: float
    """Bench time, in s."""
    level: float
    """What was forced, in V or A."""


class SourceMeasureChannel:
    """An SMU channel whose output hangs on a row of the switch matrix, or on nothing.

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

    def __init__(self, name: str, chip: ProbedChip, clock: Clock, noise: MeterNoise) -> None:
        self.name = name
        self._chip = chip
        self._clock = clock
        self._noise = noise
        self._values = _defaults()
        self.sense = 0.0
        self._drive = self._driven()
        self._last = Reading(0.0, 0.0, 0, 0.0, 0.0)

    def drive(self) -> Drive | None:
        """Return what the output does to its node."""
        return self._drive

    def get(self, table: str, name: str) -> float:
        """Return an attribute; a range that is automatic is the one in use."""
        if name in ("rangei", "rangev"):
            return self._source_range(name[-1]) if table == "source" else self._range(name[-1])
        return self._values[table][name]

    def set(self, table: str, name: str, value: object) -> None:
        """Set an attribute; `ScpiError` if it cannot be that."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScpiError(-224, f"{name} = {value}")
        put = TABLES[table][name][1](float(value))
        if table == "source":
            self._check_source(name, put)
        if table in _ACTS:
            self._chip.before_change()
        self._values[table][name] = put
        if name in ("rangei", "rangev"):
            self._values[table][f"auto{name}"] = 0
        if table in _ACTS:
            self._drive = self._driven()
            self._chip.after_change()

    def reset(self) -> None:
        """Put all attributes back; the output is off."""
        self._chip.before_change()
        self._values = _defaults()
        self.sense = 0.0
        self._drive = self._driven()
        self._chip.after_change()

    def sense_at(self, place: float) -> None:
        """Sense voltages at the terminals (0) or at the ends of the leads (1)."""
        self._chip.before_change()
        self.sense = place
        self._drive = self._driven()
        self._chip.after_change()

    def is_limited(self) -> bool:
        """Return whether the limit holds the output now."""
        is_on = self._values["source"]["output"] == ON
        return is_on and self._holds(self._chip.measure(self, 0)[2])

    def _holds(self, is_current_met: bool) -> bool:
        """Return whether the limit holds; see `SourceMeter`."""
        source = self._values["source"]
        if source["func"] == DCVOLTS:
            return is_current_met
        return source["output"] == ON and not is_current_met

    def limits_held(self) -> tuple[bool, bool]:
        """Return whether the voltage limit and the current limit hold the output now."""
        held = self.is_limited()
        forces_voltage = self._values["source"]["func"] == DCVOLTS
        return held and not forces_voltage, held and forces_voltage

    def read(self) -> Reading:
        """Wait, integrate, and return what the meter says."""
        measure, source = self._values["measure"], self._values["source"]
        averages = self._averages()
        self._clock.charge(self._delay() + averages * measure["nplc"] / LINE_FREQUENCY)
        voltage, current, limited = self._chip.measure(self, averages)
        true = {"i": current, "v": voltage}
        shown = {each: self._shown(value, each) for each, value in true.items()}
        level = source["levelv" if source["func"] == DCVOLTS else "leveli"]
        status = self._holds(limited) * COMPLIANCE + (averages > 1) * FILTERED
        self._last = Reading(shown["i"], shown["v"], status, self._clock.now(), level)
        return self._last

    def _driven(self) -> Drive | None:
        source = self._values["source"]
        if source["output"] != ON:
            is_apart = source["output"] == HIGH_Z or source["offmode"] == 2
            return None if is_apart else Drive(0.0, source["offlimiti"], is_weak=True)
        if source["func"] == DCVOLTS:
            level = self._quantised(source["levelv"], "v")
            return Drive(level, source["limiti"], is_remote=self.sense == 1)
        level = self._quantised(source["leveli"], "i")
        return Drive(math.copysign(source["limitv"], level), abs(level))

    def _quantised(self, level: float, quantity: str) -> float:
        step = self._source_range(quantity) / SOURCE_STEPS[quantity]
        return round(level / step) * step

    def _source_range(self, quantity: str) -> float:
        source = self._values["source"]
        if not source[f"autorange{quantity}"]:
            return source[f"range{quantity}"]
        ranges = VOLTAGE_RANGES if quantity == "v" else SOURCE_CURRENT_RANGES
        needed = max(abs(source[f"level{quantity}"]), source[f"lowrange{quantity}"])
        return range_for(needed, ranges)

    def _check_source(self, name: str, value: float) -> None:
        """Refuse what contradicts the range in use, and more power than there is."""
        source = self._values["source"]
        is_level, quantity = name in ("leveli", "levelv"), name[-1]
        if is_level and not source[f"autorange{quantity}"]:
            most = 1.01 * source[f"range{quantity}"]
            _between(-most, most)(value)
        if name in ("rangei", "rangev"):
            _between(abs(source[f"level{quantity}"]) / 1.01, math.inf)(value)
        current = value if name == "limiti" else source["limiti"]
        voltage = abs(value) if name in ("levelv", "rangev") else self._source_range("v")
        if voltage > OVERRANGE * VOLTAGE_RANGES[-2] and current > MOST_CURRENT_AT_200_V:
            raise ScpiError(-221, f"{current:g} A on the range of 200 V")

    def _averages(self) -> int:
        chosen = self._values["measure.filter"]
        return int(chosen["count"]) if chosen["enable"] else 1

    def _delay(self) -> float:
        measure, source = self._values["measure"], self._values["source"]
        own = AUTO_DELAY * measure["delayfactor"] if self._range("i") <= 1e-6 else 0.0
        return max(source["delay"], 0.0) + (own if measure["delay"] < 0 else measure["delay"])

    def _range(self, quantity: str) -> float:
        """Return the range that the last reading was, or the next one is, taken on."""
        source, measure = self._values["source"], self._values["measure"]
        if quantity == "v" and source["func"] == DCVOLTS:
            return self._source_range("v")
        if not measure[f"autorange{quantity}"]:
            return measure[f"range{quantity}"]
        last = self._last.current if quantity == "i" else self._last.voltage
        return self._automatic(last, quantity)

    def _automatic(self, value: float, quantity: str) -> float:
        ranges = VOLTAGE_RANGES if quantity == "v" else CURRENT_RANGES
        low = self._values["measure"][f"lowrange{quantity}"]
        return range_for(max(abs(value), low), ranges)

    def _shown(self, value: float, quantity: str) -> float:
        """Return what the meter makes of a value: range, noise, resolution, relative offset."""
        measure, rel = self._values["measure"], self._values["measure.rel"]
        forced = quantity == "v" and self._values["source"]["func"] == DCVOLTS
        is_automatic = measure[f"autorange{quantity}"] and not forced
        span = self._automatic(value, quantity) if is_automatic else self._range(quantity)
        if abs(value) > OVERRANGE * span:
            return math.copysign(OVERFLOW, value)
        readings = measure["nplc"] * self._averages()
        noise = max(NOISE * span, LEAST_NOISE[quantity]) / math.sqrt(readings)
        step = RESOLUTION * span
        shown = round((value + noise * self._noise.draw()) / step) * step
        return shown - rel[f"level{quantity}"] * rel[f"enable{quantity}"]


def range_for(value: float, ranges: Iterable[float]) -> float:
    """Return the lowest range that holds a value; the highest if none does."""
    chosen = 0.0
    for chosen in ranges:
        if value <= chosen * OVERRANGE:
            break
    return chosen


def _defaults() -> dict[str, dict[str, float]]:
    return {
        table: {name: default for name, (default, _) in attributes.items()}
        for table, attributes in TABLES.items()
    }
