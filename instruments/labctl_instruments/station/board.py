"""A station on an array-test board: whole blocks of cells a message."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.array_bias import PassiveBias
from labctl_data.cells import Cells
from labctl_data.mac_plan import MacPlan
from labctl_instruments.drivers.array_test_board import ArrayTestBoard
from labctl_instruments.errors import LostAnswerError, StationError, UncertainPulseError
from labctl_instruments.station.admission import READ_VOLTAGE_LIMIT, Admission
from labctl_instruments.station.bench_time import BenchTime
from labctl_instruments.station.bound import BoundStation
from labctl_instruments.station.mac_request import check_lines, check_mac
from labctl_instruments.station.protocol import (
    BenchInfo,
    FloatArray,
    Int8Array,
    Int32Array,
    Kind,
    Sweep,
    UInt32Array,
    Value,
)
from labctl_instruments.wire.board_layout import pack_pulses

log = logging.getLogger(__name__)

_PARALLEL_CELLS = 2**16
_MAC_PLANS = 64
_MAC_BYTES_A_MESSAGE = 2**25


@dataclass(frozen=True)
class BoardSettings:
    """How a board bench measures, where a procedure does not say."""

    sweep_dwell: float = 1e-3
    """Time at each point of a sweep, in s."""
    zero: bool = False
    """Whether what is read at 0 V, the converters' offset, is taken off each read."""


