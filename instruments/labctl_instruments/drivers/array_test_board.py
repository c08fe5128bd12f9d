"""The array-test board, as docs/board-dialogue.md describes it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_instruments.drivers.bench_instrument import ScpiInstrument
from labctl_instruments.errors import (
    DialogueError,
)
from labctl_instruments.wire.blocks import encode_block
from labctl_instruments.wire.board_layout import (
    CELL,
    COUNT,
    CURRENT,
    SUM,
    SWEEP_POINT,
    VOLTAGE,
    pack_plan,
)

REST_BETWEEN_PULSES = 50e-9
"""Of a stress, in s; as docs/board-dialogue.md says."""


class ArrayTestBoard(ScpiInstrument):
    """Read, pulse, sweep and multiply with blocks of cells.

    Cells are numbers ``(pe * rows + row) * columns + column``. A message that pulses asks for the
    number of waiting errors in the same breath: its answer says that all pulses have been made,
    or that none has.
    """

    models: ClassVar[tuple[str, ...]] = ("ARRAY-BOARD",)

    output: bool = Instrument.control(
        ":OUTP?", ":OUTP %d", """Control whether the drivers are connected (bool).""", cast=bool
    )
    voltage_limit: float = Instrument.control(
        ":LIM:VOLT?",
        ":LIM:VOLT %.9g",
        """Control the highest magnitude on a bit or source line, in V (float).""",
    )
    gate_limit: float = Instrument.control(
        ":LIM:GATE?", ":LIM:GATE %.9g", """Control the highest word-line voltage, in V (float)."""
    )
    current_limit: float = Instrument.control(
        ":LIM:CURR?",
        ":LIM:CURR %.9g",
        """Control the highest current of a source line in a sweep, in A (float).""",
    )
    pulse_limit: float = Instrument.control(
        ":LIM:PULS?",
        ":LIM:PULS %d",
        """Control the most programming pulses a cell may ever receive, 0 for no limit (int).""",
    )
    cells: str = Instrument.measurement(
        ":ARR:CELL?",
        """Get whether cells have transistors (TRAN) or none (PASS) (str).""",
        cast=str,
    )
    write_bias: str = Instrument.control(
        ":BIAS:WRIT?",
        ":BIAS:WRIT %s",
        """Control the bias of other lines while a passive cell is written (str).""",
        values={"half": "HALF", "third": "THIR"},
        map_values=True,
        cast=str,
    )
    read_bias: str = Instrument.control(
        ":BIAS:READ?",
        ":BIAS:READ %s",
        """Control the bias of other lines while a passive cell is read (str).""",
        values={"grounded": "GRO", "floating": "FLO"},
        map_values=True,
        cast=str,
    )
    saturated: int = Instrument.measurement(
        ":MAC:SAT?",
        """Get the conversions that met the top of the range since the board was started (int).""",
        cast=int,
    )

    def __init__(self, adapter: Adapter, name: str = "array-test board") -> None:
        super().__init__(adapter, name)

    @property
    def geometry(self) -> Geometry:
        """Size of the chip that the board serves."""
        pes, rows, columns = self.values(":ARR:GEOM?", cast=int)
        return Geometry(pes, rows, columns)

    def output_off(self) -> None:
        """End whatever runs and isolate all drivers; never refused."""
        self.write(":ABOR")

    def outputs_on(self) -> tuple[str, ...]:
        """Return `("output",)` while the drivers are connected."""
        return ("output",) if self.output else ()

    def read_cells(
        self, cells: npt.ArrayLike, voltage: float, averages: int
    ) -> npt.NDArray[np.float64]:
        """Return the currents, shape (n,), in A, of `cells` (n,) at `voltage` V.

        A reading whose answer is lost is taken once more: one read pulse at no more than 0.5 V.
        """
        query = b":READ:CELL? %s,%d," % (_number(voltage), averages) + _cells(cells)
        return self.again(lambda: self._answered(query, CURRENT, np.size(cells)))

    def pulse_cells(self, records: npt.NDArray[Any]) -> None:
        """Give one pulse to each of the records, of dtype `PULSE`; none at all if refused."""
        self._begin(b":PULS:CELL " + encode_block(records))

    def stress_cells(self, cells: npt.ArrayLike, voltage: float, width: float, count: int) -> None:
        """Give `count` read-polarity pulses of `voltage` V and `width` s to each of `cells`.

        If the answer is lost, only the errors are counted again: it is done if there are none.
        See `once`.

        Raises
        ------
        UncertainPulseError
            If the connection broke: perhaps it never took it.
        """
        head = b":STR:CELL %s,%s,%d," % (_number(voltage), _number(width), count)
        with self.busy_for(count * (width + REST_BETWEEN_PULSES) * np.size(cells)):
            self.once(lambda: self._begin(head + _cells(cells)), self._see_no_errors)

    def count_pulses(self, cells: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Return the programming pulses each of `cells` has received since it was made, (n,)."""
        query = b":COUN:PULS? " + _cells(cells)
        return self.again(lambda: self._answered(query, COUNT, np.size(cells)))

    def sweep_cell(
        self, cell: int, voltages: npt.ArrayLike, *, gate: float, compliance: float, dwell: float
    ) -> npt.NDArray[Any]:
        """Sweep one cell through `voltages` (V); return records of dtype `SWEEP_POINT`."""
        head = b":SWE:CELL? %d,%s,%s,%s," % (
            cell,
            _number(gate),
            _number(compliance),
            _number(dwell),
        )
        block = encode_block(np.asarray(voltages, dtype=VOLTAGE))
        with self.busy_for(dwell * np.size(voltages)):
            return self._answered(head + block, SWEEP_POINT, np.size(voltages))

    def last_sweep(self, cell: int, points: int) -> npt.NDArray[Any]:
        """Return what the board measured in its last sweep, which was of `cell`; see `sweep_cell`.

        Raises
        ------
        RefusalError
            If it was of another cell.
        """
        return self.again(lambda: self._answered(b":SWE:LAST? %d" % cell, SWEEP_POINT, points))

    def define_mac(self, number: int, plan: MacPlan, rows: npt.ArrayLike) -> None:
        """Store a sum plan, with its source lines (n_blocks, n_lines), under `number`."""
        message = b":MAC:DEF %d," % number + encode_block(pack_plan(plan, rows))
        self.again(lambda: self._begin(message))

    def execute_mac(
        self, number: int, vectors: npt.NDArray[np.uint8], *, n_outputs: int
    ) -> npt.NDArray[np.int32]:
        """Return the sums of `vectors`, (n, n_inputs), by plan `number`; flat, n * n_outputs."""
        head = b":MAC:EXEC? %d," % number
        message = encode_block(vectors, before=head, after=b"\n")
        expected = len(vectors) * n_outputs
        return self.again(lambda: self.query_array(message, SUM, expected=expected))

    def delete_mac(self, number: int) -> None:
        """Forget a sum plan."""
        self._begin(b":MAC:DEL %d" % number)

    def _see_no_errors(self) -> None:
        if self.inquire_number(":SYST:ERR:COUN?"):
            self.refuse()

    def _begin(self, message: bytes) -> None:
        """Send a command, once, and see in the same exchange that the board took it.

        Raises
        ------
        RefusalError
            If it did not; then it has done nothing of it.
        """
        answer = self.ask_bytes(message + b";:SYST:ERR:COUN?\n")
        if not answer.strip().isdecimal():
            raise self.spoilt(message[:12].decode("ascii", "replace"), answer)
        if int(answer):
            self.refuse()

    def _answered(self, message: bytes, dtype: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        answer = self.query_array(message + b"\n", dtype, expected=count)
        if len(answer) != count:
            raise DialogueError(self.name, f"asked for {count} records, {len(answer)} came")
        return answer


def _number(value: float) -> bytes:
    return b"%.9g" % value


def _cells(cells: npt.ArrayLike) -> bytes:
    return encode_block(np.asarray(cells, dtype=CELL))
