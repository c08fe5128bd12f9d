"""A source-measure unit without its language: what it forces, and what its meter then says.

Readings have the resolution of their range and a noise that falls with the root of the integration
time; a reading takes its integration time, its averages and the source delay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.meter_noise import MeterNoise
from labctl_instruments.virtual.probed_chip import ProbedChip
from labctl_instruments.virtual.routing import Drive
from labctl_instruments.virtual.scpi import ScpiError

LINE_FREQUENCY = 50.0
OVERFLOW = 9.9e37
OVERRANGE = 1.05
AUTO_DELAY = 1e-3
"""Source delay where it is automatic [chosen], in s."""
OFF_LIMIT = 1e-3
"""Current that an output delivers at 0 V while it is off in the state NORMAL [chosen], in A."""


@dataclass(frozen=True)
class MeterModel:
    """What one model of instrument can do; quantities are `VOLT` and `CURR`."""

    ranges: Mapping[str, tuple[float, ...]]
    """Ranges of source and meter, ascending, in V and A."""
    highest: Mapping[str, float]
    """Largest magnitude it forces, in V and A."""
    resolution: float
    """Of a reading, relative to its range."""
    source_steps: int
    """Steps of the source within its range."""
    noise: float
    """Standard deviation of a reading at 1 PLC, relative to its range."""
    least_noise: Mapping[str, float]
    """Lowest such deviation, in V and A."""

    def range_for(self, value: float, name: str) -> float:
        """Return the lowest range of `name` that holds a magnitude."""
        if name not in self.ranges:
            return 10.0 ** math.ceil(math.log10(max(value, 1.0)))
        for span in self.ranges[name]:
            if value <= OVERRANGE * span:
                return span
        return self.ranges[name][-1]


@dataclass
class SourceSettings:
    """One of the two things the instrument can force."""

    level: float = 0.0
    """Level, in V or A."""
    range: float = 0.0
    """Range chosen by hand; 0 where none was."""
    is_auto: bool = True
    """Whether the range follows the level."""
    lowest: float = 0.0
    """Lowest range that is chosen automatically, in V or A; 0: the lowest there is."""
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
    lowest: float = 0.0
    """Lowest range that is chosen automatically, in V or A; 0: the lowest there is."""
    average_count: int = 10
    """Readings that the filter averages."""
    is_averaged: bool = False
    """Whether the filter is on."""


@dataclass
class Settings:
    """All that `*RST` puts back."""

    sources: dict[str, SourceSettings]
    """By what is forced."""
    source: str = "VOLT"
    """What is forced."""
    sense: str = "CURR"
    """What is measured."""
    is_on: bool = False
    """Whether the output is on."""
    is_remote: bool = False
    """Whether voltages are sensed at the ends of the leads (4-wire)."""
    senses: dict[str, SenseSettings] = field(
        default_factory=lambda: {name: SenseSettings() for name in ("VOLT", "CURR", "RES")}
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

    def value(self, name: str) -> float:
        """Return what a meter of `name` (VOLT, CURR, RES) shows of it."""
        if name == "RES":
            return self.voltage / self.current if self.current else OVERFLOW
        return self.voltage if name == "VOLT" else self.current


NO_READING = Reading(0.0, 0.0, limited=False, time=0.0)


class SourceMeter:
    """One channel of a source-measure unit, on a row of the switch matrix.

    Parameters
    ----------
    name : str
        Its name on the bench.
    model : MeterModel
        What it can do.
    chip : ProbedChip
        What its output meets.
    clock : Clock
        Bench time.
    noise : MeterNoise
        The noise of its readings.
    initial : callable
        Makes the settings that `*RST` puts back.
    """

    def __init__(
        self,
        name: str,
        model: MeterModel,
        *,
        chip: ProbedChip,
        clock: Clock,
        noise: MeterNoise,
        initial: Callable[[], Settings],
    ) -> None:
        self.name = name
        self.model = model
        self.settings = initial()
        self.last = NO_READING
        self._chip = chip
        self._clock = clock
        self._noise = noise
        self._initial = initial
        self._drive = self._drive_of(self.settings)

    def drive(self) -> Drive | None:
        """Return what the output does to its node."""
        return self._drive

    @property
    def source(self) -> SourceSettings:
        """Settings of what is forced."""
        return self.settings.sources[self.settings.source]

    def change(self, change: Callable[[Settings], None]) -> None:
        """Change what the output does: what stood until now acts on the chip first."""
        self._chip.before_change()
        change(self.settings)
        self._drive = self._drive_of(self.settings)
        self._chip.after_change()

    def reset(self) -> None:
        """Put all settings back."""
        self._chip.before_change()
        self.settings = self._initial()
        self._drive = self._drive_of(self.settings)
        self._chip.after_change()

    def check_level(self, name: str, value: float) -> None:
        """Raise -222 where a level is beyond the range chosen by hand."""
        source = self.settings.sources[name]
        if not source.is_auto and abs(value) > OVERRANGE * source.range:
            raise ScpiError(-222, f"{value:g} is beyond the range {source.range:g}")

    def source_range(self, name: str) -> float:
        """Return the range of the source of `name`, in V or A."""
        return self._source_span(self.settings.sources[name], name)

    def sense_range(self, name: str) -> float:
        """Return the range on which `name` is measured, in V, A or ohm."""
        sense = self.settings.senses[name]
        if sense.is_auto:
            return self.model.range_for(max(abs(self.last.value(name)), sense.lowest), name)
        return sense.range

    def put_sense_range(self, name: str, value: float) -> None:
        """Choose the lowest range that holds a value."""
        sense = self.settings.senses[name]
        sense.range, sense.is_auto = self.model.range_for(abs(value), name), False

    def take_reading(self, extra_delay: float = 0.0) -> Reading:
        """Wait, integrate, and return what the meter says."""
        source, sense = self.source, self.settings.senses[self.settings.sense]
        averages = sense.average_count if sense.is_averaged else 1
        delay = AUTO_DELAY if source.is_auto_delay else source.delay
        self._clock.charge(extra_delay + delay + averages * sense.nplc / LINE_FREQUENCY)
        voltage, current, limited = self._chip.measure(self, averages)
        self.last = Reading(
            self._shown(voltage, "VOLT", averages),
            self._shown(current, "CURR", averages),
            self._holds(limited),
            self._clock.now(),
        )
        return self.last

    def is_limited(self) -> bool:
        """Return whether the source is at its limit now."""
        return self.settings.is_on and self._holds(self._chip.measure(self, 0)[2])

    def _holds(self, is_current_met: bool) -> bool:
        """Return whether the limit holds the output whose highest current flows, or does not.

        That is the limit of a voltage source; a source of current that delivers it is not limited,
        and one that does not stands at its limit of voltage.
        """
        if self.settings.source == "VOLT":
            return is_current_met
        return self.settings.is_on and not is_current_met

    def _shown(self, value: float, name: str, averages: int) -> float:
        """Return what the meter makes of a value: range, noise, resolution."""
        model, sense = self.model, self.settings.senses[name]
        needed = max(abs(value), sense.lowest)
        span = model.range_for(needed, name) if sense.is_auto else sense.range
        noise = max(model.noise * span, model.least_noise[name])
        noise /= math.sqrt(sense.nplc * averages)
        if abs(value) > OVERRANGE * span:
            return math.copysign(OVERFLOW, value)
        step = model.resolution * span
        return round((value + noise * self._noise.draw()) / step) * step

    def _drive_of(self, settings: Settings) -> Drive | None:
        source = settings.sources[settings.source]
        if not settings.is_on:
            if source.off_state == "HIMP":
                return None
            return Drive(0.0, OFF_LIMIT, is_weak=True)
        step = self._source_span(source, settings.source) / self.model.source_steps
        level = round(source.level / step) * step
        if settings.source == "VOLT":
            return Drive(level, source.limit, is_remote=settings.is_remote)
        return Drive(math.copysign(source.limit, level), abs(level))

    def _source_span(self, source: SourceSettings, name: str) -> float:
        """Return the range in which a level is forced, in V or A."""
        needed = max(abs(source.level), source.lowest) if source.is_auto else source.range
        return self.model.range_for(abs(needed), name)
