"""Which chip line hangs on which column of which matrix, and what hangs on the matrix rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SLOTS = 6
COLUMNS_OF_A_SLOT = 12
COLUMNS_OF_A_MATRIX = SLOTS * COLUMNS_OF_A_SLOT
ROW_LETTERS = "ABCDEFGH"
LINE_KINDS = ("BL", "SL", "WL")


@dataclass(frozen=True)
class Line:
    """One line of the chip."""

    kind: str
    """`BL`, `SL` or `WL`."""
    number: int
    """BL: ``pe * columns + column``; SL and WL: ``pe * rows + row``."""

    def __str__(self) -> str:
        return f"{self.kind}[{self.number}]"


@dataclass(frozen=True)
class MatrixColumn:
    """One column of a switching mainframe."""

    matrix: str
    """Name of the instrument in the bench file."""
    number: int
    """1 to 72, counted through the slots."""

    def crosspoint(self, row: str) -> str:
        """Return the channel that joins this column to `row`, e.g. `3A07`."""
        slot, column = divmod(self.number - 1, COLUMNS_OF_A_SLOT)
        return f"{slot + 1}{row}{column + 1:02d}"

    def __str__(self) -> str:
        return f"{self.matrix}:{self.number}"


@dataclass(frozen=True)
class Terminal:
    """What hangs on one analogue row of the chained matrices."""

    instrument: str
    """Name of the instrument in the bench file; `ground` for 0 V."""
    channel: int = 1
    """Output channel of the instrument."""


GROUND = Terminal("ground")


@dataclass(frozen=True)
class Wiring:
    """The cabling of an SMU bench."""

    columns: Mapping[Line, MatrixColumn]
    """Matrix column of each line of the chip."""
    rows: Mapping[str, Terminal]
    """Terminal on each used row, by its letter."""

    def row_of(self, instrument: str, channel: int = 1) -> str:
        """Return the row letter on which an instrument's channel hangs; KeyError without one."""
        for letter, terminal in self.rows.items():
            if terminal == Terminal(instrument, channel):
                return letter
        raise KeyError(f"{instrument}:{channel}")


def parse_rows(rows: Mapping[str, str]) -> dict[str, Terminal]:
    """Return the terminals of a `[rows]` table; ValueError says what is wrong."""
    table: dict[str, Terminal] = {}
    for letter, text in rows.items():
        if letter not in ROW_LETTERS:
            raise ValueError(f"row '{letter}' is none of A to H")
        terminal = _parse_terminal(letter, text)
        if terminal != GROUND and terminal in table.values():
            raise ValueError(f"{letter} = '{text}' hangs on another row too")
        table[letter] = terminal
    return table


def parse_lines(lines: Mapping[str, str]) -> dict[Line, MatrixColumn]:
    """Return the columns of a `[lines]` table; ValueError says what is wrong."""
    table: dict[Line, MatrixColumn] = {}
    taken: dict[MatrixColumn, Line] = {}
    for key, value in lines.items():
        for line, column in _parse_range(key, value):
            if line in table:
                raise ValueError(f"'{key}' names {line}, which is already on {table[line]}")
            if column in taken:
                raise ValueError(f"'{key}' puts {line} on {column}, where {taken[column]} is")
            table[line] = column
            taken[column] = line
    return table


_TERMINAL = re.compile(r"([A-Za-z][\w-]*)(?::([12]))?")
_LINES = re.compile(r"(BL|SL|WL)\[(\d+)(?::(\d+))?\]")
_COLUMNS = re.compile(r"([A-Za-z][\w-]*):(\d+)(?:-(\d+))?")


def _parse_terminal(letter: str, text: str) -> Terminal:
    match = _TERMINAL.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{letter} = '{text}': expected 'ground', an instrument, or 'name:channel'"
        )
    return Terminal(match[1], int(match[2] or 1))


def _parse_range(key: str, value: str) -> Iterator[tuple[Line, MatrixColumn]]:
    left, right = _LINES.fullmatch(key), _COLUMNS.fullmatch(value)
    if left is None:
        raise ValueError(f"'{key}': expected BL, SL or WL with a range, e.g. WL[0:72]")
    if right is None:
        raise ValueError(f"'{key}' = '{value}': expected matrix:columns, e.g. matrix1:1-72")
    start, stop = int(left[2]), int(left[3] or int(left[2]) + 1)
    first, last = int(right[2]), int(right[3] or right[2])
    if not 1 <= first <= last <= COLUMNS_OF_A_MATRIX:
        raise ValueError(f"'{key}' = '{value}': columns are 1 to {COLUMNS_OF_A_MATRIX}")
    if stop - start != last - first + 1 or stop <= start:
        raise ValueError(
            f"'{key}' = '{value}': {max(stop - start, 0)} lines on {last - first + 1} columns"
        )
    for offset in range(stop - start):
        yield Line(left[1], start + offset), MatrixColumn(right[1], first + offset)
