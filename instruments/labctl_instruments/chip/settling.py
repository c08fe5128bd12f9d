"""Lines whose voltages must be found: some float, drivers are limited, leads and wires resist.

Kirchhoff's current law, solved by damped Newton steps; the elements are passive and monotone, so
the solution is one. A line is one node where its wires are ideal, else one node a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labctl_data.model import laws
from labctl_data.model.compiled import compiled
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip import crossbar
from labctl_instruments.chip.cell import Records
from labctl_instruments.chip.crossbar import Drivers, Wires
from labctl_instruments.chip.errors import ChipError

BoolArray = npt.NDArray[np.bool_]

LEAK = 1e-12
"""Conductance to ground of a line that nothing drives, in S."""
_RESIDUE = 1e-9
"""Relative error of Kirchhoff's current law at which the solution is accepted."""
_LEAST_RESIDUE = 1e-17
"""The same, absolute, in A."""
_LONGEST_STEP = 0.5
"""Longest step of one Newton iteration, in V."""

_MOST_ITERATIONS = 200
_MOST_HALVINGS = 12
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Nodes:
    """An array whose lines have settled.

    Attributes
    ----------
    bit, source : ndarray of shape (rows, columns)
        Voltages at the two sides of each cell, in V.
    currents : ndarray of shape (columns + rows,)
        Current out of each driver, in A, bit lines first.
    terminals : ndarray of shape (columns + rows,)
        Voltage at each driver's own end of its lead, in V.
    """

    bit: FloatArray
    source: FloatArray
    currents: FloatArray
    terminals: FloatArray


class Network(Protocol):
    """Cells of one array between the leads of its lines."""

    def solve(self, asked: FloatArray, free: BoolArray, fed: FloatArray) -> Nodes:
        """Return the array with its lines driven so; bit lines first, shape (columns + rows,).

        Parameters
        ----------
        asked : ndarray
            Voltages of the drivers, in V; of no account where a line is free.
        free : ndarray of bool
            Lines that no voltage is forced on.
        fed : ndarray
            Current fed into each free line, in A.
        """
        ...


def settle(network: Network, asked: FloatArray, limits: FloatArray) -> tuple[Nodes, BoolArray]:
    """Return the settled array, and which lines are limited (bit lines first).

    Parameters
    ----------
    network : Network
        The array.
    asked : ndarray of shape (columns + rows,)
        Voltage of each line's driver, in V; NaN floats.
    limits : ndarray of shape (columns + rows,)
        Largest current of each driver, in A; inf where there is no limit.

    Raises
    ------
    ChipError
        If the iteration does not converge.
    """
    floating = np.isnan(asked)
    limited = np.zeros_like(floating)
    fed = np.zeros_like(asked)
    while True:
        nodes = network.solve(asked, floating | limited, fed)
        excess = np.where(floating | limited, 0.0, np.abs(nodes.currents) - limits)
        worst = int(excess.argmax())
        if excess[worst] <= _RESIDUE * abs(nodes.currents[worst]):
            return nodes, limited
        limited[worst] = True
        fed[worst] = np.copysign(limits[worst], nodes.currents[worst])


def network_of(
    model: Records, conductance: FloatArray, word: FloatArray, wire: float, leads: FloatArray
) -> Network:
    """Return the network of an array.

    Parameters
    ----------
    model : ndarray of shape (1,)
        The packed model.
    conductance : ndarray of shape (rows, columns)
        Conductances at 0.2 V, in S; 0 where the word line is off.
    word : ndarray of shape (rows,)
        Word lines, in V.
    wire : float
        Resistance of one segment of a bit or source line, in ohm; 0: ideal.
    leads : ndarray of shape (columns + rows,)
        Resistance between each line's driver and its end, in ohm, bit lines first.
    """
    if wire > 0.0:
        return Wired(model, conductance, word, wire, leads)
    return Lumped(model, conductance, word, leads)


@compiled
def channel_nodes(
    model: Records,
    nodes: tuple[FloatArray, FloatArray],
    word: FloatArray,
    g: FloatArray,
    amperes: FloatArray,
    slopes: FloatArray,
) -> None:
    """Fill the currents of all cells, in A, and their slopes, in S; shape (rows, columns).

    `nodes` are the voltages at the bit and at the source side of each cell.
    """
    p = model[0]
    bit, source = nodes
    h = 1e-6
    for row in range(g.shape[0]):
        for column in range(g.shape[1]):
            amperes[row, column] = slopes[row, column] = 0.0
            if g[row, column] > 0.0:
                v = bit[row, column] - source[row, column]
                gate = word[row] - min(bit[row, column], source[row, column])
                amperes[row, column] = laws.channel_current(p, g[row, column], v, gate)
                above = laws.channel_current(p, g[row, column], v + h, gate)
                below = laws.channel_current(p, g[row, column], v - h, gate)
                slopes[row, column] = max((above - below) / (2.0 * h), 1e-3 * g[row, column])


