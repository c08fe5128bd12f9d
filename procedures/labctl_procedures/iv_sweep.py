"""Current-voltage loops of single cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells
from labctl_data.run_file import Column
from labctl_instruments.station import FloatArray
from labctl_procedures.errors import ParameterError
from labctl_procedures.parameters import CellsParameter, CountParameter, QuantityParameter
from labctl_procedures.procedure import (
    ADDRESS,
    TIME,
    ChipProcedure,
    Demand,
    Rows,
    address_columns,
)
from labctl_procedures.stored import Stored

DISTURBING = 0.5
"""Points beyond this magnitude count as pulses, in V."""


@dataclass(frozen=True, eq=False)
class Loop:
    """One cycle on one cell."""

    cell: Cells
    """One cell."""
    cycle: int
    """Number of the cycle, from 0."""


class IVSweep(ChipProcedure[Loop]):
    """Sweep cells 0 -> SET -> 0 -> RESET -> 0 in small steps and measure the current.

    The positive half drives the bit line under the SET gate, the negative half the source line
    under the RESET gate.
    """

    COLUMNS = (
        TIME,
        *ADDRESS,
        Column.from_pymeasure("Cycle", "u2"),
        Column.from_pymeasure("Step", "u4"),
        Column.from_pymeasure("Voltage (V)"),
        Column.from_pymeasure("Gate (V)"),
        Column.from_pymeasure("Current (A)"),
        Column.from_pymeasure("In compliance", "u1"),
    )

    cells = CellsParameter("Cells", default="0/0/0:4", description="Cells, swept one by one")
    positive = QuantityParameter(
        "Highest voltage", units="V", default=1.5, minimum=0.0, maximum=5.0, description="SET side"
    )
    negative = QuantityParameter(
        "Lowest voltage",
        units="V",
        default=-1.2,
        minimum=-5.0,
        maximum=0.0,
        description="RESET side",
    )
    step = QuantityParameter(
        "Step", units="V", default=0.05, minimum=1e-3, maximum=1.0, description="Between points"
    )
    set_gate = QuantityParameter(
        "SET gate", units="V", default=1.8, minimum=0.0, maximum=6.0, description="Positive half"
    )
    reset_gate = QuantityParameter(
        "RESET gate", units="V", default=4.7, minimum=0.0, maximum=6.0, description="Negative half"
    )
    compliance = QuantityParameter(
        "Compliance", units="A", default=100e-6, minimum=1e-9, maximum=1e-2, description="Limit"
    )
    cycles = CountParameter("Cycles", default=2, minimum=1, maximum=10_000, description="A cell")

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self._extremes: list[tuple[float, float, int]] = []
        self._sent: dict[tuple[int, ...], int] = {}

    def check(self) -> None:
        """Refuse a loop without a point; see also `ChipProcedure.check`."""
        if not any(len(half) for half, _ in self.halves()):
            raise ParameterError("IVSweep: parameters 'positive' and 'negative' are both 0 V")
        super().check()

    def halves(self) -> list[tuple[FloatArray, float]]:
        """Return the voltages (V) and the gate (V) of the halves that are not empty."""
        halves = ((self.positive, self.set_gate), (self.negative, self.reset_gate))
        return [(ramp(top, self.step), gate) for top, gate in halves if top]

    def demand(self) -> Demand:
        """Return the most that one cell will see."""
        beyond = sum(int(np.sum(np.abs(half) > DISTURBING)) for half, _ in self.halves())
        return Demand(
            read_voltage=0.0,
            sweep=(self.positive, self.negative),
            sweep_gate=max(gate for _, gate in self.halves()),
            compliance=self.compliance,
            pulses_per_cell=beyond * self.cycles,
        )

    def points(self) -> Iterator[Loop]:
        """Yield every cycle of each cell."""
        for cell in self.cells.blocks(1):
            for cycle in range(self.cycles):
                yield Loop(cell, cycle)

    def measure(self, point: Loop) -> Iterator[Rows]:
        """Sweep one cell through one loop; rows come a half at a time."""
        sent = self._sent.get(tuple(point.cell.addresses[0].tolist()), 0) - point.cycle * len(
            self.halves()
        )
        for number, (steps, voltages, gate) in enumerate(self.steps()):
            if number < sent:
                self._tell_lost(point, steps)
            else:
                yield self._sweep(point, steps, voltages, gate)

    def steps(self) -> Iterator[tuple[npt.NDArray[np.int64], FloatArray, float]]:
        """Yield the numbers of the points, the voltages (V) and the gate (V) of each half."""
        first = 0
        for voltages, gate in self.halves():
            yield np.arange(first, first + len(voltages)), voltages, gate
            first += len(voltages)

    def take_up(self, stored: Stored) -> None:
        """Go on with a run that ended early: a half that was swept is not swept again."""
        super().take_up(stored)
        sent = stored.messages(self.cells).tolist()
        self._sent = dict(zip(map(tuple, self.cells.addresses.tolist()), sent, strict=True))
        for rows in (*map(stored.rows_of, sorted(stored.finished)), self.half_done):
            for steps, _, _ in self.steps():
                at = np.isin(rows["step"], steps)
                if at.any():
                    self._note(rows["current"][at], int(rows["in_compliance"][at].sum()))

    def _sweep(
        self, point: Loop, steps: npt.NDArray[np.int64], voltages: FloatArray, gate: float
    ) -> Rows:
        swept = self.station.sweep(point.cell, voltages, gate=gate, compliance=self.compliance)
        self._note(swept.currents, int(swept.in_compliance.sum()))
        return {
            **address_columns(point.cell[np.zeros(len(voltages), np.int64)]),
            "Cycle": point.cycle,
            "Step": steps,
            "Voltage (V)": voltages,
            "Gate (V)": gate,
            "Current (A)": swept.currents,
            "In compliance": swept.in_compliance.astype(np.uint8),
        }

    def _tell_lost(self, point: Loop, steps: npt.NDArray[np.int64]) -> None:
        """Say which points the cell has seen although their currents are not stored."""
        if np.isin(steps, self.half_done.get("step", ())).all():
            return
        address = "/".join(str(part) for part in point.cell.addresses[0])
        told = f"{address} cycle {point.cycle}: swept, but not stored: steps {steps[0]}-{steps[-1]}"
        self.emit("event", ("lost", told))

    def summary(self) -> dict[str, Any]:
        """Return the highest and lowest currents, in A, and how often the compliance held."""
        if not self._extremes:
            return {"loops": 0}
        highest, lowest, held = zip(*self._extremes, strict=True)
        return {
            "loops": len(self._extremes) // len(self.halves()),
            "current_max": max(highest),
            "current_min": min(lowest),
            "points_in_compliance": sum(held),
        }

    def _note(self, currents: FloatArray, held: int) -> None:
        self._extremes.append((float(currents.max()), float(currents.min()), held))


def ramp(top: float, step: float) -> FloatArray:
    """Return voltages from 0 to `top` and back, in V, at most `step` apart; `top` stands once."""
    n = max(1, int(np.ceil(abs(top) / step - 1e-9)))
    up = top * np.arange(n + 1) / n
    return np.concatenate([up, up[-2::-1]])
