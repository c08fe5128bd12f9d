"""Lines: what every bit, source and word line of one array makes its cells do at one instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labctl_data.model import laws
from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.cell import Records, Tables, act, seen
from labctl_instruments.chip.errors import ChipError

LEAK = 1e-12
"""Conductance to ground of a line that nothing drives, in S."""
PROGRAMMING_VOLTAGE = 0.5
"""A cell that sees more than this, in V, has received a programming pulse."""
_RESIDUE = 1e-9
"""Relative error of Kirchhoff's current law at which the solution is accepted."""
_LEAST_RESIDUE = 1e-17
"""The same, absolute, in A."""
_LONGEST_STEP = 0.5
"""Longest step of one Newton iteration, in V."""

_MOST_ITERATIONS = 200
_MOST_HALVINGS = 12
_TINY = 1e-300


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


@dataclass(frozen=True, eq=False)
class LineCurrents:
    """What the drivers of one array deliver.

    Attributes
    ----------
    bit_lines, source_lines : ndarray of shape (columns,), (rows,)
        Current out of each driver into the array, in A; the sum over all lines is 0.
    bit_voltages, source_voltages : ndarray of shape (columns,), (rows,)
        Voltages of the lines, in V: as asked, but where a line floats or its driver is limited.
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
    t: Tables, first: int, lines: Lines, hold: Hold, limits: FloatArray
) -> LineCurrents:
    """Hold lines of which some float or have limited drivers.

    The cells move at the voltages that stand before they move; the currents are those after.
    """
    still = hold._replace(width=0.0, averages=0)
    settled, _, _ = _network(t, first, lines, still).settle(limits)
    if hold.width > 0.0:
        drive_lines(t, first, settled, hold._replace(averages=0), np.zeros(limits.shape))
    return _line_currents(*_network(t, first, lines, hold).settle(limits))


def _network(t: Tables, first: int, lines: Lines, hold: Hold) -> Network:
    conductance = np.empty((len(lines.source), len(lines.bit)))
    seen_array(t, first, lines.word, hold, conductance)
    return Network(t.model, conductance, lines)


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
    p = t.model[0]
    voltage, gate = bias
    size = abs(voltage)
    if size > PROGRAMMING_VOLTAGE and hold.width > 0.0:
        t.states[cell].pulses += np.uint32(1)
    if hold.width > 0.0:
        act(t, cell, laws.pulse_of(p, 0 if voltage > 0.0 else 1, size, hold.width, gate), hold.now)
    g = seen(t, cell, (hold.now, hold.time), hold.averages)
    return laws.channel_current(p, g, voltage, gate)


@compiled
def seen_array(t: Tables, first: int, word: FloatArray, hold: Hold, out: FloatArray) -> None:
    """Fill `out`, shape (rows, columns), with conductances seen; 0 where the word line is off."""
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            out[row, column] = 0.0
            if laws.is_on(t.model[0], word[row]):
                cell = first + row * out.shape[1] + column
                out[row, column] = seen(t, cell, (hold.now, hold.time), hold.averages)


@compiled
def channel_array(
    model: Records, lines: Lines, g: FloatArray, amperes: FloatArray, slopes: FloatArray
) -> None:
    """Fill the currents of all cells, in A, and their slopes, in S; shape (rows, columns)."""
    p = model[0]
    h = 1e-6
    for row in range(g.shape[0]):
        for column in range(g.shape[1]):
            amperes[row, column] = slopes[row, column] = 0.0
            if g[row, column] > 0.0:
                v = lines.bit[column] - lines.source[row]
                gate = lines.word[row] - min(lines.bit[column], lines.source[row])
                amperes[row, column] = laws.channel_current(p, g[row, column], v, gate)
                above = laws.channel_current(p, g[row, column], v + h, gate)
                below = laws.channel_current(p, g[row, column], v - h, gate)
                slopes[row, column] = max((above - below) / (2.0 * h), 1e-3 * g[row, column])


class Network:
    """Cells of one array between lines of which some float or are limited in current.

    Kirchhoff's current law at the lines that are not held, solved by damped Newton iteration; the
    elements are passive and monotone, so the solution is one.
    """

    def __init__(self, model: Records, conductance: FloatArray, lines: Lines) -> None:
        self._model = model
        self._g = conductance
        self._asked = np.concatenate([lines.bit, lines.source])
        self._word = lines.word
        self._columns = len(lines.bit)

    def settle(self, limits: FloatArray) -> tuple[Lines, FloatArray, npt.NDArray[np.bool_]]:
        """Return line voltages, line currents and which lines are limited (bit lines first).

        Parameters
        ----------
        limits : ndarray of shape (columns + rows,)
            Largest current of each driver, in A; inf where there is no limit.

        Raises
        ------
        ChipError
            If the iteration does not converge.
        """
        floating = np.isnan(self._asked)
        limited = np.zeros_like(floating)
        voltages = np.where(floating, 0.0, self._asked)
        targets = np.zeros_like(voltages)
        while True:
            voltages = self._solve(voltages, targets, floating | limited)
            currents, _ = self._kirchhoff(voltages)
            excess = np.where(floating | limited, 0.0, np.abs(currents) - limits)
            worst = int(excess.argmax())
            if excess[worst] <= _RESIDUE * abs(currents[worst]):
                return self._lines(voltages), currents, limited
            limited[worst] = True
            targets[worst] = np.copysign(limits[worst], currents[worst])

    def _solve(
        self, voltages: FloatArray, targets: FloatArray, free: npt.NDArray[np.bool_]
    ) -> FloatArray:
        """Find the voltages of the free lines at which they carry their targets."""
        voltages = voltages.copy()
        if not free.any():
            return voltages
        for _ in range(_MOST_ITERATIONS):
            currents, jacobian = self._kirchhoff(voltages)
            residue = (currents + LEAK * voltages - targets)[free]
            scale = np.abs(currents).max()
            if np.abs(residue).max() <= _RESIDUE * scale + _LEAST_RESIDUE:
                return voltages
            step = -np.linalg.solve(jacobian[np.ix_(free, free)], residue)
            shortening = min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), _TINY))
            voltages[free] = self._damped(voltages, free, step * shortening, targets)
        raise ChipError(
            f"chip: the voltages of {int(free.sum())} floating or limited lines did not converge "
            f"in {_MOST_ITERATIONS} iterations"
        )

    def _damped(
        self,
        voltages: FloatArray,
        free: npt.NDArray[np.bool_],
        step: npt.NDArray[np.floating],
        targets: FloatArray,
    ) -> FloatArray:
        """Return the free voltages after the longest halving of the step that helps."""

        def error(free_voltages: npt.NDArray[np.floating]) -> float:
            trial = voltages.copy()
            trial[free] = free_voltages
            residue = (self._kirchhoff(trial)[0] + LEAK * trial - targets)[free]
            return float(np.abs(residue).sum())

        start, before = voltages[free], error(voltages[free])
        for _ in range(_MOST_HALVINGS):
            if error(start + step) < before:
                break
            step = step * 0.5
        return np.asarray(start + step)

    def _kirchhoff(self, voltages: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current out of each line and its derivatives, bit lines first."""
        amperes, slopes = np.empty_like(self._g), np.empty_like(self._g)
        channel_array(self._model, self._lines(voltages), self._g, amperes, slopes)
        currents = np.concatenate([amperes.sum(axis=0), -amperes.sum(axis=1)])
        own = np.concatenate([slopes.sum(axis=0), slopes.sum(axis=1)]) + LEAK
        jacobian = np.diag(own)
        jacobian[self._columns :, : self._columns] = -slopes
        jacobian[: self._columns, self._columns :] = -slopes.T
        return currents, jacobian

    def _lines(self, voltages: FloatArray) -> Lines:
        return Lines(voltages[: self._columns].copy(), voltages[self._columns :].copy(), self._word)
