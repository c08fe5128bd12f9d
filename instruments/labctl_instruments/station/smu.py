"""A station on SMUs behind a switch matrix: one cell at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells
from labctl_data.mac_plan import MacPlan
from labctl_data.pulse import PulseKind
from labctl_instruments.drivers.keysight81160a import MOST_PULSES
from labctl_instruments.errors import StationError
from labctl_instruments.station.admission import Admission
from labctl_instruments.station.bench_time import BenchTime
from labctl_instruments.station.bias import Address, Biases, Configurations, each
from labctl_instruments.station.bound import BoundStation
from labctl_instruments.station.mac_request import check_lines, check_mac, digitise
from labctl_instruments.station.protocol import (
    BenchInfo,
    FloatArray,
    Int8Array,
    Int32Array,
    Kind,
    Sweep,
    Value,
)
from labctl_instruments.station.roles import SourceMeter
from labctl_instruments.station.routing import Routing, RowArray
from labctl_instruments.station.smu_instruments import (
    SmuInstruments,
    SmuSettings,
    prepare,
    switch_on,
    terminals_of,
)

_MOST_AVERAGES = 100
"""Readings that a source-meter's filter takes at once."""
_PAUSE = 50e-9
"""Rest between the pulses of a stress, in s; as on the board."""
_SHORTEST_PERIOD = 1e-6


