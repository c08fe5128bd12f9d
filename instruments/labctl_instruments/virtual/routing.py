"""Switch matrices: closed crosspoints decide which lines of the chip meet which terminal.

Rows A to H of all mainframes are bridged, so a row is one node; a column is the node of one line of
the chip. A closed crosspoint joins the two. Two rows that are closed on one column are one node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_instruments.bench.wiring import ROW_LETTERS, Line, MatrixLayout, Wiring

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

N_ROWS = len(ROW_LETTERS)
_NOWHERE = -1
"""Column of lines that there are not."""
SAME_VOLTAGE = 1e-3
"""Sources that differ by less, in V, share a node without harm."""


@dataclass(frozen=True, slots=True)
class Drive:
    """What a terminal does to the node it is on."""

    voltage: float
    """Voltage it forces, in V."""
    limit: float
    """Largest current it delivers, in A."""
    is_remote: bool = False
    """Whether it forces its voltage at the ends of the lines' leads, by sense wires."""
    is_weak: bool = False
    """Whether it gives way to any other source: an output that is off, but not disconnected."""


class Terminal(Protocol):
    """An output that hangs on a row."""

    name: str
    """What the log calls it."""

    def drive(self) -> Drive | None:
        """Return what it does now; None while it is disconnected."""
        ...


class Ground:
    """0 V, whatever flows."""

    name = "ground"

    def drive(self) -> Drive:
        """Return 0 V."""
        return _GROUND


_GROUND = Drive(0.0, np.inf)


