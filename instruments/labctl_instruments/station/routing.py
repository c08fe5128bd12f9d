"""Which line of the chip is joined to which row of the matrices, and the relays that make it so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_instruments.bench.wiring import Line, Wiring

RowArray = npt.NDArray[np.int8]
"""Row number (0 for A) that each line is joined to, -1 for none; lines in `Lines` order."""
OPEN = np.int8(-1)
Moves = tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
"""Mainframes in which something changes, with the channels that open and that close."""
_KEPT_MOVES = 64


class Lines:
    """The lines of a chip in one order: bit lines, then source lines, then word lines.

    Where cells have no transistor there are no word lines.
    """

    def __init__(self, geometry: Geometry, *, passive: bool = False) -> None:
        self._geometry = geometry
        self._bits = geometry.pes * geometry.columns
        self._words = 0 if passive else geometry.n_lines
        self.count = self._bits + geometry.n_lines + self._words

    def bit(self, pe: int, columns: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the positions of bit lines `columns` of a PE."""
        return pe * self._geometry.columns + np.atleast_1d(np.asarray(columns, dtype=np.int64))

    def source(self, line: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the positions of source lines ``pe * rows + row``."""
        return self._bits + np.atleast_1d(np.asarray(line, dtype=np.int64))

    def word(self, line: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the positions of word lines ``pe * rows + row``."""
        offset = self._bits + self._geometry.n_lines
        return offset + np.atleast_1d(np.asarray(line, dtype=np.int64))

    def names(self) -> Iterable[Line]:
        """Yield the lines in order."""
        for kind, count in (
            ("BL", self._bits),
            ("SL", self._geometry.n_lines),
            ("WL", self._words),
        ):
            for number in range(count):
                yield Line(kind, number)


class Matrix(Protocol):
    """A switching mainframe, as far as routing needs it."""

    def close_only(self, channels: Iterable[str]) -> None:
        """Close some channels and open all others."""

    def exchange_channels(self, opened: Iterable[str], closed: Iterable[str]) -> None:
        """Open some channels, then close others."""


class Routing:
    """The crosspoints of all mainframes, moved by the fewest relays.

    Parameters
    ----------
    wiring : Wiring
        Column of each line.
    matrices : mapping of str to Matrix
        The mainframes by their names.
    geometry : Geometry
        Size of the chip.
    """

    def __init__(self, wiring: Wiring, matrices: Mapping[str, Matrix], geometry: Geometry) -> None:
        self._matrices = matrices
        lines = Lines(geometry, passive=not wiring.has_word_lines)
        columns = [wiring.columns[line] for line in lines.names()]
        self._matrix_of = [column.matrix for column in columns]
        self._crosspoints = [
            [column.crosspoint(row) for row in column.layout.rows] for column in columns
        ]
        self._joined: RowArray = np.full(len(columns), OPEN)
        self._moves: dict[tuple[bytes, bytes], Moves] = {}
        self._is_known = False
        self.closures = 0
        """Contacts told to close."""

    @property
    def joined(self) -> RowArray:
        """Row of each line, `OPEN` for none; all open where nothing is taken for granted."""
        return self._joined.copy() if self._is_known else np.full_like(self._joined, OPEN)

    def differs(self, rows: RowArray) -> bool:
        """Return whether joining lines to `rows` would, or could, move a relay."""
        return not (self._is_known and self._joined.tobytes() == rows.tobytes())

    def join(self, rows: RowArray) -> None:
        """Join each line to its row; whatever is on the rows must be at 0 V.

        One message goes to each mainframe in which something changes: it opens, then closes. Where
        the state is not known for sure, each mainframe gets the list of all that shall be closed.
        """
        was_known, self._is_known = self._is_known, False
        if was_known:
            self._exchange(rows)
        else:
            closed = self._channels(np.flatnonzero(rows != OPEN), rows)
            for name, matrix in self._matrices.items():
                matrix.close_only(closed[name])
                self.closures += len(closed[name])
        self._joined = rows.copy()
        self._is_known = True

    def forget(self) -> None:
        """Take nothing for granted: the bench was put to rest, or something failed."""
        self._is_known = False

    def _exchange(self, rows: RowArray) -> None:
        for name, opened, closed in self._moves_to(rows):
            self._matrices[name].exchange_channels(opened, closed)
            self.closures += len(closed)

    def _moves_to(self, rows: RowArray) -> Moves:
        """Return what is to be opened and closed; the same few moves come again and again."""
        key = self._joined.tobytes(), rows.tobytes()
        moves = self._moves.get(key)
        if moves is None:
            changed = self._joined != rows
            opened = self._channels(np.flatnonzero(changed & (self._joined != OPEN)), self._joined)
            closed = self._channels(np.flatnonzero(changed & (rows != OPEN)), rows)
            if len(self._moves) >= _KEPT_MOVES:
                self._moves.clear()
            moves = self._moves[key] = tuple(
                (name, tuple(opened[name]), tuple(closed[name]))
                for name in self._matrices
                if opened[name] or closed[name]
            )
        return moves

    def _channels(self, lines: npt.NDArray[np.intp], rows: RowArray) -> dict[str, list[str]]:
        """Return, by mainframe, the crosspoints that join `lines` to their `rows`."""
        channels: dict[str, list[str]] = {name: [] for name in self._matrices}
        for k in lines:
            channels[self._matrix_of[k]].append(self._crosspoints[k][rows[k]])
        return channels
