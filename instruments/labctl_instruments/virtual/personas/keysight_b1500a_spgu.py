"""The pulse generator module of a B1500A (SPGU, B1525A): two channels, trains of pulses.

Levels are told for the load that is set (50 ohm after `*RST`): into a memristor line, which takes
no current to speak of, an output delivers twice what is told, unless the load is set to match.
What is set takes effect with `SPUPD`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.personas.keysight_b1500a_flex import (
    BAD_VALUE,
    SWITCH_IS_OFF,
    FlexError,
    Numbers,
    told,
    whole,
    within,
)
from labctl_instruments.virtual.probed_chip import ProbedChip, Train
from labctl_instruments.virtual.routing import Drive, Terminal

MODEL = "B1525A"
SOURCE_IMPEDANCE = 50.0
HIGHEST_OPEN = 40.0
"""Highest level into an open output, in V."""
CURRENT = 0.4
"""Most current of an output [chosen], in A."""
FREE_RUN, COUNT, DURATION = range(3)
"""What ends a train of pulses (`SPRM`)."""
DC, FIRST, SECOND, BOTH = range(4)
"""Output modes of a channel (`SPM`): of which pulse source its levels are."""
MOST_PULSES = 1_000_000
_PERIODS = (2e-8, 10.0)
_WIDTHS = (1e-8, 10.0)
_TRANSITIONS = (8e-9, 0.4)


@dataclass(frozen=True)
class PulseSource:
    """One of a channel's two pulse sources; levels at the set load, in V."""

    delay: float = 0.0
    width: float = 1e-7
    leading: float = 2e-8
    trailing: float = 2e-8
    base: float = 0.0
    peak: float = 0.0


@dataclass(frozen=True)
class Setup:
    """What a channel is set to."""

    mode: int = FIRST
    load: float = SOURCE_IMPEDANCE
    level: float = 0.0
    """Of the output mode DC, in V."""
    sources: Mapping[int, PulseSource] = field(
        default_factory=lambda: {FIRST: PulseSource(), SECOND: PulseSource()}
    )
    """By number."""

    @property
    def scale(self) -> float:
        """Level into an open output over the level at the set load."""
        return (self.load + SOURCE_IMPEDANCE) / self.load

    def with_mode(self, mode: int) -> Setup:
        """Return the setup with another output mode."""
        return replace(self, mode=mode)

    def with_load(self, load: float) -> Setup:
        """Return the setup with another load, in ohm."""
        return replace(self, load=load)

    def pulse(self) -> PulseSource:
        """Return the pulse that the mode makes; of both sources the first one's times."""
        if self.mode == DC:
            return PulseSource(base=self.level, peak=self.level)
        if self.mode != BOTH:
            return self.sources[self.mode]
        first, second = self.sources[FIRST], self.sources[SECOND]
        return replace(first, base=first.base + second.base, peak=first.peak + second.peak)