class Crosspoints:
    """The relays of all mainframes.

    Parameters
    ----------
    layouts : mapping of str to MatrixLayout
        The mainframes by their names, in the order in which their columns are counted.
    """

    def __init__(self, layouts: Mapping[str, MatrixLayout]) -> None:
        self._layouts = dict(layouts)
        self._offset: dict[str, int] = {}
        n_columns = 0
        for name, layout in layouts.items():
            self._offset[name] = n_columns
            n_columns += layout.columns
        shape = (n_columns, N_ROWS)
        self.closed = np.zeros(shape, np.bool_)
        """Whether each crosspoint is closed, shape (columns, rows)."""
        self.closures = np.zeros(shape, np.int64)
        """How often each relay has closed, shape (columns, rows)."""
        self.version = 0
        """Grows with every change."""
        self._jammed: dict[tuple[int, int], bool] = {}

    def column(self, matrix: str, number: int) -> int:
        """Return the place of a mainframe's column, counted from 1, among all columns."""
        return self._offset[matrix] + number - 1

    def of(self, matrix: str) -> npt.NDArray[np.bool_]:
        """Return a copy of one mainframe's relays, shape (columns, 8)."""
        return self.closed[self._slice(matrix)].copy()

    def counts(self, matrix: str) -> IntArray:
        """Return how often the relays of one mainframe have closed, shape (columns, 8)."""
        return self.closures[self._slice(matrix)].copy()

    def set(self, matrix: str, closed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Set the relays of one mainframe, shape (columns, 8); return which of them moved."""
        part = self._slice(matrix)
        moved: npt.NDArray[np.bool_] = self.closed[part] != closed
        if moved.any():
            self.closures[part] += moved & closed
            self.closed[part] = closed
            self.version += 1
        return moved

    def jam(self, matrix: str, channel: str, *, closed: bool) -> None:
        """Hold the contact of `channel` (1A01); what is commanded and told of it goes on."""
        column, row = self._layouts[matrix].place(channel)
        self._jammed[self._offset[matrix] + column, row] = closed
        self.version += 1

    def contacts(self) -> npt.NDArray[np.bool_]:
        """Return which contacts are closed, shape (columns, rows): as commanded, save jams."""
        if not self._jammed:
            return self.closed
        made = self.closed.copy()
        for place, closed in self._jammed.items():
            made[place] = closed
        return made

    def _slice(self, matrix: str) -> slice:
        start = self._offset[matrix]
        return slice(start, start + self._layouts[matrix].columns)


@dataclass(frozen=True)
class Conflict:
    """Two sources that force different voltages on one node."""

    names: tuple[str, str]
    """The terminals."""
    voltages: tuple[float, float]
    """What they force, in V."""
    node: int
    """The node, named by its lowest row."""

    def __str__(self) -> str:
        (first, second), (one, other) = self.names, self.voltages
        return f"{first} at {one:.4g} V meets {second} at {other:.4g} V"


@dataclass(frozen=True, eq=False)
class ArrayLines:
    """What the lines of one array are held at; order as in the array.

    Attributes
    ----------
    bit, source, word : ndarray of shape (columns,), (rows,), (rows,)
        Voltages, in V; NaN floats.
    bit_node, source_node : ndarray of shape (columns,), (rows,), int
        Node of each line, named by its lowest row; -1 for none.
    bit_limit, source_limit : ndarray of shape (columns,), (rows,)
        Largest current of the line's driver, in A.
    bit_remote, source_remote : ndarray of shape (columns,), (rows,), bool
        Whether the line's voltage is sensed at the end of its lead.
    """

    bit: FloatArray
    source: FloatArray
    word: FloatArray
    bit_node: IntArray
    source_node: IntArray
    bit_limit: FloatArray
    source_limit: FloatArray
    bit_remote: BoolArray
    source_remote: BoolArray


class Router:
    """From terminals and crosspoints to the voltages of the chip's lines.

    Parameters
    ----------
    wiring : Wiring
        Column of each line.
    geometry : Geometry
        Size of the chip.
    matrices : sequence of str
        Names of the mainframes.
    """

    def __init__(self, wiring: Wiring, geometry: Geometry, matrices: Sequence[str]) -> None:
        self.crosspoints = Crosspoints({name: wiring.layout_of(name) for name in matrices})
        self.geometry = geometry
        self._terminals: dict[int, Terminal] = {}
        self._weakened: dict[str, float] = {}
        self._shares: dict[str, float] = {}
        shapes = {"BL": geometry.columns, "SL": geometry.rows, "WL": geometry.rows}
        self._columns = {
            kind: self._places(wiring, kind, size).reshape(geometry.pes, size)
            for kind, size in shapes.items()
        }
        self._seen = -1
        self._node_of_row = np.arange(N_ROWS)
        self._nodes_of_rows = list(range(N_ROWS))
        self._row_of_column = np.full(len(self.crosspoints.closed), -1)
        self._line_nodes: dict[tuple[str, int], IntArray] = {}
        self._signal_nodes: list[bool] | None = None

    def hang(self, row: str, terminal: Terminal) -> None:
        """Put a terminal on the row of that letter."""
        self._terminals[ROW_LETTERS.index(row)] = terminal

    def weaken(self, name: str, limit: float) -> None:
        """Let the terminal of that name deliver no more than `limit` A, whatever it is set to."""
        self._weakened[name] = limit

    def is_quiet(self) -> bool:
        """Return whether every terminal is at 0 V: relays may move, and nothing can meet."""
        for terminal in self._terminals.values():
            drive = terminal.drive()
            if drive is not None and abs(drive.voltage) > 0.5 * SAME_VOLTAGE:
                return False
        return True

    def node_of(self, terminal: Terminal) -> int:
        """Return the node that a terminal is on; -1 if it hangs on no row."""
        self._follow()
        for row, one in self._terminals.items():
            if one is terminal:
                return int(self._node_of_row[row])
        return -1

    def drives(self) -> tuple[dict[int, Drive], list[Conflict]]:
        """Return what drives each node that is driven, and the conflicts there are."""
        self._follow()
        self._shares = {}
        alone: dict[int, Drive] = {}
        nodes = self._nodes_of_rows
        for row, terminal in self._terminals.items():
            drive = self._drive_of(terminal) if self._weakened else terminal.drive()
            if drive is not None:
                if nodes[row] in alone:
                    return self._drives_that_meet()
                alone[nodes[row]] = drive
        return alone, []

    def _drive_of(self, terminal: Terminal) -> Drive | None:
        drive = terminal.drive()
        if drive is None or terminal.name not in self._weakened:
            return drive
        return replace(drive, limit=min(drive.limit, self._weakened[terminal.name]))

    def _drives_that_meet(self) -> tuple[dict[int, Drive], list[Conflict]]:
        found: dict[int, list[tuple[str, Drive]]] = {}
        for row, terminal in self._terminals.items():
            drive = self._drive_of(terminal)
            if drive is not None:
                found.setdefault(self._nodes_of_rows[row], []).append((terminal.name, drive))
        chosen: dict[int, Drive] = {}
        conflicts: list[Conflict] = []
        for node, drives in found.items():
            chosen[node], trouble = self._meet(node, drives)
            conflicts += trouble
        return chosen, conflicts

    def _meet(self, node: int, drives: list[tuple[str, Drive]]) -> tuple[Drive, list[Conflict]]:
        """Return what counts on one node: all of one voltage together, the worst of a fight."""
        if len(drives) == 1:
            return drives[0][1], []
        strong = [entry for entry in drives if not entry[1].is_weak] or drives[:1]
        self._shares |= {name: 0.0 for name, _ in drives} | {name: 1.0 for name, _ in strong}
        strong.sort(key=lambda entry: -abs(entry[1].voltage))
        name, chosen = strong[0]
        apart = [e for e in strong if abs(e[1].voltage - chosen.voltage) > SAME_VOLTAGE]
        if apart:
            return chosen, [
                Conflict((name, other), (chosen.voltage, drive.voltage), node)
                for other, drive in apart
            ]
        limits = {each: drive.limit for each, drive in strong}
        self._shares |= _parts(limits)
        return replace(chosen, limit=sum(limits.values())), []

    def share(self, terminal: Terminal) -> float:
        """Return which part of its node's current a terminal delivers, as last worked out.

        Sources of one voltage that meet share it as their limits are to each other [chosen: ideal
        ones say nothing of it]; one that is off delivers nothing beside one that is on.
        """
        return self._shares.get(terminal.name, 1.0)

    def cells_on(self, node: int) -> IntArray:
        """Return the cells, as flat indices, of which a line is on a node."""
        self._follow()
        found = []
        for pe in range(self.geometry.pes):
            bit, source, word = (self._nodes(kind, pe) == node for kind in ("BL", "SL", "WL"))
            rows, columns = np.nonzero(bit[np.newaxis, :] | (source | word)[:, np.newaxis])
            found.append((pe * self.geometry.rows + rows) * self.geometry.columns + columns)
        return np.concatenate(found)

    def carries_current(self, node: int) -> bool:
        """Return whether a bit line or a source line of any array is on a node."""
        self._follow()
        if self._signal_nodes is None:
            met = np.zeros(N_ROWS + 1, np.bool_)  # the last is of lines on no node
            for pe in range(self.geometry.pes):
                met[self._nodes("BL", pe)] = met[self._nodes("SL", pe)] = True
            self._signal_nodes = met.tolist()
        return self._signal_nodes[node]

    def lines(self, pe: int, drives: Mapping[int, Drive]) -> ArrayLines:
        """Return the lines of array `pe`, the nodes being driven by `drives`."""
        self._follow()
        voltage = np.full(N_ROWS + 1, np.nan)
        limit = np.full(N_ROWS + 1, np.inf)
        remote = np.zeros(N_ROWS + 1, np.bool_)
        for node, drive in drives.items():
            voltage[node], limit[node], remote[node] = drive.voltage, drive.limit, drive.is_remote
        bit, source, word = (self._nodes(kind, pe) for kind in ("BL", "SL", "WL"))
        return ArrayLines(
            voltage[bit],
            voltage[source],
            voltage[word],
            bit,
            source,
            limit[bit],
            limit[source],
            remote[bit],
            remote[source],
        )

    def _nodes(self, kind: str, pe: int) -> IntArray:
        """Return the node of each line of a kind; -1 (the last entry of a table) for none."""
        nodes = self._line_nodes.get((kind, pe))
        if nodes is None:
            columns = self._columns[kind][pe]
            rows = np.where(columns == _NOWHERE, -1, self._row_of_column[columns])
            nodes = self._line_nodes[kind, pe] = np.append(self._node_of_row, -1)[rows]
        return nodes

    def _follow(self) -> None:
        """Work out the nodes again where a crosspoint has changed."""
        if self._seen == self.crosspoints.version:
            return
        closed = self.crosspoints.contacts()
        code = np.packbits(closed, axis=1, bitorder="little")[:, 0]
        self._row_of_column = _LOWEST_ROW[code]
        bridges = _IS_BRIDGE[code]
        if bridges.any():
            self._node_of_row = _nodes_of_rows(closed[bridges])
            self._nodes_of_rows = self._node_of_row.tolist()
        else:
            self._node_of_row, self._nodes_of_rows = _EACH_ROW, list(range(N_ROWS))
        self._line_nodes.clear()
        self._signal_nodes = None
        self._seen = self.crosspoints.version

    def _places(self, wiring: Wiring, kind: str, size: int) -> IntArray:
        if kind == "WL" and not wiring.has_word_lines:
            return np.full(self.geometry.pes * size, _NOWHERE)
        lines = [Line(kind, number) for number in range(self.geometry.pes * size)]
        columns = [wiring.columns[line] for line in lines]
        return np.array([self.crosspoints.column(c.matrix, c.number) for c in columns], np.int64)


_EACH_ROW = np.arange(N_ROWS)
_CLOSED_ROWS = [[row for row in range(N_ROWS) if code >> row & 1] for code in range(2**N_ROWS)]
_LOWEST_ROW = np.array([rows[0] if rows else -1 for rows in _CLOSED_ROWS])
"""Lowest row that a column is closed on, by the bits of its crosspoints; -1 for none."""
_IS_BRIDGE = np.array([len(rows) > 1 for rows in _CLOSED_ROWS])
"""Whether a column joins rows, by the bits of its crosspoints."""


def _nodes_of_rows(bridges: npt.NDArray[np.bool_]) -> IntArray:
    """Return the lowest row of each row's node; each of `bridges`, shape (n, 8), joins its rows."""
    node = np.arange(N_ROWS)
    for rows in bridges:
        members = np.isin(node, node[rows])
        node[members] = node[members].min()
    return node


def _parts(limits: Mapping[str, float]) -> dict[str, float]:
    """Return which part of a whole each limit is; one without bounds takes all."""
    total = sum(limits.values())
    if np.isinf(total):
        boundless = [name for name, limit in limits.items() if np.isinf(limit)]
        return {name: (name in boundless) / len(boundless) for name in limits}
    return {name: limit / total if total else 1.0 / len(limits) for name, limit in limits.items()}