class Lumped:
    """Lines without resistance of their own: one node each. It starts from where it last ended."""

    def __init__(
        self, model: Records, conductance: FloatArray, word: FloatArray, leads: FloatArray
    ) -> None:
        self._model, self._g, self._word = model, conductance, word
        self._columns = conductance.shape[1]
        self._leads = leads
        conducting = conductance > 0.0
        joined = np.concatenate([conducting.any(axis=0), conducting.any(axis=1)])
        self._has_lead = joined & (leads > 0.0)  # where nothing flows, nothing is lost
        self._pull = np.divide(1.0, leads, out=np.zeros_like(leads), where=self._has_lead)
        self._voltages = np.zeros_like(leads)

    def solve(self, asked: FloatArray, free: BoolArray, fed: FloatArray) -> Nodes:
        """Return the array with its lines driven so; see `Network`."""
        pull = np.where(free, 0.0, self._pull)
        unknown = free | self._has_lead
        start = np.where(free, self._voltages, asked)
        lines = self._lines(start, unknown, (pull, np.where(free, 0.0, asked), fed))
        self._voltages = lines
        currents, _ = self._kirchhoff(lines)
        terminals = np.where(free, lines + self._leads * fed, asked)
        bit, source = self._nodes(lines)
        return Nodes(bit, source, currents, terminals)

    def _lines(
        self,
        voltages: FloatArray,
        unknown: BoolArray,
        driven: tuple[FloatArray, FloatArray, FloatArray],
    ) -> FloatArray:
        """Find the voltages of unknown lines at which currents in and out of them are equal.

        `driven` is what pulls at each line (S), to which voltage (V), and what is fed into it (A).
        """
        pull, asked, fed = driven
        voltages = voltages.copy()
        if not unknown.any():
            return voltages

        def residue(trial: FloatArray, currents: FloatArray) -> FloatArray:
            missing = currents + LEAK * trial - fed - pull * (asked - trial)
            return np.asarray(missing[unknown])

        for _ in range(_MOST_ITERATIONS):
            currents, jacobian = self._kirchhoff(voltages)
            wrong = residue(voltages, currents)
            rounding = np.finfo(np.float64).eps * float((pull * np.abs(asked)).max())
            if np.abs(wrong).max() <= _RESIDUE * np.abs(currents).max() + _LEAST_RESIDUE + rounding:
                return voltages
            jacobian[np.diag_indices_from(jacobian)] += pull
            step = -np.linalg.solve(jacobian[np.ix_(unknown, unknown)], wrong)
            step *= min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), _TINY))
            before = float(np.abs(wrong).sum())
            for _ in range(_MOST_HALVINGS):
                trial = voltages.copy()
                trial[unknown] += step
                if float(np.abs(residue(trial, self._kirchhoff(trial)[0])).sum()) < before:
                    break
                step = step * 0.5
            voltages[unknown] += step
        raise ChipError(
            f"chip: the voltages of {int(unknown.sum())} lines that float, are limited or have a "
            f"lead did not converge in {_MOST_ITERATIONS} iterations"
        )

    def _kirchhoff(self, voltages: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current out of each line and its derivatives, bit lines first."""
        amperes, slopes = np.empty_like(self._g), np.empty_like(self._g)
        channel_nodes(self._model, self._nodes(voltages), self._word, self._g, amperes, slopes)
        currents = np.concatenate([amperes.sum(axis=0), -amperes.sum(axis=1)])
        own = np.concatenate([slopes.sum(axis=0), slopes.sum(axis=1)]) + LEAK
        jacobian = np.diag(own)
        jacobian[self._columns :, : self._columns] = -slopes
        jacobian[: self._columns, self._columns :] = -slopes.T
        return currents, jacobian

    def _nodes(self, lines: FloatArray) -> tuple[FloatArray, FloatArray]:
        shape = self._g.shape
        bit = np.broadcast_to(lines[: self._columns], shape)
        source = np.broadcast_to(lines[self._columns :, np.newaxis], shape)
        return np.ascontiguousarray(bit), np.ascontiguousarray(source)


class Wired:
    """Lines whose segments have a resistance: one node a cell, by the crossbar's nodal solution."""

    def __init__(
        self,
        model: Records,
        conductance: FloatArray,
        word: FloatArray,
        wire: float,
        leads: FloatArray,
    ) -> None:
        self._cells = conductance
        self._wires = Wires.alike(wire)
        self._law = _ChannelLaw(model, word)
        self._ohms = leads + wire
        conducting = conductance > 0.0
        self._is_joined = np.concatenate([conducting.any(axis=0), conducting.any(axis=1)])

    def solve(self, asked: FloatArray, free: BoolArray, fed: FloatArray) -> Nodes:
        """Return the array with its lines driven so; see `Network`."""
        columns = self._cells.shape[1]
        # A free line leaks to ground; one that no cell joins to anything may as well be held there.
        ends = np.where(free & self._is_joined, LEAK, 1.0 / self._ohms)
        voltages = np.where(free, 0.0, asked)
        drivers = [
            Drivers(voltages[part], ends[part], fed[part])
            for part in (slice(columns), slice(columns, None))
        ]
        found = crossbar.settle(self._cells, (drivers[0], drivers[1]), self._wires, self._law)
        firsts = np.concatenate([found.bit_nodes[0], found.source_nodes[:, 0]])
        return Nodes(
            found.bit_nodes,
            found.source_nodes,
            np.concatenate([found.bit_currents, found.source_currents]),
            np.where(free, firsts + self._ohms * fed, asked),
        )


@dataclass(frozen=True, eq=False)
class _ChannelLaw:
    """The model's cells with their transistors, as a crossbar takes them."""

    model: Records
    word: FloatArray
    is_linear: bool = False

    def through(
        self, conductance: FloatArray, voltage: FloatArray, source: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return currents and slopes; see `Law`."""
        amperes, slopes = np.empty_like(conductance), np.empty_like(conductance)
        below = np.ascontiguousarray(source)
        nodes = (below + voltage, below)
        channel_nodes(self.model, nodes, self.word, conductance, amperes, slopes)
        return amperes, slopes
