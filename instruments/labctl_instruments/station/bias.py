"""How the lines of an array are biased on an SMU bench: one row number a line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from labctl_data.array_bias import PassiveBias
from labctl_data.cells import Cells, Geometry
from labctl_data.pulse import PulseKind
from labctl_instruments.station.routing import OPEN, Lines, RowArray

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
    """The SMU that drives word lines; in a passive array, lines that are not selected."""
    pulser: int
    """The pulse generator."""
    pulser_below: int = -1
    """Its second channel, which pulses below 0 V; in a passive array only."""


def each(cells: Cells) -> list[Address]:
    """Return the cells one by one."""
    return [Address(*address) for address in cells.addresses.tolist()]


class Configurations(Protocol):
    """What a station on SMUs asks of the biases of an array: rows of lines, in `Lines` order."""

    def reading(self, cell: Address) -> RowArray:
        """One cell measured."""
        ...

    def pulsing(self, cell: Address, kind: PulseKind) -> RowArray:
        """One cell programmed by the pulse generator."""
        ...

    def sweeping(self, cell: Address, kind: PulseKind) -> RowArray:
        """One cell swept by the bit SMU."""
        ...

    def multiplying(self, line: int, columns: npt.NDArray[np.int64]) -> RowArray:
        """Bit lines `columns` driven, source line `line` measured."""
        ...


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


class PassiveBiases:
    """The same of an array whose cells have no transistor.

    A pulse of V over a cell is +V/2 on one of its lines and -V/2 on the other, at once, with all
    else grounded: cells that share a line with it see V/2, all others nothing.
    """

    def __init__(self, geometry: Geometry, terminals: Terminals, bias: PassiveBias) -> None:
        self._geometry = geometry
        self._at = terminals
        self._lines = Lines(geometry, passive=True)
        self._beside_a_read = terminals.ground if bias.read == "grounded" else int(OPEN)

    def reading(self, cell: Address) -> RowArray:
        """Bit line driven, source line measured; all else grounded, or open and floating."""
        return self._selected(cell, self._at.bit, self._at.source, self._beside_a_read)

    def pulsing(self, cell: Address, kind: PulseKind) -> RowArray:
        """One cell between the two channels of the pulse generator; all else grounded."""
        ends = self._at.pulser, self._at.pulser_below
        bit, source = ends if kind is PulseKind.SET else ends[::-1]
        return self._selected(cell, bit, source, self._at.ground)

    def sweeping(self, cell: Address, kind: PulseKind) -> RowArray:
        """Bit line driven, source line measured; other source lines inhibited, bit lines grounded.

        Both polarities alike: the source-meters have them. The source line carries this cell's
        current alone, since the other bit lines are where it is.
        """
        rows = self._selected(cell, self._at.bit, self._at.source, self._at.ground)
        others = np.arange(self._geometry.n_lines) != self._line(cell)
        rows[self._lines.source(np.flatnonzero(others))] = self._at.gate
        return rows

    def multiplying(self, line: int, columns: npt.NDArray[np.int64]) -> RowArray:
        """Bit lines `columns` driven, source line `line` measured; all else grounded."""
        rows = self._all_at(self._at.ground)
        rows[self._lines.bit(line // self._geometry.rows, columns)] = self._at.bit
        rows[self._lines.source(line)] = self._at.source
        return rows

    def _selected(self, cell: Address, bit: int, source: int, others: int) -> RowArray:
        rows = self._all_at(others)
        rows[self._lines.bit(cell.pe, cell.column)] = bit
        rows[self._lines.source(self._line(cell))] = source
        return rows

    def _all_at(self, row: int) -> RowArray:
        return np.full(self._lines.count, row, dtype=np.int8)

    def _line(self, cell: Address) -> int:
        return cell.pe * self._geometry.rows + cell.row
