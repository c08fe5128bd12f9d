"""Which chip line hangs on which column of which matrix, and what hangs on the matrix rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

ROW_LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class MatrixLayout:
    """How the crosspoints of a switching mainframe with equal cards are counted and named."""

    columns_of_a_slot: int
    """Columns of one card."""
    rows: str
    """Letters of its rows, in a bench file; a prefix of `ROW_LETTERS`."""
    has_letters: bool
    """Whether its channels name rows by letters (`1A01`) or by digits (`1101`)."""
    slots: int = 6
    """Cards of one mainframe."""

    @property
    def columns(self) -> int:
        """Columns of the mainframe, through its slots."""
        return self.slots * self.columns_of_a_slot

    def channel(self, column: int, row: int) -> str:
        """Return the name of a crosspoint; column and row count from 0."""
        slot, place = divmod(column, self.columns_of_a_slot)
        name = self.rows[row] if self.has_letters else str(row + 1)
        return f"{slot + 1}{name}{place + 1:02d}"

    def place(self, channel: str) -> tuple[int, int]:
        """Return column and row, from 0, of a channel; ValueError if there is none."""
        match = _CHANNEL.fullmatch(channel)
        rows = self.rows if self.has_letters else "12345678"[: len(self.rows)]
        if (
            match is None
            or match[2] not in rows
            or not 1 <= int(match[1]) <= self.slots
            or not 1 <= int(match[3]) <= self.columns_of_a_slot
        ):
            example = self.channel(0, 0)
            raise ValueError(f"'{channel[:20]}' is no crosspoint such as {example}")
        column = (int(match[1]) - 1) * self.columns_of_a_slot + int(match[3]) - 1
        return column, rows.index(match[2])


_CHANNEL = re.compile(r"([0-9])([A-H1-8])([0-9]{2})")

LAYOUT_707B = MatrixLayout(columns_of_a_slot=12, rows=ROW_LETTERS, has_letters=True)
"""707B with six 7174A cards: 8 x 72."""
LAYOUT_3706A = MatrixLayout(columns_of_a_slot=16, rows=ROW_LETTERS[:6], has_letters=False)
"""3706A with six 3730 cards: 6 x 96; its rows 1 to 6 are A to F of a bench file."""


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
    """Counted from 1 through the slots."""
    layout: MatrixLayout = LAYOUT_707B
    """How the mainframe names its channels."""

    def crosspoint(self, row: str) -> str:
        """Return the channel that joins this column to `row`, e.g. `3A07`."""
        return self.layout.channel(self.number - 1, self.layout.rows.index(row))

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
    layouts: Mapping[str, MatrixLayout] = field(default_factory=dict)
    """Layout of each mainframe; a 707B's, where none is told."""

    def layout_of(self, matrix: str) -> MatrixLayout:
        """Return the layout of a mainframe."""
        return self.layouts.get(matrix, LAYOUT_707B)

    @property
    def has_word_lines(self) -> bool:
        """Whether any word line is on a column: cells without a transistor have none."""
        return any(line.kind == "WL" for line in self.columns)

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


def parse_lines(
    lines: Mapping[str, str], layouts: Mapping[str, MatrixLayout] | None = None
) -> dict[Line, MatrixColumn]:
    """Return the columns of a `[lines]` table; ValueError says what is wrong.

    A mainframe that `layouts` does not name is a 707B.
    """
    table: dict[Line, MatrixColumn] = {}
    taken: dict[MatrixColumn, Line] = {}
    for key, value in lines.items():
        for line, column in _parse_range(key, value, layouts or {}):
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


def _parse_range(
    key: str, value: str, layouts: Mapping[str, MatrixLayout]
) -> Iterator[tuple[Line, MatrixColumn]]:
    left, right = _LINES.fullmatch(key), _COLUMNS.fullmatch(value)
    if left is None:
        raise ValueError(f"'{key}': expected BL, SL or WL with a range, e.g. WL[0:72]")
    if right is None:
        raise ValueError(f"'{key}' = '{value}': expected matrix:columns, e.g. matrix1:1-72")
    start, stop = int(left[2]), int(left[3] or int(left[2]) + 1)
    first, last = int(right[2]), int(right[3] or right[2])
    layout = layouts.get(right[1], LAYOUT_707B)
    if not 1 <= first <= last <= layout.columns:
        raise ValueError(f"'{key}' = '{value}': columns are 1 to {layout.columns}")
    if stop - start != last - first + 1 or stop <= start:
        raise ValueError(
            f"'{key}' = '{value}': {max(stop - start, 0)} lines on {last - first + 1} columns"
        )
    for offset in range(stop - start):
        yield Line(left[1], start + offset), MatrixColumn(right[1], first + offset, layout)
