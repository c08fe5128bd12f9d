"""One source-measure module of a B1500A: ranges by their FLEX codes, converters, compliance.

What it forces and what its meter says is `SourceMeter`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.meter_noise import MeterNoise
from labctl_instruments.virtual.personas.keysight_b1500a_data import (
    ADC_OVERFLOW,
    LIMITED,
    NO_DATA,
    Datum,
)
from labctl_instruments.virtual.personas.keysight_b1500a_flex import (
    BAD_COMPLIANCE,
    BAD_RANGE,
    BAD_VALUE,
    INTERLOCK_OPEN,
    NOTHING_TO_RESTORE,
    SWITCH_IS_OFF,
    FlexError,
    told,
)
from labctl_instruments.virtual.probed_chip import ProbedChip
from labctl_instruments.virtual.source_meter import (
    LINE_FREQUENCY,
    OVERFLOW,
    MeterModel,
    Reading,
    SenseSettings,
    Settings,
    SourceMeter,
    SourceSettings,
)

NAMES = {"V": "VOLT", "I": "CURR"}
"""What FLEX calls V and I, as the source-meter calls it."""
VOLTAGE_CODES: Mapping[int, float] = {
    5: 0.5,
    11: 2.0,
    20: 2.0,
    50: 5.0,
    12: 20.0,
    200: 20.0,
    13: 40.0,
    400: 40.0,
    14: 100.0,
    1000: 100.0,
}
"""Ranges by their codes, in V."""
CURRENT_CODES: Mapping[int, float] = {code: float(f"1e{code - 20}") for code in range(9, 20)}
"""Ranges by their codes, in A: 11 is 1 nA."""
INTERLOCK_VOLTAGE = 42.0
"""Most that is forced while the interlock is open, as it is here [chosen], in V."""
POWER = ((20.0, 0.1), (40.0, 0.05), (100.0, 0.02))
"""Most current at voltages up to a bound, in V and A (data sheet of HRSMU and MPSMU)."""
FIRST_COMPLIANCE = {"VOLT": 1e-4, "CURR": 20.0}
"""Compliance after the switch has closed, where none is given [the latter chosen], in A or V."""
SAMPLES_OF_A_CYCLE = 128
"""Samples of the high-speed converter in one power-line cycle (programming guide, AIT)."""
HIGH_RESOLUTION_UNIT = 80e-6
"""Integration of the high-resolution converter in the modes 0 and 1 for N = 1 [chosen], in s."""
AUTO, MANUAL, CYCLES, SECONDS = range(4)
"""Modes of a converter (`AIT`)."""


def _models(lowest: float, least_noise: float) -> tuple[MeterModel, MeterModel]:
    """Return a module with its high-speed and with its high-resolution converter."""
    ranges = {
        "VOLT": (0.5, 2.0, 5.0, 20.0, 40.0, 100.0),
        "CURR": tuple(span for span in CURRENT_CODES.values() if span >= lowest),
    }
    fine = MeterModel(
        ranges=ranges,
        highest={"VOLT": 100.0, "CURR": 0.1},
        resolution=1e-6,
        source_steps=20_000,
        noise=1e-6,
        least_noise={"VOLT": 1e-6, "CURR": least_noise},
    )
    return replace(fine, resolution=1 / 50_000, noise=5e-6), fine


@dataclass(frozen=True)
class ModuleKind:
    """What a slot can hold to source and measure."""

    model: str
    """Model number, as `UNT?` tells it."""
    models: tuple[MeterModel, MeterModel]
    """With the high-speed and with the high-resolution converter; noise is [chosen]."""


HRSMU = ModuleKind("B1517A", _models(1e-11, 2e-15))
MPSMU = ModuleKind("B1511B", _models(1e-9, 20e-15))


@dataclass(frozen=True)
class Converter:
    """How one type of converter integrates, for all modules (`AIT`)."""

    mode: int
    number: float

    def senses(self, *, is_high_resolution: bool) -> tuple[float, int]:
        """Return power-line cycles of one conversion, and how many conversions are averaged."""
        if self.mode == CYCLES:
            return 1.0, int(self.number)
        if self.mode == SECONDS:
            return max(self.number, 2e-6) * LINE_FREQUENCY, 1
        if is_high_resolution:
            return HIGH_RESOLUTION_UNIT * LINE_FREQUENCY * self.number, 1
        return self.number / SAMPLES_OF_A_CYCLE, 1


@dataclass(frozen=True)
class Forced:
    """What a module forces, as DV or DI said it."""

    quantity: str
    """`V` or `I`."""
    code: int
    """Code of the range, 0 for automatic."""
    level: float
    """In V or A."""
    compliance: float
    """In A or V."""
    polarity: int = 0
    """0: of the output; 1: as told. The limit holds in both directions here."""
    compliance_code: int = 0
    """Code of the range of the compliance."""


AT_ZERO = Forced("V", 0, 0.0, FIRST_COMPLIANCE["VOLT"])


@dataclass
class SmuSettings:
    """What `*RST` puts back, beside what the source-meter keeps."""

    forced: Forced = AT_ZERO
    """What is forced."""
    before_zero: Forced | None = None
    """What RZ restores."""
    ranges: dict[str, int] = field(default_factory=lambda: {"I": 0, "V": 0})
    """Measurement ranges (`RI`, `RV`): 0 automatic, below 0 fixed."""
    operation: int = 0
    """`CMM`."""
    adc: int = 0
    """`AAD`: 0 high speed, 1 high resolution."""
    is_filtered: bool = False
    """`FL`."""
    ranging: tuple[int, int] = (1, 50)
    """`RM`."""


class SmuModule:
    """An SMU in one slot.

    Parameters
    ----------
    slot : int
        Its slot, which is its channel.
    kind : ModuleKind
        What it can do.
    name : str
        Its name on the bench.
    chip : ProbedChip
        What its output meets.
    clock : Clock
        Bench time.
    noise : MeterNoise
        The noise of its readings.
    """

    def __init__(
        self,
        slot: int,
        kind: ModuleKind,
        name: str,
        *,
        chip: ProbedChip,
        clock: Clock,
        noise: MeterNoise,
    ) -> None:
        self.slot = slot
        self.kind = kind
        self.meter = SourceMeter(
            name, kind.models[0], chip=chip, clock=clock, noise=noise, initial=_initial
        )
        self.settings = SmuSettings()

    def reset(self) -> None:
        """Put all settings back; the switch opens."""
        self.meter.reset()
        self.settings = SmuSettings()

    @property
    def is_on(self) -> bool:
        """Whether the output switch is closed."""
        return self.meter.settings.is_on

    def switch(self, *, on: bool) -> None:
        """Close or open the output switch; either way the output is at 0 V."""
        if on and self.is_on:
            return
        self.settings.forced, self.settings.before_zero = AT_ZERO, None
        self._apply(AT_ZERO, on=on)

    def force(self, forced: Forced) -> None:
        """Force a voltage or a current; FlexError if it cannot, and then nothing changes."""
        self._check_switch()
        self.check(forced)
        self.settings.forced, self.settings.before_zero = forced, None
        self._apply(forced, on=True)

    def compliance(self, quantity: str, given: float | None) -> float:
        """Return the compliance of a source of V or I: given, or as it was, or the first one."""
        if given is not None:
            return abs(given)
        forced = self.settings.forced
        is_same = forced.quantity == quantity
        return forced.compliance if is_same else FIRST_COMPLIANCE[NAMES[quantity]]

    def check(self, forced: Forced) -> None:
        """Raise what forbids forcing this: its range, its power, the interlock."""
        output, other = ("V", "I") if forced.quantity == "V" else ("I", "V")
        if forced.code < 0:
            raise FlexError(BAD_RANGE)
        self.span(output, forced.code)
        self.span(other, forced.compliance_code)
        if abs(forced.level) > self.meter.model.highest[NAMES[output]]:
            raise FlexError(BAD_VALUE)
        voltage = forced.level if output == "V" else forced.compliance
        current = forced.compliance if output == "V" else forced.level
        lowest = self.meter.model.ranges["CURR"][0] / 10 if output == "V" else 0.0
        if not forced.compliance > lowest:
            raise FlexError(BAD_COMPLIANCE)
        if abs(voltage) > INTERLOCK_VOLTAGE:
            raise FlexError(INTERLOCK_OPEN)
        if abs(current) > next(most for bound, most in POWER if abs(voltage) <= bound):
            raise FlexError(BAD_COMPLIANCE if output == "V" else BAD_VALUE)

    def zero(self) -> None:
        """Bring the output to 0 V at once, and keep what it was (DZ)."""
        self._check_switch()
        before = self.settings.before_zero or self.settings.forced
        self._apply(AT_ZERO, on=True)
        self.settings.before_zero = before

    def restore(self) -> None:
        """Force again what DZ ended (RZ)."""
        self._check_switch()
        before = self.settings.before_zero
        if before is None:
            raise FlexError(NOTHING_TO_RESTORE)
        self.force(before)

    def span(self, quantity: str, code: int) -> float:
        """Return the range of a code, in V or A, 0 for automatic; error 124 if it has none."""
        codes = VOLTAGE_CODES if quantity == "V" else CURRENT_CODES
        if code == 0:
            return 0.0
        span = codes.get(abs(code))
        if span is None or span not in self.meter.model.ranges[NAMES[quantity]]:
            raise FlexError(BAD_RANGE)
        return span

    def measure(
        self, quantity: str, code: int, converters: tuple[Converter, Converter], delay: float
    ) -> Datum:
        """Take one reading of `V` or `I`, on the range of `code`, after `delay` s."""
        self._check_switch()
        span = self.span(quantity, code)
        self._set_up(quantity, code, span, converters[self.settings.adc])
        reading = self.meter.take_reading(extra_delay=delay)
        return self._datum(reading, quantity)

    def learnt(self) -> str:
        """Return what the module does, as the command that makes it so (`*LRN?` of its slot)."""
        if not self.is_on:
            return f"CL{self.slot}"
        it = AT_ZERO if self.settings.before_zero else self.settings.forced
        numbers = (told(it.level), told(it.compliance), str(it.polarity), str(it.compliance_code))
        return f"D{it.quantity}{self.slot},{it.code},{','.join(numbers)}"

    def _datum(self, reading: Reading, quantity: str) -> Datum:
        value = reading.value(NAMES[quantity])
        status = LIMITED if reading.limited else 0
        if abs(value) >= OVERFLOW:
            value, status = NO_DATA, status | ADC_OVERFLOW
        return Datum(
            quantity,
            self.slot,
            value,
            status,
            range=self.meter.sense_range(NAMES[quantity]),
            is_high_resolution=self.settings.adc == 1,
        )

    def _set_up(self, quantity: str, code: int, span: float, converter: Converter) -> None:
        """Bring the meter to a range and an integration."""
        is_fine = self.settings.adc == 1
        cycles, conversions = converter.senses(is_high_resolution=is_fine)
        self.meter.model = self.kind.models[self.settings.adc]
        settings = self.meter.settings
        settings.sense = NAMES[quantity]
        settings.senses[NAMES[quantity]] = SenseSettings(
            nplc=cycles,
            range=span,
            is_auto=code >= 0,
            lowest=span if code > 0 else 0.0,
            average_count=conversions,
            is_averaged=True,
        )

    def _check_switch(self) -> None:
        if not self.is_on:
            raise FlexError(SWITCH_IS_OFF)

    def _apply(self, forced: Forced, *, on: bool) -> None:
        span = self.span(forced.quantity, forced.code)
        self.meter.change(partial(_put, forced=forced, lowest=span, on=on))


def _put(settings: Settings, *, forced: Forced, lowest: float, on: bool) -> None:
    """Write into the source-meter's settings what shall be forced."""
    settings.is_on = on
    settings.source = NAMES[forced.quantity]
    source = settings.sources[settings.source]
    source.level, source.limit, source.lowest = forced.level, forced.compliance, lowest


def _initial() -> Settings:
    """Return the settings after `*RST`: an output that is off is disconnected."""
    sources = {
        name: SourceSettings(limit=limit, delay=0.0, is_auto_delay=False, off_state="HIMP")
        for name, limit in FIRST_COMPLIANCE.items()
    }
    return Settings(sources)
