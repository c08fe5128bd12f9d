"""How a B1500A measures on a trigger (XE): spot, staircase sweep, sampling.

What happens at each point, and in which order the data are sent: Agilent B1500A Programming Guide,
edition 11, pages 1-27 to 1-40.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.personas.keysight_b1500a_data import (
    FIRST_STEPS,
    INVALID,
    LAST_STEP,
    LIMITED,
    NO_DATA,
    OTHER_LIMITED,
    Datum,
)
from labctl_instruments.virtual.personas.keysight_b1500a_flex import (
    BAD_COUNT,
    NO_SWEEP_SOURCE,
    FlexError,
)
from labctl_instruments.virtual.personas.keysight_b1500a_smu import (
    AUTO,
    CYCLES,
    Converter,
    Forced,
    SmuModule,
)

SPOT, STAIRCASE, SAMPLING = 1, 2, 10
"""Measurement modes (`MM`)."""
LINEAR, LOGARITHMIC, LINEAR_DOUBLE, LOGARITHMIC_DOUBLE = 1, 2, 3, 4
"""Modes of a staircase (`WV`, `WI`)."""
SAMPLES_OF_A_DECADE: Mapping[int, int] = {2: 10, 3: 25, 4: 50, 5: 100, 6: 250, 7: 5000}
"""Of logarithmic sampling, by its mode (`ML`)."""
INITIAL_WAIT = 1e-3
"""Wait before a measurement where its factor is 1 (`WAT`) [chosen], in s."""
MOST_POINTS = 10_001


@dataclass(frozen=True)
class Staircase:
    """The levels that one module steps through."""

    quantity: str
    """`V` or `I`."""
    mode: int
    """`LINEAR`..., of the first source; a synchronous one has that of the first."""
    code: int
    """Code of the output range."""
    start: float
    stop: float
    steps: int
    """Of the first source; 0 for a synchronous one."""
    compliance: float
    power: float | None = None
    """Power compliance, in W; kept, not applied."""

    def levels(self, mode: int, steps: int) -> list[float]:
        """Return the levels, in V or A."""
        if mode in (LOGARITHMIC, LOGARITHMIC_DOUBLE):
            up = np.geomspace(self.start, self.stop, steps)
        else:
            up = np.linspace(self.start, self.stop, steps)
        is_double = mode in (LINEAR_DOUBLE, LOGARITHMIC_DOUBLE)
        return [float(level) for level in (np.concatenate([up, up[::-1]]) if is_double else up)]

    def at(self, level: float) -> Forced:
        """Return what is forced at one step."""
        return Forced(self.quantity, self.code, level, self.compliance)


@dataclass(frozen=True)
class Bias:
    """What one module forces while samples are taken (`MV`, `MI`)."""

    quantity: str
    code: int
    base: float
    bias: float
    compliance: float

    def at(self, level: float) -> Forced:
        """Return what is forced at the base or at the bias."""
        return Forced(self.quantity, self.code, level, self.compliance)


@dataclass
class MeasurementSettings:
    """What `*RST` puts back."""

    mode: int = SPOT
    channels: tuple[int, ...] = ()
    """Slots that are measured, in their order."""
    format: int = 1
    source_data: int = 0
    """Second number of `FMT`: 0, or which source's data are sent too."""
    has_time: bool = False
    """`TSC`."""
    converters: tuple[Converter, Converter, Converter] = (
        Converter(AUTO, 1),
        Converter(AUTO, 6),
        Converter(CYCLES, 1),
    )
    """High speed, high resolution, pulsed (`AIT`)."""
    is_zeroed: bool = False
    """`AZ`: the high-resolution converter takes its zero each time, which doubles its time."""
    waits: dict[int, tuple[float, float]] = field(
        default_factory=lambda: {1: (1.0, 0.0), 2: (1.0, 0.0), 3: (1.0, 0.0)}
    )
    """Factor and offset of a wait (`WAT`): before the source changes, before a measurement."""
    sweeps: dict[int, Staircase] = field(default_factory=dict)
    """First and synchronous staircases, by their slots; the first one first."""
    sweep_times: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    """`WT`: hold, delay, step delay, trigger delays, in s."""
    sweep_abort: tuple[int, int] = (1, 1)
    """`WM`: 2 to stop at a compliance; 1 to end at the start, 2 at the stop."""
    biases: dict[int, Bias] = field(default_factory=dict)
    """By slot."""
    sampling: int = 1
    """`ML`."""
    sampling_times: tuple[float, float, int, float] = (0.0, 2e-3, 1000, 0.0)
    """`MT`: hold of the bias, interval, number, hold of the base, in s."""
    sampling_abort: tuple[int, int] = (1, 2)
    """`MSC`: 2 to stop at a compliance; 1 to end at the base, 2 at the bias."""


