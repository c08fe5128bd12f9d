"""Lines: what every bit, source and word line of one array makes its cells do at one instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.model import laws
from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.cell import Tables, act, seen
from labctl_instruments.chip.settling import Network, network_of, settle

PROGRAMMING_VOLTAGE = 0.5
"""A cell that sees more than this, in V, has received a programming pulse."""
OPEN_GATE = 1e6
"""Word-line voltage at which a transistor is as good as absent, in V: passive cells have none."""


class Lines(NamedTuple):
    """Voltages of the lines of one array, in V."""

    bit: FloatArray
    """Bit lines, shape (columns,)."""
    source: FloatArray
    """Source lines, shape (rows,)."""
    word: FloatArray
    """Word lines, shape (rows,); NaN counts as off."""


class Hold(NamedTuple):
    """How long the lines are held, and when."""

    width: float
    """Time for which the voltages stand, in s; 0: too short for a cell to move."""
    now: float
    """Effective time, in s."""
    time: float
    """Bench time, in s."""
    averages: int
    """Conversions of the current measurement; 0: no read noise, and no read counted."""


class Losses(NamedTuple):
    """What stands between the drivers and the cells."""

    wire: float
    """Resistance of one segment of a bit or source line, in ohm."""
    leads: FloatArray
    """Resistance between each line's driver and its end, in ohm, (columns + rows,)."""

    @property
    def are_none(self) -> bool:
        """Whether every cell sees the voltages of its lines' drivers."""
        return self.wire == 0.0 and not self.leads.any()


@dataclass(frozen=True, eq=False)
class LineCurrents:
    """What the drivers of one array deliver.

    Attributes
    ----------
    bit_lines, source_lines : ndarray of shape (columns,), (rows,)
        Current out of each driver into the array, in A; the sum over all lines is 0.
    bit_voltages, source_voltages : ndarray of shape (columns,), (rows,)
        Voltages at the drivers' ends of the leads, in V: as asked, but where a line floats or its
        driver is limited.
    bit_limited, source_limited : ndarray of shape (columns,), (rows,), bool
        Lines whose driver is at its current limit.
    """

    bit_lines: FloatArray
    source_lines: FloatArray
    bit_voltages: FloatArray
    source_voltages: FloatArray
    bit_limited: npt.NDArray[np.bool_]
    source_limited: npt.NDArray[np.bool_]


@compiled
def drive_lines(t: Tables, first: int, lines: Lines, hold: Hold, currents: FloatArray) -> None:
    """Hold every line at a known voltage; add up currents of bit lines, then of source lines.

    `first` is the index of the array's first cell. Each cell whose word line is on sees its
    voltage, moves if it must, and is then measured.
    """
    p = t.model[0]
    columns = lines.bit.shape[0]
    for row in range(lines.source.shape[0]):
        if not laws.is_on(p, lines.word[row]):
            continue
        for column in range(columns):
            voltage = lines.bit[column] - lines.source[row]
            gate = lines.word[row] - min(lines.bit[column], lines.source[row])
            if voltage == 0.0 or not laws.is_on(p, gate):
                continue
            amperes = through(t, first + row * columns + column, (voltage, gate), hold)
            currents[column] += amperes
            currents[columns + row] -= amperes


def hold_known(t: Tables, first: int, lines: Lines, hold: Hold) -> LineCurrents:
    """Hold lines that are all driven, without limits."""
    columns, rows = len(lines.bit), len(lines.source)
    currents = np.zeros(columns + rows)
    drive_lines(t, first, lines, hold, currents)
    return _line_currents(lines, currents, np.zeros(columns + rows, np.bool_))


def hold_unknown(
    t: Tables, first: int, lines: Lines, hold: Hold, limits: FloatArray, losses: Losses
) -> LineCurrents:
    """Hold lines of which some float, have limited drivers, or lose voltage on the way.

    The cells move at the voltages that stand before they move; the currents are those after.

    Raises
    ------
    ChipError
        If the lines do not settle.
    """
    asked = np.concatenate([lines.bit, lines.source])
    if hold.width > 0.0:
        still = hold._replace(width=0.0, averages=0)
        nodes, _ = settle(_network(t, first, lines, still, losses), asked, limits)
        move_cells(t, first, (nodes.bit, nodes.source), lines.word, hold)
    nodes, limited = settle(_network(t, first, lines, hold, losses), asked, limits)
    columns = len(lines.bit)
    settled = lines._replace(bit=nodes.terminals[:columns], source=nodes.terminals[columns:])
    return _line_currents(settled, nodes.currents, limited)


def _network(t: Tables, first: int, lines: Lines, hold: Hold, losses: Losses) -> Network:
    conductance = np.empty((len(lines.source), len(lines.bit)))
    seen_array(t, first, lines.word, hold, conductance)
    return network_of(t.model, conductance, lines.word, losses.wire, losses.leads)


def _line_currents(
    lines: Lines, currents: FloatArray, limited: npt.NDArray[np.bool_]
) -> LineCurrents:
    columns = len(lines.bit)
    return LineCurrents(
        bit_lines=currents[:columns],
        source_lines=currents[columns:],
        bit_voltages=lines.bit,
        source_voltages=lines.source,
        bit_limited=limited[:columns],
        source_limited=limited[columns:],
    )


@inlined
def through(t: Tables, cell: int, bias: tuple[float, float], hold: Hold) -> float:
    """Hold one cell at (voltage, gate over its lower end); return its current, in A."""
    if hold.width > 0.0:
        move(t, cell, bias, hold)
    g = seen(t, cell, (hold.now, hold.time), hold.averages)
    return laws.channel_current(t.model[0], g, bias[0], bias[1])


@inlined
def move(t: Tables, cell: int, bias: tuple[float, float], hold: Hold) -> None:
    """Let one cell at (voltage, gate over its lower end) move, and count what programs it."""
    voltage, gate = bias
    size = abs(voltage)
    if size > PROGRAMMING_VOLTAGE:
        t.states[cell].pulses += np.uint32(1)
    kind = 0 if voltage > 0.0 else 1
    act(t, cell, laws.pulse_of(t.model[0], kind, size, hold.width, gate), hold.now)


@compiled
def move_cells(
    t: Tables, first: int, nodes: tuple[FloatArray, FloatArray], word: FloatArray, hold: Hold
) -> None:
    """Let the cells of an array move at the voltages of their two sides, (rows, columns) each."""
    p = t.model[0]
    bit, source = nodes
    for row in range(bit.shape[0]):
        for column in range(bit.shape[1]):
            voltage = bit[row, column] - source[row, column]
            gate = word[row] - min(bit[row, column], source[row, column])
            if voltage != 0.0 and laws.is_on(p, word[row]) and laws.is_on(p, gate):
                move(t, first + row * bit.shape[1] + column, (voltage, gate), hold)


@compiled
def seen_array(t: Tables, first: int, word: FloatArray, hold: Hold, out: FloatArray) -> None:
    """Fill `out`, shape (rows, columns), with conductances seen; 0 where the word line is off."""
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = 0.0
            if laws.is_on(t.model[0], word[row]):
                cell = first + row * out.shape[1] + column
                out[row, column] = seen(t, cell, (hold.now, hold.time), hold.averages)
