"""The array-test board of docs/board-dialogue.md, in front of a simulated chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labctl_data.array_bias import PassiveBias, ReadScheme, WriteScheme
from labctl_data.mac_plan import MacPlan
from labctl_instruments.chip.passive import Cellwise, PassiveCells
from labctl_instruments.errors import BoardMessageError
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.persona import ScpiPersona
from labctl_instruments.virtual.personas.board_checks import (
    BoardLimits,
    check_cells,
    check_plan,
    check_pulses,
    check_sweep,
)
from labctl_instruments.virtual.scpi import (
    Block,
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiEngine,
    ScpiError,
)
from labctl_instruments.wire import board_layout as layout

if TYPE_CHECKING:
    from labctl_instruments.chip import Chip

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CONVERSION_TIME = 1e-6
"""One ADC conversion of a read, in s."""
SETTLING_TIME = 1e-6
"""After the pulses of a row, in s."""
RECOVERY_TIME = 50e-9
"""After each read pulse of a stress or of a MAC, in s."""
HIGHEST_READ_VOLTAGE = 0.5
"""Magnitude beyond which a voltage programs, in V."""
PLANS = 64
"""Sum plans that the board can hold."""


class ArrayBoardPersona(ScpiPersona):
    """The board: limits, outputs, sum plans, and a chip that does what the messages say."""

    def __init__(self, chip: Chip, clock: Clock, *, serial: str = "0") -> None:
        self._chip = chip
        self._clock = clock
        self._geometry = chip.geometry
        self._limits = BoardLimits()
        self._is_on = False
        self._cellwise: Cellwise = chip
        self._passive: PassiveCells | None = None
        if chip.is_passive:
            self._cellwise = self._passive = PassiveCells(chip, PassiveBias())
        self._plans: dict[int, tuple[MacPlan, IntArray, int]] = {}
        self._saturated = 0
        self._last_sweep: tuple[int, npt.NDArray[Any]] = (-1, np.zeros(0, layout.SWEEP_POINT))
        self.engine = ScpiEngine(
            self._commands(),
            identity=f"labctl,ARRAY-BOARD,{serial},1.0",
            reset=self._reset,
            is_atomic=True,
        )

    def clear(self) -> None:
        """Nothing runs between messages: a device clear leaves the outputs as they are."""

    def _commands(self) -> CommandTable:
        table = CommandTable()
        table.query("ARRay:GEOMetry", lambda: self._geometry.shape)
        table.query("ARRay:CELLs", lambda: "TRAN" if self._passive is None else "PASS")
        self._add_biases(table)
        table.setting("OUTPut[:STATe]", Boolean(), lambda: self._is_on, self._switch)
        table.command("ABORt", lambda: self._switch(on=False))
        self._add_limits(table)
        voltage = Number("V", -HIGHEST_READ_VOLTAGE, HIGHEST_READ_VOLTAGE)
        cells = Block(layout.CELL.itemsize)
        table.query("READ:CELLs", self._read, voltage, Integer(1, 4096), cells)
        table.command("PULSe:CELLs", self._pulse, Block(layout.PULSE.itemsize))
        table.command(
            "STRess:CELLs", self._stress, voltage, Number("S", 10e-9, 1.0), Integer(1, 10**9), cells
        )
        table.query("COUNter:PULSes", self._counters, cells)
        table.query(
            "SWEep:CELL",
            self._sweep,
            Integer(0, 2**32 - 1),
            Number("V", 0.0, 6.0),
            Number("A", 1e-12, 1e-2),
            Number("S", 1e-7, 10.0),
            Block(layout.VOLTAGE.itemsize),
        )
        table.query("SWEep:LAST", self._tell_last_sweep, Integer(0, 2**32 - 1))
        identifier = Integer(0, PLANS - 1)
        table.command("MAC:DEFine", self._define, identifier, Block(4))
        table.query("MAC:EXECute", self._execute, identifier, Block())
        table.query("MAC:SATurated", lambda: self._saturated)
        table.command("MAC:DELete", self._delete, identifier)
        return table

    def _add_limits(self, table: CommandTable) -> None:
        for header, name, parameter in (
            ("LIMit:VOLTage", "voltage", Number("V", 0.0, 5.0, 5.0)),
            ("LIMit:GATE", "gate", Number("V", 0.0, 6.0, 6.0)),
            ("LIMit:CURRent", "current", Number("A", 0.0, 1e-2, 1e-3)),
            ("LIMit:PULSes", "pulses", Integer(0, 2**32 - 1)),
        ):
            table.setting(
                header,
                parameter,
                lambda name=name: getattr(self._limits, name),
                lambda value, name=name: setattr(self._limits, name, value),
            )

    def _add_biases(self, table: CommandTable) -> None:
        table.setting(
            "BIAS:WRITe",
            Choice(("HALF", "THIRd"), default="HALF"),
            lambda: "HALF" if self._biased().scheme.write == "half" else "THIR",
            lambda word: self._choose(write="half" if word == "HALF" else "third"),
        )
        table.setting(
            "BIAS:READ",
            Choice(("GROunded", "FLOating"), default="GRO"),
            lambda: "GRO" if self._biased().scheme.read == "grounded" else "FLO",
            lambda word: self._choose(read="grounded" if word == "GRO" else "floating"),
        )

    def _biased(self) -> PassiveCells:
        if self._passive is None:
            raise ScpiError(-221, "cells with transistors have one bias; see ARRay:CELLs?")
        return self._passive

    def _choose(self, *, write: WriteScheme | None = None, read: ReadScheme | None = None) -> None:
        cells = self._biased()
        cells.scheme = PassiveBias(write or cells.scheme.write, read or cells.scheme.read)

    def _reset(self) -> None:
        self._is_on = False
        if self._passive is not None:
            self._passive.scheme = PassiveBias()
        self._limits = BoardLimits()
        self._plans.clear()

    def _switch(self, on: bool) -> None:
        self._is_on = on

    def _read(self, voltage: float, averages: int, block: memoryview) -> FloatArray:
        self._need_outputs("read")
        self._limits.check("read voltage", abs(voltage), "voltage")
        cells = self._cells(block)
        order = self._order(cells)
        times = self._clock.now() + CONVERSION_TIME * averages * order
        currents = self._cellwise.currents(cells, voltage, averages, times)
        currents = currents + self._chip.converter_offsets(cells)
        self._clock.charge(CONVERSION_TIME * averages * (order.max(initial=-1) + 1))
        return np.asarray(currents, layout.CURRENT)

    def _pulse(self, block: memoryview) -> None:
        self._need_outputs("pulse")
        records = np.frombuffer(block, layout.PULSE)
        cells = self._cells(block, layout.PULSE)
        check_pulses(records, self._limits, self._chip.pulse_counts(cells))
        starts, total = self._in_turn(cells, records["width"] + SETTLING_TIME)
        self._cellwise.pulse(
            cells,
            records["kind"].astype(np.int64),
            records["amplitude"].astype(np.float64),
            records["width"].astype(np.float64),
            records["gate"].astype(np.float64),
            self._clock.now() + starts,
        )
        self._clock.charge(total)

    def _stress(self, voltage: float, width: float, count: int, block: memoryview) -> None:
        self._need_outputs("stress")
        self._limits.check("stress voltage", abs(voltage), "voltage")
        cells = self._cells(block)
        order = self._order(cells)
        self._clock.charge(count * (width + RECOVERY_TIME) * (order.max(initial=-1) + 1))
        self._cellwise.stress(cells, voltage, width, count, self._clock.now())

    def _counters(self, block: memoryview) -> npt.NDArray[np.uint32]:
        return np.asarray(self._chip.pulse_counts(self._cells(block)), layout.COUNT)

    def _sweep(
        self, cell: int, gate: float, compliance: float, dwell: float, block: memoryview
    ) -> npt.NDArray[Any]:
        self._need_outputs("sweep")
        cells = check_cells(np.array([cell], np.int64), self._geometry)
        voltages = np.frombuffer(block, layout.VOLTAGE).astype(np.float64)
        self._limits.check("gate voltage", gate, "gate")
        self._limits.check("compliance", compliance, "current")
        programming = int(np.count_nonzero(np.abs(voltages) > HIGHEST_READ_VOLTAGE))
        check_sweep(voltages, self._limits, int(self._chip.pulse_counts(cells)[0]) + programming)
        currents, flags = self._cellwise.sweep(
            int(cells[0]),
            voltages,
            dwell=dwell,
            gate=gate,
            compliance=compliance,
            time=self._clock.now(),
        )
        self._clock.charge(dwell * len(voltages))
        points = np.zeros(len(voltages), layout.SWEEP_POINT)
        points["current"] = currents
        points["in_compliance"] = flags
        self._last_sweep = (cell, points)
        return points

    def _tell_last_sweep(self, cell: int) -> npt.NDArray[Any]:
        swept, points = self._last_sweep
        if swept != cell:
            raise ScpiError(-230, f"the last sweep was not of cell {cell}")
        return points

    def _define(self, identifier: int, block: memoryview) -> None:
        try:
            plan, rows = layout.unpack_plan(block)
        except BoardMessageError as error:
            raise ScpiError(-224, str(error)) from error
        check_plan(plan, rows, self._geometry)
        self._limits.check("read voltage", abs(plan.read_voltage), "voltage")
        if abs(plan.read_voltage) > HIGHEST_READ_VOLTAGE:
            raise ScpiError(-222, f"read voltage {plan.read_voltage:g} V would program")
        in_turn = self._chip.conversions_in_turn(rows, plan)
        self._plans[identifier] = (plan, rows, in_turn)

    def _execute(self, identifier: int, block: memoryview) -> npt.NDArray[np.int32]:
        self._need_outputs("MAC")
        if identifier not in self._plans:
            raise ScpiError(-224, f"no MAC plan {identifier} is defined")
        plan, rows, in_turn = self._plans[identifier]
        if len(block) % plan.n_inputs:
            raise ScpiError(-161, f"{len(block)} bytes are not vectors of {plan.n_inputs}")
        vectors = np.frombuffer(block, np.uint8).reshape(-1, plan.n_inputs)
        if plan.input_bits < 8 and vectors.max(initial=0) >> plan.input_bits:
            raise ScpiError(-222, f"input {vectors.max()} needs more than {plan.input_bits} bits")
        sums, saturated = self._chip.mac(vectors, rows, plan, self._clock.now())
        self._saturated += int(saturated)
        pulses = len(vectors) * in_turn * plan.n_slots
        lasting = plan.read_width * self._chip.pulse_units(plan)
        self._clock.charge(pulses * (lasting + RECOVERY_TIME))
        return np.asarray(sums, layout.SUM)

    def _delete(self, identifier: int) -> None:
        if self._plans.pop(identifier, None) is None:
            raise ScpiError(-224, f"no MAC plan {identifier} is defined")

    def _need_outputs(self, what: str) -> None:
        if not self._is_on:
            raise ScpiError(-221, f"{what} while outputs are off")

    def _cells(self, block: memoryview, dtype: npt.DTypeLike = layout.CELL) -> IntArray:
        records = np.frombuffer(block, dtype)
        numbers = records["cell"] if records.dtype.names else records
        return check_cells(numbers.astype(np.int64), self._geometry)

    def _order(self, cells: IntArray) -> IntArray:
        """Return how many of the cells before each one it waits for, shape (n,).

        A row has one word line: its cells are read one after another. A passive array has none: so
        are all its cells.
        """
        rows = 1 if self._passive is None else self._geometry.rows
        return _order_in_row(cells // (rows * self._geometry.columns))

    def _in_turn(self, cells: IntArray, durations: FloatArray) -> tuple[FloatArray, float]:
        """Return when the pulse of each cell begins, from now, and when the last has ended, in s.

        In a passive array cells come one after another, in the order of their numbers.
        """
        if self._passive is None:
            return self._row_after_row(cells, durations)
        taken = np.zeros(self._geometry.n_cells)
        taken[cells] = durations
        ends = np.cumsum(taken.reshape(self._geometry.pes, -1), axis=1)
        return (ends.ravel() - taken)[cells], float(ends[:, -1].max())

    def _row_after_row(self, cells: IntArray, durations: FloatArray) -> tuple[FloatArray, float]:
        """Return when the row of each cell begins, from now, and when the last has ended, in s.

        Rows of a PE come one after another, each for its longest duration; PEs are side by side.
        """
        rows = cells // self._geometry.columns
        longest = np.zeros(self._geometry.n_lines)
        np.maximum.at(longest, rows, durations)
        ends = np.cumsum(longest.reshape(self._geometry.pes, self._geometry.rows), axis=1)
        starts = ends.ravel() - longest
        return starts[rows], float(ends[:, -1].max())


def _order_in_row(rows: IntArray) -> IntArray:
    """Return how many of the cells before each one are in its own row, shape (n,)."""
    by_row = np.argsort(rows, kind="stable")
    in_order = rows[by_row]
    first = np.searchsorted(in_order, in_order, side="left")
    order = np.empty(len(rows), np.int64)
    order[by_row] = np.arange(len(rows)) - first
    return order