class SmuStation(BoundStation):
    """A bench of source-measure units, a pulse generator and chained matrices.

    Every line is always on a row: what is not selected is grounded, or inhibited in a RESET.
    Relays move only while all sources are at 0 V.

    Parameters
    ----------
    instruments : SmuInstruments
        The instruments.
    bench : BenchInfo
        The bench.
    bench_time : BenchTime
        How time passes.
    known_stuck : ndarray of shape (pe, row, col), int8
        Stuck classes by the chip file.
    settings : SmuSettings
        How it measures.
    on_close : iterable of callable
        What else ends with the station.
    """

    parallel_cells = 1

    def __init__(
        self,
        instruments: SmuInstruments,
        bench: BenchInfo,
        bench_time: BenchTime,
        *,
        known_stuck: Int8Array,
        settings: SmuSettings,
        on_close: Iterable[Callable[[], None]] = (),
    ) -> None:
        self._use = instruments
        self._read_gate = 0.0 if bench.passive is not None else settings.read_gate
        self._zero = settings.zero
        self._biases: Configurations = self._biases_of(bench)
        self._routing = Routing(instruments.wiring, instruments.matrices, bench.geometry)
        self._forced = {"bit": 0.0, "gate": 0.0}
        self._averages = 1
        self._burst: Burst | None = None
        self._output_on = False
        self._saturated = 0
        prepare(instruments, bench, settings)
        self._prepare_pulser(bench)
        admission = Admission(bench, np.zeros(bench.geometry.n_cells, dtype=np.int64))
        order = instruments.in_order_of_rest()
        super().__init__(admission, bench_time, known_stuck, order, on_close)

    @property
    def saturated(self) -> int:
        """Conversions that met the top of their range since the station was opened."""
        return self._saturated

    @property
    def relay_closures(self) -> int:
        """Contacts of the matrices that were told to close since the station was opened."""
        return self._routing.closures

    @property
    def connections(self) -> Int8Array:
        """Row of the matrices that each line is joined to; see `Switched`."""
        return self._routing.joined

    def is_interlocked(self) -> bool:
        """Ask every matrix for its interlock; see `Switched`."""
        return all(matrix.is_interlocked for matrix in self._use.matrices.values())

    def read(self, cells: Cells, voltage: float = 0.2, averages: int = 1) -> FloatArray:
        """Measure conductances, (n,), in S; see `Station.read`."""
        self._admission.check_read(voltage, averages)
        cells.index(self.geometry)
        self._energise()
        currents = [
            self._read_current(self._biases.reading(one), voltage, averages) for one in each(cells)
        ]
        self._quiet()
        return np.array(currents, dtype=np.float64) / voltage

    def pulse(self, cells: Cells, kind: Kind, amplitude: Value, width: Value, gate: Value) -> None:
        """Give each cell one programming pulse; see `Station.pulse`."""
        pulses = self._admission.admit_pulses(cells, kind, amplitude, width, gate)
        if len(cells) == 0:
            return
        self._energise()
        for k, one in enumerate(each(cells)):
            alone = pulses.only(k)
            at = self._biases.pulsing(one, PulseKind(int(alone.kinds[0])))
            burst = Burst(float(alone.amplitudes[0]), float(alone.widths[0]), 1)
            self._shape(at, burst, float(alone.gates[0]))
            self._admission.write_down_pulses(alone)
            self._fire()

    def sweep(
        self, cell: Cells, voltages: npt.ArrayLike, *, gate: float, compliance: float
    ) -> Sweep:
        """Sweep one cell; see `Station.sweep`."""
        levels = np.asarray(voltages, dtype=np.float64)
        self._admission.admit_sweep(cell, levels, gate=gate, compliance=compliance)
        (one,) = each(cell)
        self._energise()
        self._quiet()
        self._limited.secure("current_limit", compliance)
        try:
            # The dwell of a point is the instruments' own; the ledger says so with NaN.
            self._admission.write_down_sweep(cell, levels, dwell=np.nan, gate=gate)
            points = [self._sweep_point(one, float(level), gate) for level in levels]
        finally:
            self._quiet()
            self._limited.secure("current_limit", self.bench.envelope.current)
        return Sweep(np.array([i for i, _ in points]), np.array([held for _, held in points]))

    def stress(self, cells: Cells, voltage: float, width: float, count: int) -> None:
        """Give each cell `count` equal pulses in read polarity; see `Station.stress`."""
        self._admission.check_stress(voltage, width, count)
        cells.index(self.geometry)
        self._energise()
        for k, one in enumerate(each(cells)):
            at = self._biases.pulsing(one, PulseKind.SET)
            for burst in _bursts(voltage, width, count):
                self._shape(at, burst, self._read_gate)
                self._admission.write_down_stress(cells[k : k + 1], voltage, width, burst.pulses)
                self._fire()

    def mac(self, vectors: npt.ArrayLike, rows: npt.ArrayLike, plan: MacPlan) -> Int32Array:
        """Measure each line of each block for each bit, and sum; see `Station.mac`.

        The currents are digitised here, by the ADC's rule: this bench has no ADC a source line. It
        has one source for all bit lines, so digits have one bit.
        """
        codes, lines = check_mac(vectors, rows, plan)
        if plan.dac_bits > 1:
            raise StationError(
                f"MAC: digits of {plan.dac_bits} bits need a DAC a bit line; this bench has one "
                "source for all of them"
            )
        check_lines(lines, plan, self.geometry)
        self._admission.check_read(plan.read_voltage, 1)
        self._energise()
        sums = np.zeros((len(codes), plan.n_outputs), dtype=np.int64)
        for vector, of_vector in zip(
            codes.reshape(-1, plan.n_blocks, plan.width), sums, strict=True
        ):
            for block in range(plan.n_blocks):
                self._add_block(vector[block], lines[block], (plan, block), of_vector)
        self._quiet()
        return sums.astype(np.int32)

    def pulse_counts(self, cells: Cells) -> None:
        """Return None: nothing on this bench counts pulses."""
        return

    def rest(self) -> None:
        """Put sources and pulser off, open all crosspoints, and see; see `Station.rest`."""
        self._output_on = False
        self._forced = dict.fromkeys(self._forced, 0.0)
        self._burst = None
        self._routing.forget()
        super().rest()

    def _energise(self) -> None:
        """Connect the sources, all at 0 V, if they are not connected."""
        if self._output_on:
            return
        for smu in (self._use.bit, self._use.source, self._use.gate):
            smu.again(partial(switch_on, smu))
        self._use.pulser.again(self._connect_pulser)
        self._output_on = True

    @property
    def _limited(self) -> SourceMeter:
        """The source-meter that measures sweeps, and holds them to their compliance."""
        return self._use.bit

    def _biases_of(self, bench: BenchInfo) -> Configurations:
        return Biases(bench.geometry, terminals_of(self._use))

    def _prepare_pulser(self, bench: BenchInfo) -> None:
        channel = self._use.pulser_channel
        self._use.pulser.prepare(channel, voltage_limit=bench.envelope.voltage)

    def _connect_pulser(self) -> None:
        self._use.pulser.set_output(self._use.pulser_channel, on=True)
        self._use.pulser.check_errors()

    def _force(self, name: str, voltage: float) -> None:
        """Force a voltage with `bit` or `gate`, if it is not forced already."""
        if self._forced[name] != voltage:
            self._forced[name] = np.nan  # unknown, and unequal to all, until it has been read back
            getattr(self._use, name).force(voltage)
            self._forced[name] = voltage

    def _quiet(self) -> None:
        """Bring every source to 0 V; the word lines last, so that no cell is left undefined."""
        self._force("bit", 0.0)
        self._force("gate", 0.0)

    def _route(self, rows: RowArray) -> None:
        """Join the lines to their rows, with everything at 0 V while relays move."""
        if self._routing.differs(rows):
            self._quiet()
            self._routing.join(rows)

    def _read_current(self, rows: RowArray, voltage: float, averages: int) -> float:
        """Return the current of the one source line on the source SMU, in A."""
        self._route(rows)
        self._force("gate", self._read_gate)
        self._force("bit", voltage)
        current = self._average(averages)
        if self._zero:
            self._take_the_cell_away()
            current -= self._average(averages)
        return current

    def _take_the_cell_away(self) -> None:
        """Leave of a read what is not the cell's: its transistor closes, the bit line stays."""
        self._force("gate", 0.0)

    def _average(self, averages: int) -> float:
        """Return the mean of `averages` readings; what flows into the source SMU reads negative."""
        total, left = 0.0, averages
        while left:
            several = min(left, _MOST_AVERAGES)
            if several != self._averages:
                self._use.source.averages = several
                self._averages = several
            total += several * self._use.source.read_current()
            left -= several
        return -total / averages

    def _shape(self, rows: RowArray, burst: Burst, gate: float) -> None:
        """Route, shape the burst and open the gate; nothing pulses yet."""
        self._route(rows)
        if burst != self._burst:
            self._burst = None  # unknown until the pulser has taken it
            period = max(_SHORTEST_PERIOD, 2 * burst.width)
            if burst.pulses > 1:
                period = burst.width + _PAUSE
            self._shape_pulser(burst, period)
            self._burst = burst
        self._force("gate", gate)

    def _shape_pulser(self, burst: Burst, period: float) -> None:
        self._use.pulser.shape(
            self._use.pulser_channel,
            high=burst.amplitude,
            width=burst.width,
            period=period,
            count=burst.pulses,
        )

    def _fire(self) -> None:
        self._use.pulser.trigger(self._use.pulser_channel)
        self._force("gate", 0.0)

    def _sweep_point(self, one: Address, level: float, gate: float) -> tuple[float, bool]:
        """Return current (A, with the sign of the voltage) and whether the compliance held it."""
        kind = PulseKind.RESET if level < 0 else PulseKind.SET
        self._route(self._biases.sweeping(one, kind))
        self._force("gate", gate)
        self._force("bit", abs(level))
        current = self._use.bit.read_current()
        return (-current if level < 0 else current), self._use.bit.limited

    def _add_block(
        self,
        codes: npt.NDArray[np.uint8],
        lines: npt.NDArray[np.int64],
        at: tuple[MacPlan, int],
        sums: npt.NDArray[np.int64],
    ) -> None:
        """Measure one block of one vector, bit by bit and line by line; add to `sums`."""
        plan, block = at
        used = np.flatnonzero(plan.signs[block])
        driven = plan.columns[block] >= 0
        for bit in range(plan.input_bits):
            high = plan.columns[block][driven & ((codes >> bit) & 1 == 1)]
            currents = np.array(
                [self._line_current(int(lines[k]), high, plan.read_voltage) for k in used]
            )
            adc, saturated = digitise(currents, plan)
            self._saturated += saturated
            signed = plan.signs[block][used] * (adc << bit)
            np.add.at(sums, plan.outputs[block][used], signed)

    def _line_current(self, line: int, high: npt.NDArray[np.int64], voltage: float) -> float:
        """Return the current of one source line with all word lines of its PE on, in A."""
        rows = self._biases.multiplying(line, high)
        return self._read_current(rows, voltage, 1)


class Burst(NamedTuple):
    """Equal pulses one after the other."""

    amplitude: float
    """In V."""
    width: float
    """Of each, in s."""
    pulses: int
    """How many."""


def _bursts(voltage: float, width: float, count: int) -> Iterable[Burst]:
    for start in range(0, count, MOST_PULSES):
        yield Burst(voltage, width, min(MOST_PULSES, count - start))
