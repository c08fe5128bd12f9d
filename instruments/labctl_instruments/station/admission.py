"""The door of a station: limits are checked and pulses are written down before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, IntArray
from labctl_data.pulse import PulseKind
from labctl_instruments.errors import StationError
from labctl_instruments.station.half_select import beside_pulses, beside_sweep
from labctl_instruments.station.protocol import (
    BenchInfo,
    FloatArray,
    Kind,
    LedgerSink,
    NullLedger,
    Value,
)

READ_VOLTAGE_LIMIT = 0.5
"""Magnitude beyond which a voltage is programming, not reading, in V."""


@dataclass(frozen=True, eq=False)
class Pulses:
    """One programming pulse a cell, admitted."""

    cells: Cells
    """The n cells, none twice."""
    index: IntArray
    """Their flat index, shape (n,)."""
    kinds: IntArray
    """`PulseKind`, shape (n,)."""
    amplitudes: FloatArray
    """Magnitudes, shape (n,), in V."""
    widths: FloatArray
    """Lengths, shape (n,), in s."""
    gates: FloatArray
    """Word-line voltages, shape (n,), in V."""

    def only(self, k: int) -> Pulses:
        """Return the pulse of the k-th cell alone."""
        if len(self.index) == 1:
            return self
        one = slice(k, k + 1)
        return Pulses(
            self.cells[one],
            self.index[one],
            self.kinds[one],
            self.amplitudes[one],
            self.widths[one],
            self.gates[one],
        )


class Admission:
    """Checks what is asked of a bench against its envelope, and keeps its ledger.

    Parameters
    ----------
    bench : BenchInfo
        The bench, with its envelope.
    counts : ndarray of shape (n_cells,), int64
        Programming pulses each cell is known to have received.
    """

    def __init__(self, bench: BenchInfo, counts: IntArray) -> None:
        self.bench = bench
        self.ledger: LedgerSink = NullLedger()
        self._counts = counts
        self._beside = np.zeros_like(counts)
        """Programming pulses that cells have seen half-selected since then; none counts them."""
        self._where = bench.path.name

    def check_read(self, voltage: float, averages: int) -> None:
        """Refuse a read that is none: no voltage, a programming voltage, no conversion."""
        self.bench.envelope.check_read(voltage, where=self._where)
        if not 0 < abs(voltage) <= READ_VOLTAGE_LIMIT:
            raise StationError(
                f"{self._where}: read voltage {voltage:g} V is not within 0 < |V| <= "
                f"{READ_VOLTAGE_LIMIT} V"
            )
        if averages < 1:
            raise StationError(f"{self._where}: asked to average {averages} readings")

    def admit_pulses(
        self, cells: Cells, kind: Kind, amplitude: Value, width: Value, gate: Value
    ) -> Pulses:
        """Return the pulses, with one value a cell; count them.

        Raises
        ------
        EnvelopeError
            If one of them exceeds the envelope.
        StationError
            If a cell is named twice, a kind is unknown, or a value is not positive.
        """
        n = len(cells)
        kinds = _one_each(np.asarray(kind, dtype=np.int64), n, "kind")
        amplitudes = _one_each(np.asarray(amplitude, dtype=np.float64), n, "amplitude")
        widths = _one_each(np.asarray(width, dtype=np.float64), n, "width")
        gates = _one_each(np.asarray(gate, dtype=np.float64), n, "gate")
        index = cells.index(self.bench.geometry)
        self.bench.envelope.check_pulses(amplitudes, widths, gates, where=self._where)
        self._check_sense(kinds, amplitudes, widths, gates)
        self._check_distinct(cells, index)
        beside = None
        if self.bench.passive is not None:
            beside = beside_pulses(
                self.bench.passive, self.bench.geometry, index, amplitudes, READ_VOLTAGE_LIMIT
            )
        self._count(index, 1, beside)
        return Pulses(cells, index, kinds, amplitudes, widths, gates)

    def admit_sweep(
        self, cell: Cells, voltages: FloatArray, *, gate: float, compliance: float
    ) -> None:
        """Check a sweep, and count its programming points.

        Raises
        ------
        EnvelopeError
            If a voltage, the gate or the compliance exceeds the envelope.
        StationError
            If it is not one cell, or there is nothing to sweep.
        """
        if len(cell) != 1 or voltages.ndim != 1 or len(voltages) == 0:
            raise StationError(
                f"{self._where}: a sweep is one cell and a list of voltages, "
                f"asked for {len(cell)} cells and voltages of shape {voltages.shape}"
            )
        self.bench.envelope.check_sweep(
            voltages, gate=gate, compliance=compliance, where=self._where
        )
        if not (gate >= 0 and compliance > 0):
            raise StationError(
                f"{self._where}: sweep with gate {gate} V, compliance {compliance} A"
            )
        index = cell.index(self.bench.geometry)
        beside = None
        if self.bench.passive is not None:
            beside = beside_sweep(self.bench.geometry, int(index[0]), voltages, READ_VOLTAGE_LIMIT)
        programming = int(np.count_nonzero(np.abs(voltages) > READ_VOLTAGE_LIMIT))
        self._count(index, programming, beside)

    def counts(self, index: IntArray) -> IntArray:
        """Return the programming pulses that cells have received if all came, shape (n,)."""
        return self._counts[index]

    def recount(self, index: IntArray, counts: npt.NDArray[np.unsignedinteger]) -> None:
        """Take the programming pulses that cells have received from the bench's counters, (n,)."""
        self._counts[index] = counts

    def check_stress(self, voltage: float, width: float, count: int) -> None:
        """Check `count` read-polarity pulses of `voltage` V and `width` s.

        Raises
        ------
        EnvelopeError, StationError
            If they exceed the envelope, or are no reads.
        """
        self.check_read(voltage, 1)
        self.bench.envelope.check_pulses(voltage, width, 0.0, where=self._where)
        if not width > 0 or count < 1:
            raise StationError(f"{self._where}: stress of {count} pulses of {width} s")

    def write_down_pulses(self, pulses: Pulses) -> None:
        """Enter one message of programming pulses in the ledger."""
        fields = (pulses.kinds, pulses.amplitudes, pulses.widths, pulses.gates)
        kinds, amplitudes, widths, gates = (_compact(field) for field in fields)
        self.ledger.before_pulses(pulses.cells, kinds, amplitudes, widths, gates, 1)

    def write_down_stress(self, cells: Cells, voltage: float, width: float, count: int) -> None:
        """Enter read-polarity pulses in the ledger."""
        self.ledger.before_pulses(cells, PulseKind.SET, abs(voltage), width, np.nan, count)

    def write_down_sweep(
        self, cell: Cells, voltages: FloatArray, *, dwell: float, gate: float
    ) -> None:
        """Enter the points of a sweep in the ledger, one entry a polarity."""
        for kind, sign in ((PulseKind.SET, 1.0), (PulseKind.RESET, -1.0)):
            same = np.abs(voltages[voltages * sign > 0])
            if len(same):
                self.ledger.before_pulses(cell, kind, same.max(), dwell, gate, len(same))

    def _check_sense(
        self, kinds: IntArray, amplitudes: FloatArray, widths: FloatArray, gates: FloatArray
    ) -> None:
        known = (kinds == PulseKind.SET) | (kinds == PulseKind.RESET)
        wrong = ~(known & (amplitudes > 0) & (widths > 0) & (gates >= 0))
        if wrong.any():
            k = int(np.argmax(wrong))
            raise StationError(
                f"{self._where}: pulse {k} is none: kind {kinds[k]}, amplitude {amplitudes[k]} V, "
                f"width {widths[k]} s, gate {gates[k]} V"
            )

    def _check_distinct(self, cells: Cells, index: IntArray) -> None:
        if len(index) < 2:
            return
        seen = np.zeros(self.bench.geometry.n_cells, dtype=np.bool_)
        seen[index] = True
        if np.count_nonzero(seen) == len(index):
            return
        values, counts = np.unique(index, return_counts=True)
        twice = Cells.from_index(values[counts > 1][:1], self.bench.geometry)
        address = "/".join(str(part) for part in twice.addresses[0])
        raise StationError(f"{self._where}: cell {address} stands twice in one block of pulses")

    def _count(self, index: IntArray, pulses: int, beside: IntArray | None) -> None:
        """Count `pulses` on each cell, and those `beside` them, (n_cells,), on others."""
        totals = self._counts[index] + pulses
        if beside is None:
            self.bench.envelope.check_counts(totals, where=self._where)
        else:
            all_of_them = self._counts + self._beside + beside
            all_of_them[index] += pulses
            self.bench.envelope.check_counts(all_of_them, where=self._where)
            self._beside += beside
        # Counted before they are sent: a message that is lost may still have pulsed.
        self._counts[index] = totals


def _one_each(values: npt.NDArray[Any], n: int, name: str) -> npt.NDArray[Any]:
    if values.shape not in ((), (n,)):
        raise StationError(f"pulse {name}: expected one value or {n}, found shape {values.shape}")
    return values if values.ndim else np.broadcast_to(values, (n,))


def _compact(values: npt.NDArray[Any]) -> npt.ArrayLike:
    """Return one value where all were asked for with one: the ledger then keeps one."""
    return values[0] if values.strides == (0,) and len(values) else values
