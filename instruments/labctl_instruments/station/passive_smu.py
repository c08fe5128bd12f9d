"""A station on SMUs behind a switch matrix whose cells have no transistor."""

from __future__ import annotations

from labctl_data.array_bias import PassiveBias
from labctl_data.pulse import PulseKind
from labctl_instruments.station.bias import Address, Configurations, PassiveBiases
from labctl_instruments.station.protocol import BenchInfo
from labctl_instruments.station.roles import SourceMeter
from labctl_instruments.station.routing import RowArray
from labctl_instruments.station.smu import Burst, SmuStation
from labctl_instruments.station.smu_instruments import terminals_of


class PassiveSmuStation(SmuStation):
    """One cell of a passive array at a time; gates that procedures ask for are of no account.

    Pulses come from both channels of the pulser at once, half of the voltage from each; what would
    drive word lines elsewhere inhibits other source lines in sweeps, at half of the voltage.
    """

    @property
    def _limited(self) -> SourceMeter:
        """The source line carries the swept cell's current alone."""
        return self._use.source

    def _biases_of(self, bench: BenchInfo) -> Configurations:
        return PassiveBiases(
            bench.geometry, terminals_of(self._use), bench.passive or PassiveBias()
        )

    def _halves(self) -> tuple[tuple[int, float], tuple[int, float]]:
        """Return the channels of the pulser, each with the sign of its pulses."""
        first = self._use.pulser_channel
        return (first, 1.0), (3 - first, -1.0)

    def _prepare_pulser(self, bench: BenchInfo) -> None:
        for channel, sign in self._halves():
            limit = sign * bench.envelope.voltage / 2.0
            self._use.pulser.prepare(channel, voltage_limit=limit)

    def _connect_pulser(self) -> None:
        for channel, _ in self._halves():
            self._use.pulser.set_output(channel, on=True)
        self._use.pulser.check_errors()

    def _shape(self, rows: RowArray, burst: Burst, gate: float) -> None:
        super()._shape(rows, burst, 0.0)

    def _shape_pulser(self, burst: Burst, period: float) -> None:
        for channel, sign in self._halves():
            self._use.pulser.shape(
                channel,
                high=sign * burst.amplitude / 2.0,
                width=burst.width,
                period=period,
                count=burst.pulses,
            )

    def _fire(self) -> None:
        self._use.pulser.trigger_all()

    def _sweep_point(self, one: Address, level: float, gate: float) -> tuple[float, bool]:
        """Return current (A, with the sign of the voltage) and whether the compliance held it."""
        self._route(self._biases.sweeping(one, PulseKind.SET))
        self._force("gate", level / 2.0)
        self._force("bit", level)
        return -self._use.source.read_current(), self._use.source.limited

    def _take_the_cell_away(self) -> None:
        """Leave of a read what is not the cell's: nothing can close it, so nothing drives it."""
        self._force("bit", 0.0)
