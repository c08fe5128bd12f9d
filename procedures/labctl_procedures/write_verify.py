"""Write cells to levels in a closed loop, and judge how well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells
from labctl_data.run_file import Column
from labctl_instruments.station import FloatArray
from labctl_procedures.closed_loop import (
    NO_PULSE,
    BlockWrite,
    Earlier,
    Outcome,
    PulseShape,
    Stage,
    WriteResult,
    WriteSettings,
    assign_levels,
    level_conductances,
    write_cells,
)
from labctl_procedures.errors import ParameterError
from labctl_procedures.parameters import (
    CellsParameter,
    ChoiceParameter,
    CountParameter,
    QuantitiesParameter,
    QuantityParameter,
)
from labctl_procedures.procedure import (
    ADDRESS,
    TIME,
    ChipProcedure,
    Demand,
    Rows,
    address_columns,
    read_in_blocks,
)
from labctl_procedures.quantities import format_quantity
from labctl_procedures.stored import Stored
from labctl_procedures.write_history import WriteHistory
from labctl_procedures.write_summary import Written, summarise

__all__ = [
    "MapPoint",
    "WritePoint",
    "WriteResult",
    "WriteSettings",
    "WriteVerify",
    "write_cells",
]


@dataclass(frozen=True, eq=False)
class WritePoint:
    """One block of cells, each with its target."""

    cells: Cells
    """The n cells of the block."""
    targets: FloatArray
    """Conductances wanted, shape (n,), in S."""


@dataclass(frozen=True)
class MapPoint:
    """One read of all cells."""

    after: float
    """How long after the last write, in s."""


class WriteVerify(ChipProcedure[WritePoint | MapPoint]):
    """Write cells to equally spaced levels with trains of identical pulses, verifying each pulse.

    Rows are one a pulse and verify, so that a fit has traces. Right after its own write each cell
    is judged by an independent averaged read; when all are written, they are mapped, once at the
    end and once after each of the waits in `after`.
    """

    COLUMNS = (
        TIME,
        *ADDRESS,
        Column.from_pymeasure("Target (S)"),
        Column.from_pymeasure("Stage", "u1"),
        Column.from_pymeasure("Pulses", "u4"),
        Column.from_pymeasure("Kind", "i1"),
        Column.from_pymeasure("Amplitude (V)"),
        Column.from_pymeasure("Width (s)"),
        Column.from_pymeasure("Gate (V)"),
        Column.from_pymeasure("Conductance (S)"),
        Column.from_pymeasure("Averages", "u2"),
    )
    """`stage` is `closed_loop.Stage`; `pulses` counts those the cell got in this write; `kind` is
    `PulseKind`, -1 with NaN beside it where the row is a read alone."""
    MAPS = (
        Column("conductance", "S", "Conductance"),
        Column("target", "S", "Target conductance"),
    )

    cells = CellsParameter("Cells", default="0/:/:", description="Cells to write")
    levels = CountParameter(
        "Levels", default=32, minimum=2, maximum=256, description="Equally spaced levels"
    )
    g_min = QuantityParameter(
        "Lowest level", units="S", default=2e-6, minimum=0.0, maximum=1e-3, description="Level 0"
    )
    g_max = QuantityParameter(
        "Highest level", units="S", default=20e-6, minimum=0.0, maximum=1e-3, description="Top"
    )
    assignment = ChoiceParameter(
        "Assignment",
        choices=("random", "all"),
        default="random",
        description="random: one level a cell, equal shares; all: each level on each cell",
    )
    window = QuantityParameter(
        "Verify window",
        units="S",
        default=0.1e-6,
        minimum=1e-9,
        maximum=1e-4,
        description="A verify read within +- this of the target ends the write",
    )
    averages = CountParameter(
        "Averages", default=4, minimum=1, maximum=4096, description="Conversions a verify read"
    )
    limit = CountParameter(
        "Pulse limit", default=1000, minimum=1, maximum=100_000, description="Most pulses a cell"
    )
    set_amplitude = QuantityParameter(
        "SET amplitude", units="V", default=2.0, minimum=0.1, maximum=5.0, description="On the BL"
    )
    set_gate = QuantityParameter(
        "SET gate", units="V", default=1.8, minimum=0.0, maximum=6.0, description="WL during SET"
    )
    reset_amplitude = QuantityParameter(
        "RESET amplitude", units="V", default=1.8, minimum=0.1, maximum=5.0, description="On the SL"
    )
    reset_gate = QuantityParameter(
        "RESET gate", units="V", default=4.7, minimum=0.0, maximum=6.0, description="WL in RESET"
    )
    width = QuantityParameter(
        "Pulse width",
        units="s",
        default=50e-9,
        minimum=10e-9,
        maximum=1.0,
        description="Of SET and RESET pulses",
    )
    voltage = QuantityParameter(
        "Read voltage", units="V", default=0.2, minimum=0.01, maximum=0.5, description="On the BL"
    )
    fresh_averages = CountParameter(
        "Judging averages",
        default=16,
        minimum=1,
        maximum=4096,
        description="Conversions of the read that judges a finished write, and of the maps",
    )
    stuck_after = CountParameter(
        "Stuck after",
        default=100,
        minimum=0,
        maximum=100_000,
        description="Pulses without response after which a cell is called stuck; 0: never",
    )
    after = QuantitiesParameter(
        "Later maps",
        units="s",
        default=(600.0,),
        limits=(0.0, 1e8),
        description="Waits after the last write at which all cells are mapped again",
    )
    seed = CountParameter(
        "Seed", default=0, minimum=0, maximum=2**31, description="Of the assignment of levels"
    )

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self._written: list[Written] = []
        self._maps: list[tuple[float, FloatArray]] = []
        self._last_write = float("nan")

    @property
    def settings(self) -> WriteSettings:
        """The parameters of the closed loop."""
        return WriteSettings(
            window=self.window,
            averages=self.averages,
            limit=self.limit,
            set_pulse=PulseShape(self.set_amplitude, self.width, self.set_gate),
            reset_pulse=PulseShape(self.reset_amplitude, self.width, self.reset_gate),
            voltage=self.voltage,
            fresh_averages=self.fresh_averages,
            stuck_after=self.stuck_after,
        )

    @property
    def pitch(self) -> float:
        """Distance of two levels, in S."""
        return (self.g_max - self.g_min) / (self.levels - 1)

    def check(self) -> None:
        """Refuse levels that the window cannot tell apart; see also `ChipProcedure.check`."""
        if not self.g_min < self.g_max:
            raise ParameterError("WriteVerify: parameter 'g_max' must exceed 'g_min'")
        if self.window >= self.pitch / 2:
            asked, half = (format_quantity(g, "S") for g in (self.window, self.pitch / 2))
            raise ParameterError(
                f"WriteVerify: parameter 'window': {asked} does not part {self.levels} levels, "
                f"whose half pitch is {half}"
            )
        super().check()

    def demand(self) -> Demand:
        """Return the most that one cell will see."""
        passes = self.levels if self.assignment == "all" else 1
        return Demand(
            read_voltage=self.voltage,
            pulses=(self.settings.set_pulse, self.settings.reset_pulse),
            pulses_per_cell=passes * self.limit,
        )

    def take_up(self, stored: Stored) -> None:
        """Go on with a run that ended early: recall what its finished points came to."""
        super().take_up(stored)
        history = WriteHistory(self.settings, self.station.known_stuck)
        for number, point in enumerate(self.points()):
            if number not in stored.finished:
                continue
            rows = stored.rows_of(number)
            if isinstance(point, MapPoint):
                self._maps.append((point.after, rows["conductance"]))
            else:
                result = history.result(rows, point.cells, point.targets)
                self._written.append(Written(point.cells, point.targets, result))
                self._last_write = float(rows["time"].max())

    def points(self) -> Iterator[WritePoint | MapPoint]:
        """Yield the blocks of cells with their targets, then the maps."""
        for targets in self.targets():
            start = 0
            for block in self.cells.blocks(self.station.parallel_cells):
                yield WritePoint(block, targets[start : start + len(block)])
                start += len(block)
        for after in (0.0, *sorted(self.after)):
            yield MapPoint(after)

    def targets(self) -> FloatArray:
        """Return the conductance wanted of each cell in each pass, shape (passes, n), in S."""
        rng = np.random.default_rng(self.seed)
        n = len(self.cells)
        chosen: npt.NDArray[np.int64] = assign_levels(n, self.levels, rng)[np.newaxis]
        if self.assignment == "all":  # each cell meets every level once, in an order of its own
            rows = np.broadcast_to(np.arange(self.levels), (n, self.levels))
            chosen = rng.permuted(rows, axis=1).T
        return level_conductances(self.levels, self.g_min, self.g_max)[chosen]

    def measure(self, point: WritePoint | MapPoint) -> Iterator[Rows]:
        """Write one block of cells, or map all cells."""
        if isinstance(point, MapPoint):
            return self._map(point)
        return self._write(point)

    def summary(self) -> dict[str, Any]:
        """Return how many cells converged, how close they are, and which failed and why."""
        return summarise(self._written, self._maps, self.cells, self.targets(), self.pitch)

    def _write(self, point: WritePoint) -> Iterator[Rows]:
        earlier = self._earlier(point)
        write = BlockWrite(self.station, point.cells, point.targets, self.settings, earlier)
        for rows in write.rows(self.should_stop):
            self.part_done = write.done
            yield rows
        self._last_write = self.station.now()
        self._written.append(Written(point.cells, point.targets, write.result))
        self._name_failures(point.cells, write.result)

    def _earlier(self, point: WritePoint) -> Earlier | None:
        """Return what a run that ended early had come to with this block; None for a new one."""
        if self.stored is None or not self.half_done:
            return None
        history = WriteHistory(self.settings, self.station.known_stuck)
        whole, half = self.stored.records, self.half_done
        over = {name: values[: len(values) - len(half[name])] for name, values in whole.items()}
        given = self.stored.pulses(point.cells) - history.pulses(over, point.cells)
        return history.earlier(half, point.cells, point.targets, given=given)

    def _name_failures(self, cells: Cells, result: WriteResult) -> None:
        reasons, stopped = result.reason, np.equal(result.outcome, Outcome.STOPPED)
        for number in np.flatnonzero((result.outcome > Outcome.CONVERGED) & ~stopped):
            address = "/".join(str(part) for part in cells.addresses[number])
            pulses = int(result.pulses[number])
            self.emit(
                "event", ("write-failed", f"{address}: {reasons[number]} after {pulses} pulses")
            )
        if stopped.any():  # one line: whoever stopped a run of a whole chip waits for the file
            self.emit("event", ("write-stopped", f"{stopped.sum()} cells were not finished"))

    def _map(self, point: MapPoint) -> Iterator[Rows]:
        if point.after and not np.isnan(self._last_write):
            self.wait(max(0.0, self._last_write + point.after - self.station.now()))
            if self.should_stop():
                return
        found = np.empty(len(self.cells))
        start = self.recall(found)
        targets, missing = self.targets()[-1], self.cells[start:]
        for block, g in read_in_blocks(self.station, missing, self.voltage, self.fresh_averages):
            at = slice(start, start + len(block))
            found[at], start = g, at.stop
            yield {
                "Time (s)": self.station.now(),
                **address_columns(block),
                "Target (S)": targets[at],
                "Stage": int(Stage.MAP),
                "Pulses": 0,
                **NO_PULSE,
                "Conductance (S)": g,
                "Averages": self.fresh_averages,
            }
        self._maps.append((point.after, found))
        self.snapshot("conductance", self.cells, found)
        if point.after == 0:
            self.snapshot("target", self.cells, targets)