class BoardStation(BoundStation):
    """A bench whose array-test board serves blocks of cells.

    Parameters
    ----------
    board : ArrayTestBoard
        The board.
    bench : BenchInfo
        The bench; its envelope becomes the board's own limits too.
    bench_time : BenchTime
        How time passes.
    known_stuck : ndarray of shape (pe, row, col), int8
        Stuck classes by the chip file.
    settings : BoardSettings, optional
        How it measures.
    on_close : iterable of callable
        What else ends with the station.
    """

    parallel_cells = _PARALLEL_CELLS

    def __init__(
        self,
        board: ArrayTestBoard,
        bench: BenchInfo,
        bench_time: BenchTime,
        *,
        known_stuck: Int8Array,
        settings: BoardSettings | None = None,
        on_close: Iterable[Callable[[], None]] = (),
    ) -> None:
        self._board = board
        chosen = settings or BoardSettings()
        self._dwell, self._zero = chosen.sweep_dwell, chosen.zero
        self._output_on = False
        self._plans: dict[tuple[int, bytes], tuple[int, MacPlan]] = {}
        counts = self._prepare(bench)
        self._saturated_before = board.saturated
        super().__init__(Admission(bench, counts), bench_time, known_stuck, (board,), on_close)

    @property
    def saturated(self) -> int:
        """ADC conversions that met the top of their range since the station was opened."""
        return self._board.saturated - self._saturated_before

    def read(self, cells: Cells, voltage: float = 0.2, averages: int = 1) -> FloatArray:
        """Measure conductances, (n,), in S; see `Station.read`."""
        self._admission.check_read(voltage, averages)
        index = cells.index(self.geometry)
        self._energise()
        blocks = [
            self._read_block(index[start : start + _PARALLEL_CELLS], voltage, averages)
            for start in range(0, len(index), _PARALLEL_CELLS)
        ]
        currents = blocks[0] if len(blocks) == 1 else np.concatenate([np.empty(0), *blocks])
        return np.asarray(currents / voltage)

    def _read_block(
        self, index: npt.NDArray[np.int64], voltage: float, averages: int
    ) -> FloatArray:
        """Return the currents of cells that one message can serve, (n,), in A."""
        currents = self._board.read_cells(index, voltage, averages)
        if self._zero:
            currents = currents - self._board.read_cells(index, 0.0, averages)
        return currents

    def pulse(self, cells: Cells, kind: Kind, amplitude: Value, width: Value, gate: Value) -> None:
        """Give each cell one programming pulse; see `Station.pulse`."""
        pulses = self._admission.admit_pulses(cells, kind, amplitude, width, gate)
        if len(cells) == 0:
            return
        records = pack_pulses(
            pulses.index, pulses.kinds, pulses.amplitudes, pulses.widths, pulses.gates
        )
        self._energise()
        self._admission.write_down_pulses(pulses)
        try:
            self._board.pulse_cells(records)
        except LostAnswerError as error:
            self._settle(pulses.index, error)

    def sweep(
        self, cell: Cells, voltages: npt.ArrayLike, *, gate: float, compliance: float
    ) -> Sweep:
        """Sweep one cell; see `Station.sweep`."""
        levels = np.asarray(voltages, dtype=np.float64)
        self._admission.admit_sweep(cell, levels, gate=gate, compliance=compliance)
        number = int(cell.index(self.geometry)[0])
        self._energise()
        self._admission.write_down_sweep(cell, levels, dwell=self._dwell, gate=gate)

        def once() -> npt.NDArray[Any]:
            return self._board.sweep_cell(
                number, levels, gate=gate, compliance=compliance, dwell=self._dwell
            )

        if (np.abs(levels) <= READ_VOLTAGE_LIMIT).all():
            points = self._board.again(once)
        else:
            points = self._sweep_once(once, number, len(levels))
        return Sweep(points["current"].copy(), points["in_compliance"] == 1)

    def stress(self, cells: Cells, voltage: float, width: float, count: int) -> None:
        """Give each cell `count` equal pulses in read polarity; see `Station.stress`."""
        self._admission.check_stress(voltage, width, count)
        index = cells.index(self.geometry)
        self._energise()
        self._admission.write_down_stress(cells, voltage, width, count)
        self._board.stress_cells(index, voltage, width, count)

    def mac(self, vectors: npt.ArrayLike, rows: npt.ArrayLike, plan: MacPlan) -> Int32Array:
        """Multiply input vectors with conductances, and sum; see `Station.mac`."""
        codes, lines = check_mac(vectors, rows, plan)
        self._admission.check_read(plan.read_voltage, 1)
        number = self._plan_number(plan, lines)
        self._energise()
        step = max(1, _MAC_BYTES_A_MESSAGE // max(plan.n_inputs, 4 * plan.n_outputs))
        sums = [
            self._board.execute_mac(number, codes[start : start + step], n_outputs=plan.n_outputs)
            for start in range(0, len(codes), step)
        ]
        whole = sums[0] if len(sums) == 1 else np.concatenate([np.empty(0, np.int32), *sums])
        return whole.reshape(len(codes), -1)

    def pulse_counts(self, cells: Cells) -> UInt32Array:
        """Return the programming pulses each cell ever received, (n,), by the board's counters."""
        return self._board.count_pulses(cells.index(self.geometry))

    def rest(self) -> None:
        """Put the board's outputs off, and see that they are; see `Station.rest`."""
        self._output_on = False
        super().rest()

    def _prepare(self, bench: BenchInfo) -> npt.NDArray[np.int64]:
        """Make the board safe and limited; return the pulses each cell has received."""
        board, envelope = self._board, bench.envelope
        board.check_identity()
        board.output_off()
        if board.geometry != bench.geometry:
            raise StationError(
                f"{bench.path.name} [geometry]: the file says {bench.geometry.shape} "
                f"(pe, row, col), the board {board.geometry.shape}"
            )
        if bench.passive is not None:
            self._choose_bias(bench, bench.passive)
        board.secure("voltage_limit", envelope.voltage)
        board.secure("gate_limit", envelope.gate_voltage)
        board.secure("current_limit", envelope.current)
        board.secure("pulse_limit", envelope.pulses)
        board.again(board.check_errors)
        return board.count_pulses(np.arange(bench.geometry.n_cells)).astype(np.int64)

    def _choose_bias(self, bench: BenchInfo, bias: PassiveBias) -> None:
        """Tell a board with a passive chip how to select cells, and see that it took it."""
        board = self._board
        if board.cells != "PASS":
            raise StationError(
                f"{bench.path.name} [passive]: the board says that its cells have transistors"
            )
        board.write_bias, board.read_bias = bias.write, bias.read
        board.check_errors()
        found = PassiveBias(board.write_bias, board.read_bias)
        if found != bias:
            raise StationError(f"{bench.path.name} [passive]: asked for {bias}, it took {found}")

    def _sweep_once(
        self, once: Callable[[], npt.NDArray[Any]], number: int, n_points: int
    ) -> npt.NDArray[Any]:
        """Make a sweep that programs; if its answer is lost, ask what it was."""
        try:
            return once()
        except LostAnswerError as error:
            self._settle(np.array([number]), error)
        return self._board.last_sweep(number, n_points)

    def _settle(self, index: npt.NDArray[np.int64], error: LostAnswerError) -> None:
        """Go on if, by the board's counters, all pulses were given; they are never sent again.

        Raises
        ------
        UncertainPulseError
            If they were not.
        """
        found, expected = self._board.count_pulses(index), self._admission.counts(index)
        if np.array_equal(found, expected):
            log.warning("%s; by the board's counters all was done", error)
            return
        self._admission.recount(index, found)
        missing = int(np.count_nonzero(found != expected))
        raise UncertainPulseError(
            self._board.name,
            f"{error}; by its counters {missing} of {len(index)} cells lack pulses",
        ) from error

    def _energise(self) -> None:
        """Connect the drivers, if they are not; all lines are driven to 0 V between requests."""
        if not self._output_on:
            self._board.again(self._connect)
            self._output_on = True

    def _connect(self) -> None:
        self._board.output = True
        self._board.check_errors()

    def _plan_number(self, plan: MacPlan, lines: npt.NDArray[np.int64]) -> int:
        """Return the number under which the board knows a plan; tell it the plan if it does not."""
        key = (id(plan), lines.tobytes())
        if key not in self._plans:
            check_lines(lines, plan, self.geometry)
            number = len(self._plans)
            if number >= _MAC_PLANS:
                number, _ = self._plans.pop(next(iter(self._plans)))
            self._board.define_mac(number, plan, lines)
            self._plans[key] = (number, plan)  # holding the plan keeps its id its own
        return self._plans[key][0]