class Measurement:
    """Takes what a trigger asks for.

    Parameters
    ----------
    modules : mapping of int to SmuModule
        SMUs by their slots.
    clock : Clock
        Bench time.
    """

    def __init__(self, modules: Mapping[int, SmuModule], clock: Clock) -> None:
        self.settings = MeasurementSettings()
        self._modules = modules
        self._clock = clock
        self._zero = 0.0

    def reset(self) -> None:
        """Put all settings back."""
        self.settings = MeasurementSettings()

    def clear_timer(self) -> None:
        """Count time from now on (`TSR`)."""
        self._zero = self._clock.now()

    def time(self, slot: int) -> Datum:
        """Return the time since the timer was cleared, in s."""
        return Datum("T", slot, self._clock.now() - self._zero)

    def run(self) -> list[Datum]:
        """Measure as the mode says; error 122 where no channel is named for it."""
        if not self.settings.channels:
            raise FlexError(BAD_COUNT)
        ways = {SPOT: self._spot, STAIRCASE: self._staircase, SAMPLING: self._sampling}
        return ways[self.settings.mode]()

    def take(self, slot: int, quantity: str, code: int, *, at: float = 0.0) -> Datum:
        """Take one reading, `at` s or what the wait before a measurement is later."""
        module, settings = self._modules[slot], self.settings
        factor, offset = settings.waits[2]
        delay = at + factor * INITIAL_WAIT + offset
        if module.settings.adc == 1 and settings.is_zeroed:
            cycles, conversions = settings.converters[1].senses(is_high_resolution=True)
            delay += cycles * conversions / 50.0
        return module.measure(quantity, code, settings.converters[:2], delay)

    def _spot(self) -> list[Datum]:
        return list(self._point())

    def _point(self, wait: float = 0.0) -> Iterator[Datum]:
        """Yield the data of all channels at one point; who was limited tells the others."""
        found: list[Datum] = []
        self._clock.charge(wait)
        for slot in self.settings.channels:
            for quantity in self._quantities(slot):
                if self.settings.has_time:
                    found.append(self.time(slot))
                code = self._modules[slot].settings.ranges[quantity]
                found.append(self.take(slot, quantity, code))
        limited = {datum.slot for datum in found if datum.status & LIMITED}
        for datum in found:
            others = limited - {datum.slot} and datum.kind in "IV"
            yield replace(datum, status=datum.status | (OTHER_LIMITED if others else 0))

    def _quantities(self, slot: int) -> str:
        """Return what a channel measures (`CMM`)."""
        settings = self._modules[slot].settings
        forced = settings.forced.quantity
        limited = "I" if forced == "V" else "V"
        return {0: limited, 1: "I", 2: "V", 3: forced, 4: limited + forced}[settings.operation]

    def _staircase(self) -> list[Datum]:
        """Step the sources, and measure at each step."""
        settings = self.settings
        if not settings.sweeps:
            raise FlexError(NO_SWEEP_SOURCE)
        first = next(iter(settings.sweeps.values()))
        levels = {
            slot: sweep.levels(first.mode, first.steps) for slot, sweep in settings.sweeps.items()
        }
        self._clock.charge(settings.sweep_times[0])
        found: list[Datum] = []
        count = len(next(iter(levels.values())))
        for step in range(count):
            for slot, sweep in settings.sweeps.items():
                self._modules[slot].force(sweep.at(levels[slot][step]))
            point = [*self._sweep_point(), *self._sources(levels, step, is_last=step == count - 1)]
            found += point
            if settings.sweep_abort[0] == 2 and any(_is_limited(datum) for datum in point):
                found += _missing(point, count - 1 - step)
                self._end_sweep(is_whole=False)
                return found
        self._end_sweep(is_whole=True)
        return found

    def _sweep_point(self) -> list[Datum]:
        """Wait, measure, and let a step last as long as it shall."""
        _, delay, step_delay, _, measurement_delay = self.settings.sweep_times
        began = self._clock.now()
        point = list(self._point(delay + measurement_delay))
        self._clock.charge(max(0.0, began + delay + step_delay - self._clock.now()))
        return point

    def _sources(
        self, levels: Mapping[int, Sequence[float]], step: int, *, is_last: bool
    ) -> Iterator[Datum]:
        """Yield what was forced, where that is asked for."""
        asked = self.settings.source_data
        for number, (slot, sweep) in enumerate(self.settings.sweeps.items(), start=1):
            if number == asked:
                status = LAST_STEP if is_last else FIRST_STEPS
                span = self._modules[slot].meter.source_range(
                    "VOLT" if sweep.quantity == "V" else "CURR"
                )
                value = levels[slot][step]
                yield Datum(sweep.quantity, slot, value, status, span, is_source=True)

    def _end_sweep(self, *, is_whole: bool) -> None:
        """Force the start or the stop, as is chosen; the start after a sweep that was stopped."""
        at_stop = is_whole and self.settings.sweep_abort[1] == 2
        for slot, sweep in self.settings.sweeps.items():
            self._modules[slot].force(sweep.at(sweep.stop if at_stop else sweep.start))

    def _sampling(self) -> list[Datum]:
        """Hold the bases, then the biases, and take samples."""
        hold, interval, number, hold_of_base = self.settings.sampling_times
        self._bias(lambda bias: bias.base)
        self._clock.charge(hold_of_base)
        self._bias(lambda bias: bias.bias)
        began = self._clock.now()
        found: list[Datum] = []
        for index in range(number):
            due = began + max(hold, 0.0) + _sample_time(self.settings.sampling, interval, index)
            point = list(self._point(max(0.0, due - self._clock.now())))
            if self.settings.source_data:
                found.append(Datum("X", 0, float(index + 1)))
            found += point
            if self.settings.sampling_abort[0] == 2 and any(map(_is_limited, point)):
                found += _missing(point, number - 1 - index)
                break
        if self.settings.sampling_abort[1] == 1:
            self._bias(lambda bias: bias.base)
        return found

    def _bias(self, level: Callable[[Bias], float]) -> None:
        for slot, bias in self.settings.biases.items():
            self._modules[slot].force(bias.at(level(bias)))


def _sample_time(mode: int, interval: float, index: int) -> float:
    """Return when a sample is due, in s after the first; logarithmic from 1 interval on."""
    if mode == 1:
        return interval * index
    return float(interval * (10.0 ** (index / SAMPLES_OF_A_DECADE[mode]) - 1.0))


def _is_limited(datum: Datum) -> bool:
    return not datum.is_source and bool(datum.status & LIMITED)


def _missing(point: Sequence[Datum], count: int) -> list[Datum]:
    """Return the data of `count` points that were not measured any more."""
    gone = [
        datum if datum.kind in "TX" else replace(datum, value=NO_DATA, status=INVALID)
        for datum in point
    ]
    return gone * count
