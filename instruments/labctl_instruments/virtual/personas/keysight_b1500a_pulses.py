"""FLEX commands of a B1500A's pulse generators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl_instruments.virtual.personas.keysight_b1500a_flex import (
    BAD_VALUE,
    FlexError,
    FlexTable,
    Numbers,
    told,
    whole,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl_instruments.virtual.personas.keysight_b1500a import KeysightB1500APersona
    from labctl_instruments.virtual.personas.keysight_b1500a_spgu import SpguChannel, SpguModule


def add_pulse_commands(table: FlexTable, frame: KeysightB1500APersona) -> None:
    """Register the commands on a table, for the pulse generators of a mainframe."""
    pulses = _Pulses(frame)
    for header, action, numbers in (
        ("SIM", pulses.mode, 1),
        ("SPRM", pulses.end, (1, 2)),
        ("SPPER", pulses.period, 1),
        ("SPM", pulses.output_mode, 2),
        ("SPT", pulses.times, (4, 6)),
        ("SPV", pulses.levels, (3, 4)),
        ("SER", pulses.load, 2),
        ("ODSW", pulses.pulse_switch, (2, 4)),
        ("SPUPD", pulses.update, (1, 10)),
        ("SRP", pulses.start, 0),
        ("SPP", pulses.stop, 0),
    ):
        table.add(header, action, numbers)
    for header, question, numbers in (
        ("SIM?", lambda _: "0", 0),
        ("SPRM?", pulses.told_end, 0),
        ("SPPER?", pulses.told_period, 0),
        ("SPST?", pulses.is_running, 0),
        ("SPM?", pulses.told_output_mode, 1),
        ("SPT?", pulses.told_times, 2),
        ("SPV?", pulses.told_levels, 2),
        ("SER?", pulses.told_load, 1),
        ("ODSW?", pulses.told_pulse_switch, 1),
    ):
        table.add(header, question, numbers)


class _Pulses:
    """What the commands do; those without a channel are for all pulse generators."""

    def __init__(self, frame: KeysightB1500APersona) -> None:
        self._frame = frame

    def channel(self, number: float) -> SpguChannel:
        """Return the output of that number."""
        return self._frame.spgu(number).channels[int(number)]

    def _all(self, act: Callable[[SpguModule], None]) -> None:
        if not self._frame.spgus:
            raise FlexError(BAD_VALUE)
        for module in self._frame.spgus.values():
            act(module)

    def _first(self) -> SpguModule:
        for module in self._frame.spgus.values():
            return module
        raise FlexError(BAD_VALUE)

    def mode(self, numbers: Numbers) -> None:
        """Choose pulses; arbitrary linear waveforms (1) are not there."""
        whole(numbers[0], (0,))
        self._all(lambda module: module.zero())

    def end(self, numbers: Numbers) -> None:
        """Choose what ends a train."""
        self._all(lambda module: module.end(numbers[0], numbers[1:]))

    def told_end(self, _: Numbers) -> str:
        """Return what ends a train."""
        module = self._first()
        return f"{module.end_mode},{told(module.condition)}"

    def period(self, numbers: Numbers) -> None:
        """Set the period."""
        self._all(lambda module: module.set_period(numbers[0]))

    def told_period(self, _: Numbers) -> str:
        """Return the period, in s."""
        return told(self._first().period)

    def output_mode(self, numbers: Numbers) -> None:
        """Choose which pulse source an output follows."""
        channel = self.channel(numbers[0])
        channel.asked = channel.asked.with_mode(whole(numbers[1], range(4)))

    def times(self, numbers: Numbers) -> None:
        """Set the times of a pulse source."""
        self._frame.spgu(numbers[0]).set_times(int(numbers[0]), numbers[1], numbers[2:])

    def levels(self, numbers: Numbers) -> None:
        """Set the levels of a pulse source."""
        number, source, base, *peaks = numbers
        peak = peaks[0] if peaks else None
        self._frame.spgu(number).set_levels(int(number), source, base, peak)

    def load(self, numbers: Numbers) -> None:
        """Set the load that levels are told for, in ohm."""
        channel = self.channel(numbers[0])
        channel.asked = channel.asked.with_load(within(numbers[1], 0.1, 1e6))

    def pulse_switch(self, numbers: Numbers) -> None:
        """Keep whether a switch opens between pulses; it does not here."""
        self.channel(numbers[0]).has_pulse_switch = bool(whole(numbers[1], (0, 1)))

    def told_output_mode(self, numbers: Numbers) -> str:
        """Return which pulse source an output follows."""
        return str(self.channel(numbers[0]).asked.mode)

    def told_times(self, numbers: Numbers) -> str:
        """Return the times of a pulse source, in s."""
        return self._frame.spgu(numbers[0]).times(int(numbers[0]), numbers[1])

    def told_levels(self, numbers: Numbers) -> str:
        """Return the levels of a pulse source, in V."""
        return self._frame.spgu(numbers[0]).levels(int(numbers[0]), numbers[1])

    def told_load(self, numbers: Numbers) -> str:
        """Return the load that levels are told for, in ohm."""
        return told(self.channel(numbers[0]).asked.load)

    def told_pulse_switch(self, numbers: Numbers) -> str:
        """Return whether a switch shall open between pulses."""
        return str(int(self.channel(numbers[0]).has_pulse_switch))

    def update(self, numbers: Numbers) -> None:
        """Let what was set take effect, on channels or on whole modules."""
        for number in numbers:
            if number in self._frame.spgus:
                module = self._frame.spgus[int(number)]
                for channel in module.channels.values():
                    if channel.is_on:
                        module.update(channel.number)
            else:
                self._frame.spgu(number).update(int(number))

    def start(self, _: Numbers) -> None:
        """Start the outputs."""
        self._all(lambda module: module.start())

    def stop(self, _: Numbers) -> None:
        """Stop them."""
        self._all(lambda module: module.stop())

    def is_running(self, _: Numbers) -> str:
        """Return 1 while a train runs."""
        return str(int(any(module.is_running() for module in self._frame.spgus.values())))
