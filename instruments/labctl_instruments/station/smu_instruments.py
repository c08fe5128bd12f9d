"""The instruments of an SMU bench: what each is for, where it is wired, how it is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labctl_instruments.bench.wiring import ROW_LETTERS, Terminal, Wiring
from labctl_instruments.drivers.keithley_switch import KeithleySwitch
from labctl_instruments.station.bias import Terminals
from labctl_instruments.station.protocol import BenchInfo
from labctl_instruments.station.roles import PulseSource, SourceMeter


@dataclass(frozen=True)
class SmuInstruments:
    """The instruments of an SMU bench, by what they are for."""

    bit: SourceMeter
    """Drives bit lines; in a sweep, whichever side is driven."""
    source: SourceMeter
    """Holds one source line at 0 V and measures its current."""
    gate: SourceMeter
    """Drives word lines."""
    pulser: PulseSource
    """Makes the short pulses."""
    pulser_channel: int
    """Its channel on the matrix."""
    matrices: Mapping[str, KeithleySwitch]
    """The chained mainframes, by name."""
    wiring: Wiring
    """Lines of the chip on columns of the mainframes, instruments on their rows."""

    def in_order_of_rest(self) -> Sequence[SourceMeter | PulseSource | KeithleySwitch]:
        """Return all of them: those that drive first, then the relays."""
        return (self.bit, self.gate, self.pulser, self.source, *self.matrices.values())


@dataclass(frozen=True)
class SmuSettings:
    """How an SMU bench measures, where a procedure does not say."""

    read_gate: float
    """Word-line voltage of a read, in V."""
    nplc: float
    """Integration of a reading, in power-line cycles."""
    four_wire: bool = False
    """Whether the source-meters sense the voltages they force at the ends of their leads."""
    zero: bool = False
    """Whether what is read without the cell's current is taken off each read."""


def terminals_of(use: SmuInstruments) -> Terminals:
    """Return the row numbers of instruments, by the wiring of their bench."""

    def number(name: str, channel: int = 1) -> int:
        return ROW_LETTERS.index(use.wiring.row_of(name, channel))

    letters = use.wiring.rows.items()
    other = 3 - use.pulser_channel
    has_pair = any(at == Terminal(use.pulser.name, other) for _, at in letters)
    return Terminals(
        ground=number("ground"),
        bit=number(use.bit.name),
        source=number(use.source.name),
        gate=number(use.gate.name),
        pulser=number(use.pulser.name, use.pulser_channel),
        pulser_below=number(use.pulser.name, other) if has_pair else -1,
    )


def prepare(use: SmuInstruments, bench: BenchInfo, settings: SmuSettings) -> None:
    """Bring all instruments to rest, then set and read back their limits."""
    envelope = bench.envelope
    for instrument in use.in_order_of_rest():
        instrument.check_identity()
        instrument.output_off()
    for smu in (use.bit, use.source, use.gate):
        smu.prepare(nplc=settings.nplc, current_limit=envelope.current)
        if settings.four_wire:
            smu.secure("remote_sense", 1.0)
    for matrix in use.matrices.values():
        matrix.prepare()


def switch_on(smu: SourceMeter) -> None:
    """Connect a source-meter, and see that it is content."""
    smu.output = True
    smu.check_errors()
