"""FLEX commands that set what a B1500A's SMUs force and how they measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labctl_instruments.virtual.personas.keysight_b1500a_flex import (
    BAD_COUNT,
    BAD_VALUE,
    FlexError,
    FlexTable,
    Numbers,
    whole,
    within,
)
from labctl_instruments.virtual.personas.keysight_b1500a_measurement import (
    LOGARITHMIC,
    LOGARITHMIC_DOUBLE,
    MOST_POINTS,
    SAMPLES_OF_A_DECADE,
    SAMPLING,
    SPOT,
    STAIRCASE,
    Bias,
    MeasurementSettings,
    Staircase,
)
from labctl_instruments.virtual.personas.keysight_b1500a_smu import (
    CYCLES,
    SECONDS,
    Converter,
    Forced,
)

if TYPE_CHECKING:
    from labctl_instruments.virtual.personas.keysight_b1500a import KeysightB1500APersona

_MOST_OF_A_CONVERTER = ((1023, 127), (1023, 127), (100, 100), (0.02, 0.0))
"""Largest number of `AIT`, by mode, of the high-speed and the high-resolution converter."""


def add_source_commands(table: FlexTable, frame: KeysightB1500APersona) -> None:
    """Register the commands on a table, for the modules of a mainframe."""
    sources = _Sources(frame)
    for quantity in "VI":
        table.add(f"D{quantity}", _of(sources.force, quantity), (3, 6))
        table.add(f"W{quantity}", _of(sources.sweep, quantity), (6, 8))
        table.add(f"WS{quantity}", _of(sources.synchronous, quantity), (4, 6))
        table.add(f"M{quantity}", _of(sources.bias, quantity), (4, 5))
        table.add(f"R{quantity}", _of(sources.range, quantity), 2)
    for header, action, numbers in (
        ("MM", sources.mode, (1, 11)),
        ("CMM", sources.operation, 2),
        ("AAD", sources.adc, 2),
        ("AIT", sources.integration, (2, 3)),
        ("AV", sources.averaging, (1, 2)),
        ("AZ", sources.auto_zero, 1),
        ("WAT", sources.wait, (2, 3)),
        ("FL", sources.filter, (1, 11)),
        ("SSR", sources.series_resistor, 2),
        ("RM", sources.ranging, (2, 3)),
        ("WT", sources.sweep_times, (2, 5)),
        ("WM", sources.sweep_end, (1, 2)),
        ("ML", sources.sampling_mode, 1),
        ("MT", sources.sampling_times, (3, 4)),
        ("MSC", sources.sampling_end, (1, 2)),
        ("MCC", sources.clear_biases, (0, 10)),
    ):
        table.add(header, action, numbers)


def _of(action: Callable[[str, Numbers], None], quantity: str) -> Callable[[Numbers], None]:
    return lambda numbers: action(quantity, numbers)


class _Sources:
    """What the commands do."""

    def __init__(self, frame: KeysightB1500APersona) -> None:
        self._frame = frame

    @property
    def _set(self) -> MeasurementSettings:
        return self._frame.measurement.settings

    def force(self, quantity: str, numbers: Numbers) -> None:
        """Force at once: DV channel,range,level[,compliance[,polarity[,range]]]."""
        channel, code, level, *rest = numbers
        smu = self._frame.smu(channel)
        given = rest[0] if rest else None
        polarity = whole(rest[1], (0, 1)) if len(rest) > 1 else 0
        compliance_code = int(rest[2]) if len(rest) > 2 else 0
        compliance = smu.compliance(quantity, given)
        smu.force(Forced(quantity, int(code), level, compliance, polarity, compliance_code))

    def range(self, quantity: str, numbers: Numbers) -> None:
        """Choose the range of a measurement that XE starts."""
        smu = self._frame.smu(numbers[0])
        smu.span(quantity, int(numbers[1]))
        smu.settings.ranges[quantity] = int(numbers[1])

    def mode(self, numbers: Numbers) -> None:
        """Choose a measurement and its channels; those of a mode that names none may lack."""
        mode = whole(numbers[0], (SPOT, STAIRCASE, SAMPLING))
        channels = tuple(self._frame.smu(number).slot for number in numbers[1:])
        if not channels or len(set(channels)) != len(channels):
            raise FlexError(BAD_COUNT)
        self._set.mode, self._set.channels = mode, channels

    def operation(self, numbers: Numbers) -> None:
        """Choose what a channel measures."""
        self._frame.smu(numbers[0]).settings.operation = whole(numbers[1], range(5))

    def adc(self, numbers: Numbers) -> None:
        """Choose a channel's converter; the pulsed one is never that of a DC measurement."""
        smu, chosen = self._frame.smu(numbers[0]), whole(numbers[1], range(3))
        if chosen != 2:
            smu.settings.adc = chosen

    def integration(self, numbers: Numbers) -> None:
        """Set up a converter for all channels."""
        kind, mode = whole(numbers[0], range(3)), whole(numbers[1], range(4))
        is_fine = kind == 1
        if is_fine and mode == SECONDS:
            raise FlexError(BAD_VALUE)
        given = numbers[2] if len(numbers) > 2 else (2e-6 if mode == SECONDS else 1.0)
        most = _MOST_OF_A_CONVERTER[mode][is_fine]
        least = 2e-6 if mode == SECONDS else 1.0
        if mode != SECONDS:
            whole(given, range(int(most) + 1))
        converters = list(self._set.converters)
        converters[kind] = Converter(mode, within(given, least, most))
        self._set.converters = (converters[0], converters[1], converters[2])

    def averaging(self, numbers: Numbers) -> None:
        """Set up the high-speed converter: samples, or whole cycles where below 0."""
        count = numbers[0]
        if count < 0:
            whole(count, range(-100, 0))
            chosen = Converter(CYCLES, -count)
        else:
            whole(count, range(1, 1024))
            chosen = Converter(whole((*numbers, 0.0)[1], (0, 1)), count)
        self._set.converters = (chosen, *self._set.converters[1:])

    def auto_zero(self, numbers: Numbers) -> None:
        """Take the zero of the high-resolution converter each time, or not."""
        self._set.is_zeroed = bool(whole(numbers[0], (0, 1)))

    def wait(self, numbers: Numbers) -> None:
        """Set a wait: its factor and its offset, in s."""
        kind = whole(numbers[0], (1, 2, 3))
        factor = within(numbers[1], 0.0, 10.0)
        self._set.waits[kind] = (factor, within((*numbers, 0.0)[2], 0.0, 1.0))

    def filter(self, numbers: Numbers) -> None:
        """Join or part the filters of channels, of all where none is named."""
        on = bool(whole(numbers[0], (0, 1)))
        for smu in self._frame.named(numbers[1:]):
            smu.settings.is_filtered = on

    def series_resistor(self, numbers: Numbers) -> None:
        """Refuse the resistor of 1 Mohm: it is not modelled."""
        self._frame.smu(numbers[0])
        whole(numbers[1], (0,))

    def ranging(self, numbers: Numbers) -> None:
        """Keep how a range is changed; ranges are chosen at once here."""
        smu, mode = self._frame.smu(numbers[0]), whole(numbers[1], (1, 2, 3))
        rate = int(within((*numbers, 50.0)[2], 11, 100))
        smu.settings.ranging = (mode, rate)

    def sweep(self, quantity: str, numbers: Numbers) -> None:
        """Make a channel the staircase source; that takes the synchronous ones away."""
        channel, mode, code, start, stop, steps, *rest = numbers
        smu = self._frame.smu(channel)
        chosen = Staircase(
            quantity,
            whole(mode, (1, 2, 3, 4)),
            int(code),
            start,
            stop,
            whole(steps, range(1, MOST_POINTS + 1)),
            smu.compliance(quantity, rest[0] if rest else None),
            rest[1] if len(rest) > 1 else None,
        )
        if chosen.mode in (LOGARITHMIC, LOGARITHMIC_DOUBLE) and start * stop <= 0.0:
            raise FlexError(BAD_VALUE)
        self._check(smu.slot, chosen)
        self._set.sweeps = {smu.slot: chosen}

    def synchronous(self, quantity: str, numbers: Numbers) -> None:
        """Let a channel step with the staircase source."""
        channel, code, start, stop, *rest = numbers
        smu = self._frame.smu(channel)
        compliance = smu.compliance(quantity, rest[0] if rest else None)
        power = rest[1] if len(rest) > 1 else None
        chosen = Staircase(quantity, 0, int(code), start, stop, 0, compliance, power)
        self._check(smu.slot, chosen)
        if not self._set.sweeps or smu.slot == next(iter(self._set.sweeps)):
            raise FlexError(BAD_VALUE)
        self._set.sweeps[smu.slot] = chosen

    def _check(self, slot: int, sweep: Staircase) -> None:
        for level in (sweep.start, sweep.stop):
            self._frame.smus[slot].check(sweep.at(level))

    def sweep_times(self, numbers: Numbers) -> None:
        """Set hold, delay, step delay and trigger delays, in s."""
        bounds = (655.35, 65.535, 1.0, 65.535, 65.535)
        times = (*numbers, 0.0, 0.0, 0.0)[:5]
        self._set.sweep_times = tuple(
            within(time, 0.0, most) for time, most in zip(times, bounds, strict=True)
        )

    def sweep_end(self, numbers: Numbers) -> None:
        """Choose whether a compliance ends a sweep, and what is forced after it."""
        self._set.sweep_abort = (
            whole(numbers[0], (1, 2)),
            whole((*numbers, 1.0)[1], (1, 2)),
        )

    def bias(self, quantity: str, numbers: Numbers) -> None:
        """Let a channel force a base and a bias while samples are taken."""
        channel, code, base, bias, *rest = numbers
        smu = self._frame.smu(channel)
        compliance = smu.compliance(quantity, rest[0] if rest else None)
        chosen = Bias(quantity, int(code), base, bias, compliance)
        for level in (base, bias):
            smu.check(chosen.at(level))
        self._set.biases[smu.slot] = chosen

    def clear_biases(self, numbers: Numbers) -> None:
        """Forget the biases of channels, of all where none is named."""
        for smu in self._frame.named(numbers):
            self._set.biases.pop(smu.slot, None)

    def sampling_mode(self, numbers: Numbers) -> None:
        """Choose equal intervals, or so many samples a decade."""
        self._set.sampling = whole(numbers[0], (1, *SAMPLES_OF_A_DECADE))

    def sampling_times(self, numbers: Numbers) -> None:
        """Set hold of the bias, interval, number, hold of the base, in s."""
        hold, interval, number, *rest = numbers
        self._set.sampling_times = (
            within(hold, -0.09, 655.35),
            within(interval, 1e-4, 65.535),
            whole(number, range(1, 100_002)),
            within(rest[0] if rest else 0.0, 0.0, 655.35),
        )

    def sampling_end(self, numbers: Numbers) -> None:
        """Choose whether a compliance ends sampling, and what is forced after it."""
        self._set.sampling_abort = (
            whole(numbers[0], (1, 2)),
            whole((*numbers, 2.0)[1], (1, 2)),
        )
