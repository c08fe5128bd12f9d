"""Keysight 81160A pulse generator: two channels, triggered bursts of pulses into any load.

Levels are told for the load that is set (50 ohm after `*RST`): into a memristor line, which takes
no current to speak of, an output delivers twice what is told, unless the load is set to match.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.persona import GPIB_MESSAGE_TIME, ScpiPersona
from labctl_instruments.virtual.probed_chip import ProbedChip, Train
from labctl_instruments.virtual.routing import Drive, Terminal
from labctl_instruments.virtual.scpi import (
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiEngine,
    ScpiError,
)

SOURCE_IMPEDANCE = 50.0
HIGHEST_OPEN = 10.0
"""Highest level into an open output, in V."""
CURRENT = 0.2
"""Largest current of an output: the highest level over the source impedance, in A."""
CHANNELS = (1, 2)
SHAPES = ("SINusoid", "SQUare", "RAMP", "PULSe", "NOISe", "DC", "USER")


@dataclass(eq=False)
class Channel:
    """One output; levels are those into an open output, in V."""

    name: str
    """What the log calls it."""
    shape: str = "SIN"
    is_on: bool = False
    load: float = SOURCE_IMPEDANCE
    high: float = 0.5 * 2
    low: float = -0.5 * 2
    period: float = 1e-6
    width: float = 100e-9
    source: str = "IMM"
    """What starts a burst; IMM: the output runs by itself."""
    is_burst: bool = False
    cycles: int = 1
    limit_high: float = HIGHEST_OPEN
    limit_low: float = -HIGHEST_OPEN
    is_limited: bool = False
    polarity: str = "NORM"
    """INV: it rests at the high level and pulses to the low one."""

    @property
    def scale(self) -> float:
        """Level at the set load over the level into an open output."""
        return self.load / (self.load + SOURCE_IMPEDANCE)

    began: float | None = None
    """Bench time at which it began to run by itself, in s; None while it does not."""
    given: int = 0
    """Pulses it has given since then."""

    def drive(self) -> Drive | None:
        """Return what the output does between pulses."""
        rest = self.low if self.polarity == "NORM" else self.high
        return Drive(rest, CURRENT) if self.is_on else None

    @property
    def peak(self) -> float:
        """Level of its pulses, in V."""
        return self.high if self.polarity == "NORM" else self.low

    def due(self, time: float) -> Train | None:
        """Return the pulses it has given by itself up to `time`, since last asked."""
        if self.began is None:
            return None
        total = int((time - self.began) / self.period)
        count, self.given = total - self.given, total
        width = self.width if self.shape == "PULS" else self.period / 2
        return Train(self.peak, width, count) if count > 0 else None

    def begin(self, time: float) -> None:
        """Run by itself from `time` on, if the settings say so: continuous pulses or a square."""
        runs = self.is_on and self.source == "IMM" and not self.is_burst
        self.began = time if runs and self.shape in ("PULS", "SQU") else None
        self.given = 0


class Keysight81160APersona(ScpiPersona):
    """An 81160A whose outputs hang on rows of the switch matrix."""

    message_time = GPIB_MESSAGE_TIME

    def __init__(self, name: str, chip: ProbedChip, clock: Clock, log: DialogueLog) -> None:
        self._name = name
        self._chip = chip
        self._clock = clock
        self._log = log
        self.outputs = {number: Channel(f"{name}:{number}") for number in CHANNELS}
        """The channels, as terminals of the matrix."""
        for output in self.outputs.values():
            chip.run_free(output)
        table = CommandTable(number_format="%.7E")
        self._add_levels(table)
        self._add_times(table)
        self._add_triggers(table)
        self._add_outputs(table)
        self.engine = ScpiEngine(
            table, identity="Agilent Technologies,81160A,MY00000001,1.0.3.0-2.6", reset=self._reset
        )

    def _add_levels(self, table: CommandTable) -> None:
        volt = "[:SOURce[1]]:VOLTage#[:LEVel][:IMMediate]"
        level = Number("V", -HIGHEST_OPEN, HIGHEST_OPEN, style="%.7E")
        for word, key in (("HIGH", "high"), ("LOW", "low")):
            self._level(table, f"{volt}:{word}", level, key)
            limit = f"limit_{key}"
            self._level(table, f"[:SOURce[1]]:VOLTage#:LIMit:{word}", level, limit)
        self._plain(table, "[:SOURce[1]]:VOLTage#:LIMit:STATe", Boolean(), "is_limited")
        table.setting(
            f"{volt}[:AMPLitude]",
            Number("V", 0.0, 2 * HIGHEST_OPEN, style="%.7E"),
            lambda ch: (self._at(ch).high - self._at(ch).low) * self._at(ch).scale,
            lambda ch, value: self._put_swing(ch, value, self._offset(ch)),
        )
        table.setting(
            f"{volt}:OFFSet",
            level,
            self._offset,
            lambda ch, value: self._put_swing(
                ch, (self._at(ch).high - self._at(ch).low) * self._at(ch).scale, value
            ),
        )
        table.stored("[:SOURce[1]]:VOLTage#:UNIT", Choice(("VPP", "VRMS", "DBM"), default="VPP"))

    def _add_times(self, table: CommandTable) -> None:
        period = Number("S", 2e-9, 1e6, style="%.7E")
        width = Number("S", 1.5e-9, 1e6, style="%.7E")
        for header in ("[:SOURce[1]]:PULSe:PERiod#", ":FUNCtion#:PULSe:PERiod"):
            self._plain(table, header, period, "period", self._check_times)
        for header in ("[:SOURce[1]]:PULSe:WIDTh#", ":FUNCtion#:PULSe:WIDTh"):
            self._plain(table, header, width, "width", self._check_times)
        table.setting(
            "[:SOURce[1]]:FREQuency#",
            Number("HZ", 1e-6, 500e6, style="%.7E"),
            lambda ch: 1.0 / self._at(ch).period,
            lambda ch, value: self._put(ch, "period", 1.0 / value, self._check_times),
        )
        table.setting(
            "[:SOURce[1]]:PULSe:DCYCle#",
            Number("", 0.15, 99.99, style="%.7E"),
            lambda ch: 100.0 * self._at(ch).width / self._at(ch).period,
            lambda ch, value: self._put(
                ch, "width", value / 100.0 * self._at(ch).period, self._check_times
            ),
        )
        for header in (
            "[:SOURce[1]]:PULSe:TRANsition#[:LEADing]",
            ":FUNCtion#:PULSe:TRANsition[:LEADing]",
            "[:SOURce[1]]:PULSe:TRANsition#:TRAiling",
            "[:SOURce[1]]:PULSe:DELay#",
        ):
            table.stored(header, Number("S", 0.0, 1e3, 2.5e-9, style="%.7E"))
        table.stored("[:SOURce[1]]:PULSe:HOLD#", Choice(("WIDTh", "DCYCle"), default="WIDT"))

    def _add_triggers(self, table: CommandTable) -> None:
        self._plain(
            table, ":ARM:SOURce#", Choice(("IMMediate", "INT2", "EXTernal", "MANual")), "source"
        )
        self._plain(table, "[:SOURce[1]]:BURSt#:STATe", Boolean(), "is_burst")
        cycles = Integer(1, 2**31 - 1, 1)
        self._plain(table, "[:SOURce[1]]:BURSt#:NCYCles", cycles, "cycles")
        self._plain(table, ":TRIGger#:COUNt", cycles, "cycles", self._start_burst)
        table.stored("[:SOURce[1]]:BURSt#:MODE", Choice(("TRIGgered", "GATed"), default="TRIG"))
        table.stored("[:SOURce[1]]:BURSt#:INTernal:PERiod", Number("S", 3e-9, 1e6, 1e-5))
        table.command(":TRIGger#[:IMMediate]", self._fire)
        table.command("*TRG", self._fire_all)

    def _add_outputs(self, table: CommandTable) -> None:
        self._plain(table, ":FUNCtion#[:SHAPe]", Choice(SHAPES), "shape")
        self._plain(table, ":OUTPut#[:STATe]", Boolean(), "is_on", self._warn_if_running)
        load = Number("OHM", 0.3, 1e6, SOURCE_IMPEDANCE, style="%.7E")
        self._plain(table, ":OUTPut#:LOAD", load, "load")
        polarity = Choice(("NORMal", "INVerted"), default="NORM")
        self._plain(table, ":OUTPut#:POLarity", polarity, "polarity")
        table.stored(":OUTPut#:COMPlement", Boolean())
        table.stored(":TRACe:CHANnel#", Boolean())
        table.ignored(":DISPlay", ":SYSTem:BEEPer")
        for shape in ("SINusoid", "SQUare", "RAMP", "PULSe", "NOISe", "DC", "USER"):
            table.command(
                f":APPLy#:{shape}",
                lambda ch, *values, shape=shape: self._apply(ch, shape, *values),
                Number("HZ", 1e-6, 500e6, 1e3, is_optional=True),
                Number("V", 0.0, 2 * HIGHEST_OPEN, 0.1, is_optional=True),
                Number("V", -HIGHEST_OPEN, HIGHEST_OPEN, 0.0, is_optional=True),
            )

    def _plain(
        self,
        table: CommandTable,
        header: str,
        parameter: Number | Boolean | Choice | Integer,
        key: str,
        check: Callable[[Channel], None] | None = None,
    ) -> None:
        """Register a setting of a channel; `check` sees the channel as it would be."""
        table.setting(
            header,
            parameter,
            lambda ch: getattr(self._at(ch), key),
            lambda ch, value: self._put(ch, key, value, check),
        )

    def _level(self, table: CommandTable, header: str, parameter: Number, key: str) -> None:
        """Register a voltage, which is told for the load that is set."""
        table.setting(
            header,
            parameter,
            lambda ch: getattr(self._at(ch), key) * self._at(ch).scale,
            lambda ch, value: self._put(ch, key, value / self._at(ch).scale, _check_levels),
        )

    def _at(self, channel: int) -> Channel:
        if channel not in self.outputs:
            raise ScpiError(-114, f"channel {channel}")
        return self.outputs[channel]

    def _put(
        self,
        channel: int,
        key: str,
        value: object,
        check: Callable[[Channel], None] | None = None,
    ) -> None:
        output = self._at(channel)
        before = getattr(output, key)
        self._chip.before_change()
        try:
            setattr(output, key, value)
            if check is not None:
                check(output)
        except ScpiError:
            setattr(output, key, before)
            raise
        output.begin(self._clock.now())
        self._chip.after_change()

    def _offset(self, channel: int) -> float:
        output = self._at(channel)
        return (output.high + output.low) / 2 * output.scale

    def _put_swing(self, channel: int, swing: float, offset: float) -> None:
        output = self._at(channel)
        before = output.high, output.low
        self._chip.before_change()
        try:
            output.high = (offset + swing / 2) / output.scale
            output.low = (offset - swing / 2) / output.scale
            _check_levels(output)
        except ScpiError:
            output.high, output.low = before
            raise
        output.begin(self._clock.now())
        self._chip.after_change()

    @staticmethod
    def _check_times(output: Channel) -> None:
        if output.width >= output.period:
            raise ScpiError(
                -221, f"a width of {output.width:g} s does not fit a period of {output.period:g} s"
            )

    @staticmethod
    def _start_burst(output: Channel) -> None:
        output.is_burst = output.cycles > 1

    def _warn_if_running(self, output: Channel) -> None:
        if output.is_on and output.source == "IMM":
            now = self._clock.now()
            self._log.event(now, output.name, "output on and running by itself (ARM:SOUR IMM)")

    def _apply(self, channel: int, shape: str, *values: float) -> None:
        frequency, swing, offset = (*values, *(1e3, 0.1, 0.0)[len(values) :])
        self._put(channel, "shape", shape[:4] if shape[:4].isupper() else shape[:3])
        self._put(channel, "width", 0.1 / frequency)
        self._put(channel, "period", 1.0 / frequency)
        self._put_swing(channel, swing, offset)
        self._put(channel, "is_on", True, self._warn_if_running)

    def _fire_all(self) -> None:
        waiting = [
            output
            for output in self.outputs.values()
            if output.source == "MAN" and output.is_on and output.shape == "PULS"
        ]
        counts = [output.cycles if output.is_burst else 1 for output in waiting]
        if waiting:
            trains: dict[Terminal, Train] = {
                output: Train(output.peak, output.width, count)
                for output, count in zip(waiting, counts, strict=True)
            }
            self._chip.pulse_together(trains)
            self._clock.charge(max(n * o.period for n, o in zip(counts, waiting, strict=True)))

    def _fire(self, channel: int) -> None:
        """Make the burst that is shaped."""
        output = self._at(channel)
        if output.source != "MAN":
            raise ScpiError(-211, f"channel {channel} waits for {output.source}")
        if not output.is_on or output.shape != "PULS":
            return
        count = output.cycles if output.is_burst else 1
        self._chip.pulse(output, output.peak, width=output.width, count=count)
        self._clock.charge(count * output.period)

    def _reset(self) -> None:
        self._chip.before_change()
        for output in self.outputs.values():
            output.__dict__.update(Channel(output.name).__dict__)


def _check_levels(output: Channel) -> None:
    if output.high <= output.low:
        raise ScpiError(-221, f"high {output.high:g} V is not above low {output.low:g} V")
    if max(abs(output.high), abs(output.low)) > HIGHEST_OPEN:
        raise ScpiError(-222, f"more than {HIGHEST_OPEN:g} V into an open output")
    within = output.limit_low <= output.low and output.high <= output.limit_high
    if output.is_limited and not within:
        low, high = output.limit_low * output.scale, output.limit_high * output.scale
        raise ScpiError(-222, f"a level leaves the limits {low:g}..{high:g} V")
