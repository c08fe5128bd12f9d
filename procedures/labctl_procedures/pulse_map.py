"""Give each cell one pulse, of many amplitudes, widths and gate voltages over the cells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl_data.cells import Cells
from labctl_data.pulse import PulseKind
from labctl_data.run_file import Column
from labctl_instruments.station import FloatArray
from labctl_procedures.closed_loop import PulseShape
from labctl_procedures.errors import ParameterError
from labctl_procedures.parameters import ChoiceParameter, CountParameter, QuantitiesParameter
from labctl_procedures.prepared import PreparedProcedure
from labctl_procedures.procedure import ADDRESS, TIME, Demand, Rows, address_columns
from labctl_procedures.stored import Records, Stored


@dataclass(frozen=True, eq=False)
class Condition:
    """One shape of pulse and the cells that get it."""

    shape: PulseShape
    """The pulse."""
    cells: Cells
    """One pulse each."""


class PulseMap(PreparedProcedure[Condition]):
    """Write cells to levels, then give each one pulse, and read before and after.

    Amplitudes, widths and gates make a grid; the seed deals its conditions out among the cells.
    Closed loops with identical pulses cannot tell what amplitude, width and gate do; this can.
    """

    COLUMNS = (
        TIME,
        *ADDRESS,
        Column.from_pymeasure("Target (S)"),
        Column.from_pymeasure("Kind", "u1"),
        Column.from_pymeasure("Amplitude (V)"),
        Column.from_pymeasure("Width (s)"),
        Column.from_pymeasure("Gate (V)"),
        Column.from_pymeasure("Before (S)"),
        Column.from_pymeasure("After (S)"),
        Column.from_pymeasure("Averages", "u2"),
    )
    MAPS = (
        *PreparedProcedure.MAPS,
        Column("pulses_before", "", "Pulses given in preparing"),
    )

    levels = CountParameter(
        "Levels",
        default=1,
        minimum=0,
        maximum=256,
        description="Levels written first, as many cells each as can be; 0: as found",
    )
    kind = ChoiceParameter(
        "Pulse", choices=["SET", "RESET"], default="SET", description="Kind of the pulses"
    )
    amplitudes = QuantitiesParameter(
        "Amplitudes",
        units="V",
        default=(1.8, 2.0, 2.2, 2.4, 2.6),
        limits=(0.01, 10.0),
        description="On the BL for SET, on the SL for RESET",
    )
    widths = QuantitiesParameter(
        "Widths",
        units="s",
        default=(20e-9, 50e-9, 100e-9, 300e-9),
        limits=(1e-9, 1.0),
        description="Of the pulses",
    )
    gates = QuantitiesParameter(
        "Gates",
        units="V",
        default=(1.2, 1.5, 1.8, 2.2),
        limits=(0.0, 6.0),
        description="Word-line voltages",
    )

    def __init__(self, **values: object) -> None:
        super().__init__(**values)
        self._moves: dict[tuple[float, float, float], FloatArray] = {}

    @property
    def shapes(self) -> list[PulseShape]:
        """Every condition of the grid."""
        grid = itertools.product(self.amplitudes, self.widths, self.gates)
        return [PulseShape(*values) for values in grid]

    def demand(self) -> Demand:
        """Return the most that one cell will see."""
        demand = super().demand()
        return Demand(
            demand.read_voltage,
            pulses=(*demand.pulses, *self.shapes),
            pulses_per_cell=demand.pulses_per_cell + 1,
        )

    def check(self) -> None:
        """Refuse an empty grid, or one with more conditions than cells; see `ChipProcedure`."""
        conditions = len(self.shapes)
        if not 1 <= conditions <= len(self.cells):
            raise ParameterError(
                f"PulseMap: asked for one pulse a cell under {conditions} conditions "
                "(amplitudes x widths x gates), found "
                f"{len(self.cells)} cells"
            )
        super().check()

    def startup(self) -> None:
        """Write the cells to their levels; note what pulses that took, for a later resume."""
        super().startup()
        if self.stored and self.stored.snapshot("pulses_before", self.cells):
            return
        given = self.pulses_given.astype(np.float64)
        if self.stored is not None:
            given += self.stored.pulses(self.cells)
        if not self.should_stop():
            self.snapshot("pulses_before", self.cells, given)

    def points(self) -> Iterator[Condition]:
        """Yield the conditions; the seed decides which cells are whose."""
        shapes = self.shapes
        order = np.random.default_rng([self.seed, 2]).permutation(len(self.cells))
        for number, shape in enumerate(shapes):
            # In their own order: neighbours are served by one message.
            yield Condition(shape, self.cells[np.sort(order[number :: len(shapes)])])

    def measure(self, point: Condition) -> Iterator[Rows]:
        """Read the cells of one condition, give each its pulse, and read them again."""
        missing = self._untouched(point.cells)
        kind = PulseKind[self.kind]
        for block in missing.blocks(self.station.parallel_cells):
            before = self.station.read(block, self.voltage, self.averages)
            shape = point.shape
            self.station.pulse(block, kind, shape.amplitude, shape.width, shape.gate)
            after = self.station.read(block, self.voltage, self.averages)
            self._note(shape, after - before)
            yield {
                **address_columns(block),
                "Target (S)": self.targets_of(block),
                "Kind": int(kind),
                "Amplitude (V)": shape.amplitude,
                "Width (s)": shape.width,
                "Gate (V)": shape.gate,
                "Before (S)": before,
                "After (S)": after,
                "Averages": self.averages,
            }

    def take_up(self, stored: Stored) -> None:
        """Go on with a run that ended early: recall the moves that its summary needs."""
        super().take_up(stored)
        rows = stored.records
        keys = np.column_stack([rows["amplitude"], rows["width"], rows["gate"]])
        for shape in self.shapes:
            key = (shape.amplitude, shape.width, shape.gate)
            at = np.all(keys == key, axis=1)
            if at.any():
                self._note(shape, (rows["after"] - rows["before"])[at])

    def _trace(self, rows: Records) -> FloatArray:
        """Return nothing: what is stored are pulses, not looks."""
        return np.empty(0)

    def _untouched(self, cells: Cells) -> Cells:
        """Return the cells that have not had their pulse; say which had it and were not stored."""
        if self.stored is None:
            return cells
        noted = self.stored.snapshot("pulses_before", cells)
        before = noted[1] if noted else np.full(len(cells), np.inf)
        pulsed = self.stored.pulses(cells) > before
        rows = self.stored.records
        addresses = (rows[name].tolist() for name in ("pe", "row", "column"))
        kept = set(zip(*addresses, strict=True))
        for cell in cells[pulsed].addresses.tolist():
            if tuple(cell) not in kept:
                address = "/".join(map(str, cell))
                self.emit(
                    "event", ("lost", f"{address}: pulsed, but what came of it is not stored")
                )
        return cells[~pulsed]

    def _note(self, shape: PulseShape, moves: FloatArray) -> None:
        key = (shape.amplitude, shape.width, shape.gate)
        self._moves[key] = np.concatenate([self._moves.get(key, np.empty(0)), moves])

    def summary(self) -> dict[str, Any]:
        """Return the median move of each condition, in S."""
        return {
            "cells": sum(len(moves) for moves in self._moves.values()),
            "failed": self.failed,
            "conditions": [
                {
                    "amplitude": amplitude,
                    "width": width,
                    "gate": gate,
                    "cells": len(moves),
                    "median_move": float(np.median(moves)),
                }
                for (amplitude, width, gate), moves in self._moves.items()
            ],
        }