class SpguChannel:
    """One output, as a terminal of the matrix."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        """What the log calls it."""
        self.number = number
        """Its FLEX channel, such as 501."""
        self.is_on = False
        """Whether the output switch is closed."""
        self.has_pulse_switch = False
        """`ODSW`: kept, not applied."""
        self.asked = Setup()
        """As told."""
        self.active = Setup()
        """As `SPUPD` found it."""
        self._began: float | None = None
        self._period = 0.0
        self._given = 0

    def run_from(self, time: float | None, period: float) -> None:
        """Pulse by itself from bench time `time` on, every `period` s; None: no more."""
        self._began, self._period, self._given = time, period, 0

    @property
    def is_running(self) -> bool:
        """Whether it pulses by itself."""
        return self._began is not None

    @property
    def has_pulses(self) -> bool:
        """Whether what it makes now are pulses."""
        pulse = self.active.pulse()
        return self.is_on and self.active.mode != DC and pulse.peak != pulse.base

    def due(self, time: float) -> Train | None:
        """Return the pulses it has given by itself up to `time`, since last asked."""
        if self._began is None:
            return None
        total = int((time - self._began) / self._period)
        count, self._given = total - self._given, total
        pulse = self.active.pulse()
        if not count or not self.has_pulses:
            return None
        return Train(pulse.peak * self.active.scale, pulse.width, count)

    def drive(self) -> Drive | None:
        """Return what the output does between pulses."""
        if not self.is_on:
            return None
        return Drive(self.active.pulse().base * self.active.scale, CURRENT)


class SpguModule:
    """A pulse generator in one slot.

    Parameters
    ----------
    slot : int
        Its slot; its channels are 01 and 02 of it.
    name : str
        Its name on the bench.
    chip : ProbedChip
        What its outputs meet.
    clock : Clock
        Bench time.
    """

    def __init__(self, slot: int, name: str, *, chip: ProbedChip, clock: Clock) -> None:
        self.slot = slot
        self._chip = chip
        self._clock = clock
        self.channels = {
            100 * slot + place: SpguChannel(f"{name}:{place}", 100 * slot + place)
            for place in (1, 2)
        }
        """By their FLEX numbers."""
        for channel in self.channels.values():
            chip.run_free(channel)
        self._set_back()

    def _set_back(self) -> None:
        self.end_mode, self.condition = COUNT, 1.0
        self.period = 1e-6

    def reset(self) -> None:
        """Put all settings back; the switches open."""
        self.stop()
        self._chip.before_change()
        for channel in self.channels.values():
            channel.is_on = channel.has_pulse_switch = False
            channel.asked = channel.active = Setup()
        self._set_back()
        self._chip.after_change()

    def switch(self, number: int, *, on: bool) -> None:
        """Close or open an output switch; the output is at 0 V as it closes."""
        channel = self.channels[number]
        if on == channel.is_on:
            return
        self._chip.before_change()
        channel.run_from(None, self.period)
        channel.is_on = on
        channel.active = Setup()
        self._chip.after_change()

    def zero(self) -> None:
        """Bring the outputs to 0 V (`SIM` does so)."""
        self.stop()
        self._chip.before_change()
        for channel in self.channels.values():
            channel.active = Setup()
        self._chip.after_change()

    def end(self, mode: float, condition: Numbers) -> None:
        """Set what ends a train: nothing, a number of pulses, or a duration in s (`SPRM`)."""
        chosen = whole(mode, (FREE_RUN, COUNT, DURATION))
        if bool(condition) != (chosen != FREE_RUN):
            raise FlexError(BAD_VALUE)
        if chosen == COUNT:
            whole(condition[0], range(1, MOST_PULSES + 1))
        elif chosen == DURATION:
            within(condition[0], 1e-6, 31_556_926.0)
        self.end_mode, self.condition = chosen, (*condition, 0.0)[0]

    def set_period(self, seconds: float) -> None:
        """Set the period of all channels, in s (`SPPER`)."""
        self.period = within(seconds, *_PERIODS)

    def set_levels(self, number: int, source: float, base: float, peak: float | None) -> None:
        """Set base and peak of a pulse source, or the level of the mode DC (`SPV`)."""
        channel = self.channels[number]
        chosen = whole(source, (DC, FIRST, SECOND))
        for level in (base, peak or 0.0):
            within(abs(level) * channel.asked.scale, 0.0, HIGHEST_OPEN)
        if chosen == DC:
            channel.asked = replace(channel.asked, level=base)
        else:
            self._put(channel, chosen, base=base, peak=base if peak is None else peak)

    def set_times(self, number: int, source: float, times: Numbers) -> None:
        """Set delay, width, leading and trailing time of a pulse source, in s (`SPT`)."""
        chosen = whole(source, (FIRST, SECOND))
        delay, width, *edges = times
        leading = edges[0] if edges else 2e-8
        trailing = edges[1] if len(edges) > 1 else leading
        for edge in (leading, trailing):
            within(edge, *_TRANSITIONS)
        self._put(
            self.channels[number],
            chosen,
            delay=within(delay, 0.0, _PERIODS[1]),
            width=within(width, *_WIDTHS),
            leading=leading,
            trailing=trailing,
        )

    @staticmethod
    def _put(channel: SpguChannel, source: int, **values: float) -> None:
        sources = dict(channel.asked.sources)
        sources[source] = replace(sources[source], **values)
        channel.asked = replace(channel.asked, sources=sources)

    def update(self, number: int) -> None:
        """Bring a channel to what it was told, at its base (`SPUPD`)."""
        channel = self.channels[number]
        if not channel.is_on:
            raise FlexError(SWITCH_IS_OFF)
        pulse = channel.asked.pulse()
        if pulse.delay + pulse.width + (pulse.leading + pulse.trailing) / 2 > self.period:
            raise FlexError(BAD_VALUE)
        self._chip.before_change()
        channel.active = channel.asked
        self._chip.after_change()

    def start(self) -> None:
        """Start the train of all outputs that are on (`SRP`); one that ends is over at once."""
        if self.end_mode == FREE_RUN:
            for channel in self.channels.values():
                channel.run_from(self._clock.now(), self.period)
            return
        is_counted = self.end_mode == COUNT
        count = int(self.condition if is_counted else self.condition / self.period)
        trains: dict[Terminal, Train] = {}
        for channel in self.channels.values():
            pulse = channel.active.pulse()
            if channel.has_pulses:
                peak = pulse.peak * channel.active.scale
                trains[channel] = Train(peak, pulse.width, count)
        self._chip.pulse_together(trains)
        self._clock.charge(count * self.period)

    def stop(self) -> None:
        """End a train that runs by itself (`SPP`)."""
        self._chip.before_change()
        for channel in self.channels.values():
            channel.run_from(None, self.period)

    def is_running(self) -> bool:
        """Return whether a train runs by itself."""
        return any(channel.is_running for channel in self.channels.values())

    def levels(self, number: int, source: float) -> str:
        """Return base and peak of a pulse source, or the level of the mode DC."""
        asked = self.channels[number].asked
        chosen = whole(source, (DC, FIRST, SECOND))
        if chosen == DC:
            return f"{told(asked.level)},0"
        return f"{told(asked.sources[chosen].base)},{told(asked.sources[chosen].peak)}"

    def times(self, number: int, source: float) -> str:
        """Return delay, width, leading and trailing time of a pulse source."""
        pulse = self.channels[number].asked.sources[whole(source, (FIRST, SECOND))]
        return ",".join(map(told, (pulse.delay, pulse.width, pulse.leading, pulse.trailing)))
