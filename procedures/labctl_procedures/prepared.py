"""A procedure that first writes its cells to levels, and then watches them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

import numpy as np

from labctl_data.cells import Cells
from labctl_data.run_file import Column
from labctl_instruments.station import FloatArray
from labctl_procedures.closed_loop import (
    WriteSettings,
    assign_levels,
    level_conductances,
    write_cells,
)
from labctl_procedures.errors import ParameterError
from labctl_procedures.parameters import CellsParameter, CountParameter, QuantityParameter
from labctl_procedures.procedure import (
    ADDRESS,
    TIME,
    ChipProcedure,
    Demand,
    Rows,
    address_columns,
    read_in_blocks,
)
from labctl_procedures.stored import Records, Stored
from labctl_procedures.write_summary import Written, faults

P = TypeVar("P")
PREPARED = "prepared"
"""Kind of the event that tells, in JSON, which cells could not be written to their levels."""

WATCHED = (
    TIME,
    *ADDRESS,
    Column.from_pymeasure("Target (S)"),
    Column.from_pymeasure("Elapsed (s)"),
    Column.from_pymeasure("Reads", "u8"),
    Column.from_pymeasure("Conductance (S)"),
    Column.from_pymeasure("Averages", "u2"),
)
"""Columns of a procedure that watches cells. `elapsed` is the bench time since the verify read that
followed the cell's own last pulse: NaN for a cell that needed no pulse, which nobody knows the age
of; since the start where all cells were left as found. `reads` counts the stress reads the cell has
had in this run; `target` is NaN where none was asked for."""


class PreparedProcedure(ChipProcedure[P]):
    """Write cells to levels (or leave them as found), then watch them at the points."""

    COLUMNS: ClassVar[tuple[Column, ...]] = WATCHED
    MAPS: ClassVar[tuple[Column, ...]] = (
        Column("conductance", "S", "Conductance"),
        Column("verified_at", "s", "Time of the verify read after the last pulse"),
    )
    """`verified_at` is stored when the cells are written and watching begins."""

    cells = CellsParameter("Cells", default="0/:/:", description="Cells to watch")
    levels = CountParameter(
        "Levels",
        default=8,
        minimum=0,
        maximum=256,
        description="Levels written first, as many cells each as can be; 0: as found",
    )
    g_min = QuantityParameter(
        "Lowest level", units="S", default=2e-6, minimum=0.0, maximum=1e-3, description="Level 0"
    )
    g_max = QuantityParameter(
        "Highest level", units="S", default=20e-6, minimum=0.0, maximum=1e-3, description="Top"
    )
    window = QuantityParameter(
        "Verify window",
        units="S",
        default=0.1e-6,
        minimum=1e-9,
        maximum=1e-4,
        description="A verify read within +- this of the target ends the write",
    )
    limit = CountParameter(
        "Pulse limit", default=1000, minimum=1, maximum=100_000, description="Most pulses a cell"
    )
    voltage = QuantityParameter(
        "Read voltage", units="V", default=0.2, minimum=0.01, maximum=0.5, description="On the BL"
    )
    averages = CountParameter(
        "Averages", default=16, minimum=1, maximum=4096, description="Conversions a read"
    )
    seed = CountParameter(
        "Seed", default=0, minimum=0, maximum=2**31, description="Of the assignment of levels"
    )

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self.reads_done = 0
        self.started = 0.0
        """Bench time at which watching began, in s."""
        self._since = np.empty(0)
        self._targets = np.empty(0)
        self.failed: list[dict[str, Any]] = []
        """Cells that could not be written to their levels, and why."""
        self.pulses_given = np.empty(0, np.int64)
        """Pulses that writing took, a cell, shape (n,)."""
        self._traces: list[FloatArray] = []

    @property
    def settings(self) -> WriteSettings:
        """How the cells are written."""
        return WriteSettings(window=self.window, limit=self.limit, voltage=self.voltage)

    def demand(self) -> Demand:
        """Return the most that one cell will see."""
        if not self.levels:
            return Demand(read_voltage=self.voltage)
        pulses = (self.settings.set_pulse, self.settings.reset_pulse)
        return Demand(self.voltage, pulses=pulses, pulses_per_cell=self.limit)

    def check(self) -> None:
        """Refuse levels that do not rise; see also `ChipProcedure.check`."""
        if self.levels > 1 and not self.g_min < self.g_max:
            owner = type(self).__name__
            raise ParameterError(f"{owner}: parameter 'g_max' must exceed 'g_min'")
        super().check()

    def startup(self) -> None:
        """Write the cells to their levels, in an order that the seed gives."""
        n = len(self.cells)
        self._targets = self._wanted(n)
        begun = self.stored and self.stored.snapshot("verified_at", self.cells)
        if begun:
            self.started, self._since = begun
            return
        self._since = np.full(n, np.nan if self.levels else self.station.now())
        self.pulses_given = np.zeros(n, np.int64)
        if self.levels:
            self._prepare()
        if self.should_stop():  # it may have been cut short, and starts again with a read
            return
        self.started = self.station.now()
        self.snapshot("verified_at", self.cells, self._since, self.started)

    def take_up(self, stored: Stored) -> None:
        """Go on with a run that ended early: recall its looks, and the cells that failed."""
        super().take_up(stored)
        told = [event.text for event in stored.run.events if event.kind == PREPARED]
        self.failed = json.loads(told[-1]) if told else []
        looks = map(stored.rows_of, sorted(stored.finished))
        self._traces = [self._trace(rows) for rows in looks if len(rows["time"])]  # else left out

    def _trace(self, rows: Records) -> FloatArray:
        """Return the conductances of a finished look, (n,), in S."""
        return np.asarray(rows["conductance"], np.float64)

    def look(self) -> Iterator[Rows]:
        """Read every cell, in blocks; map the chip when all are read."""
        found = np.empty(len(self.cells))
        start = self.recall(found)
        missing = self.cells[start:]
        for block, g in read_in_blocks(self.station, missing, self.voltage, self.averages):
            at = slice(start, start + len(block))
            found[at], start = g, at.stop
            now = self.station.now()
            yield self._rows(block, at, now, g)
        self._traces.append(found)
        self.snapshot("conductance", self.cells, found)

    def summary(self) -> dict[str, Any]:
        """Return how far each level's mean and spread moved from the first look to the last.

        Cells that needed no pulse are counted, and left out of all else: they relax from an
        earlier write.
        """
        if not self._traces:
            return {"cells": 0}
        first, last = self._traces[0], self._traces[-1]
        known = np.isfinite(self._since)
        drift = (last - first)[known]
        return {
            "cells": len(self.cells),
            "without_pulse": int(np.sum(~known)),
            "failed": self.failed,
            "drift_mean": float(drift.mean()) if known.any() else None,
            "drift_std": float(drift.std()) if known.any() else None,
            "levels": [
                {
                    "target": target,
                    "cells": int(at.sum()),
                    "first_mean": float(first[at].mean()),
                    "first_std": float(first[at].std()),
                    "last_mean": float(last[at].mean()),
                    "last_std": float(last[at].std()),
                }
                for target, at in self._groups()
            ],
        }

    def _wanted(self, n: int) -> FloatArray:
        """Return the conductance wanted of each cell, (n,), in S; NaN where it is left as found."""
        if not self.levels:
            return np.full(n, np.nan)
        levels = assign_levels(n, self.levels, np.random.default_rng(self.seed))
        return level_conductances(self.levels, self.g_min, self.g_max)[levels]

    def targets_of(self, cells: Cells) -> FloatArray:
        """Return the conductance wanted of some of the cells, (n,), in S."""
        image = np.full(self.station.geometry.shape, np.nan)
        mine = self.cells
        image[mine.pe, mine.row, mine.column] = self._targets
        wanted: FloatArray = image[cells.pe, cells.row, cells.column]
        return wanted

    def _prepare(self) -> None:
        result = write_cells(
            self.station,
            self.cells,
            self._targets,
            self.settings,
            should_stop=self.should_stop,
        )
        self.pulses_given = result.pulses
        pulsed = result.pulses > 0
        self._since[pulsed] = result.finished[pulsed]
        self.failed = faults(Written(self.cells, self._targets, result))
        self.emit("event", (PREPARED, json.dumps(self.failed)))

    def _rows(self, block: Cells, at: slice, now: float, conductances: FloatArray) -> Rows:
        return {
            "Time (s)": now,
            **address_columns(block),
            "Target (S)": self._targets[at],
            "Elapsed (s)": now - self._since[at],
            "Reads": self.reads_done,
            "Conductance (S)": conductances,
            "Averages": self.averages,
        }

    def _groups(self) -> Iterator[tuple[float | None, np.ndarray[Any, Any]]]:
        if not self.levels:
            yield None, np.ones(len(self.cells), bool)
            return
        known = np.isfinite(self._since)
        for target in np.unique(self._targets[known]):
            yield float(target), known & (self._targets == target)
