"""How the lines of an array are biased on an SMU bench: DESIGN's table, one row number a line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, Geometry
from labctl_data.pulse import PulseKind
from labctl_instruments.station.routing import Lines, RowArray

_KEPT = 8
"""Configurations that are kept."""


class Address(NamedTuple):
    """One cell."""

    pe: int
    row: int
    column: int


@dataclass(frozen=True)
class Terminals:
    """Row numbers (0 for A) of what can be joined to a line."""

    ground: int
    """0 V."""
    bit: int
    """The SMU that drives bit lines."""
    source: int
    """The SMU that holds a source line at 0 V and measures it."""
    gate: int
    """The SMU that drives word lines."""
    pulser: int
    """The pulse generator."""


def each(cells: Cells) -> list[Address]:
    """Return the cells one by one."""
    return [Address(*address) for address in cells.addresses.tolist()]


class Biases:
    """The configurations of an array: which terminal each line is joined to."""

    def __init__(self, geometry: Geometry, terminals: Terminals) -> None:
        self._geometry = geometry
        self._at = terminals
        self._lines = Lines(geometry)
        # A cell that is written is pulsed and read by turns.
        self._known_reading = lru_cache(_KEPT)(self._reading)
        self._known_programming = lru_cache(_KEPT)(self._programming)

    def reading(self, cell: Address) -> RowArray:
        """Bit line driven, source line measured, word line on; all else grounded."""
        return self._known_reading(cell)

    def pulsing(self, cell: Address, kind: PulseKind) -> RowArray:
        """One cell programmed by the pulse generator."""
        return self._known_programming(cell, kind, self._at.pulser)

    def sweeping(self, cell: Address, kind: PulseKind) -> RowArray:
        """One cell programmed by the bit SMU, which also measures."""
        return self._known_programming(cell, kind, self._at.bit)

    def multiplying(self, line: int, columns: npt.NDArray[np.int64]) -> RowArray:
        """Bit lines `columns` driven, all word lines of the PE on, source line `line` measured."""
        rows = self._grounded()
        pe = line // self._geometry.rows
        first = pe * self._geometry.rows
        rows[self._lines.bit(pe, columns)] = self._at.bit
        rows[self._lines.word(np.arange(first, first + self._geometry.rows))] = self._at.gate
        rows[self._lines.source(line)] = self._at.source
        return rows

    def _reading(self, cell: Address) -> RowArray:
        rows = self._grounded()
        rows[self._lines.bit(cell.pe, cell.column)] = self._at.bit
        rows[self._lines.source(self._line(cell))] = self._at.source
        rows[self._lines.word(self._line(cell))] = self._at.gate
        return rows

    def _programming(self, cell: Address, kind: PulseKind, driver: int) -> RowArray:
        rows = self._grounded()
        rows[self._lines.word(self._line(cell))] = self._at.gate
        if kind is PulseKind.SET:
            rows[self._lines.bit(cell.pe, cell.column)] = driver
            return rows
        rows[self._lines.source(self._line(cell))] = driver
        # Inhibit: the row's other bit lines move with the source line, from the same terminal.
        rows[self._lines.bit(cell.pe, np.arange(self._geometry.columns))] = driver
        rows[self._lines.bit(cell.pe, cell.column)] = self._at.ground
        return rows

    def _grounded(self) -> RowArray:
        return np.full(self._lines.count, self._at.ground, dtype=np.int8)

    def _line(self, cell: Address) -> int:
        return cell.pe * self._geometry.rows + cell.row
