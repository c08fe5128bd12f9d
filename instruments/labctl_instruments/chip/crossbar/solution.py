"""The exact nodal solution of a crossbar whose wires have resistance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.crossbar import elimination
from labctl_instruments.chip.crossbar.cells import CellLaw, Law
from labctl_instruments.chip.crossbar.elimination import Factors, Vectors
from labctl_instruments.chip.crossbar.errors import CrossbarError
from labctl_instruments.chip.crossbar.network import (
    Drivers,
    Wires,
    check_paths,
    checked_cells,
    checked_leads,
    checked_lines,
)

Drops = tuple[FloatArray, FloatArray]
"""Of both sides of all cells, bit lines first: arrays of shape (rows, columns)."""

_ACCURACY = 1e-13
"""Residue of a linear solution, relative to that of lines without any voltage drop."""
_NEWTON_ACCURACY = 1e-12
"""Error of Kirchhoff's current law, relative to the largest cell current, that is accepted."""
_ROUNDING = 16.0 * float(np.finfo(np.float64).eps)
"""The same, relative to what a segment of wire carries with the largest drop over it."""
_NOTHING = 1e-24
"""The same, in A: less than an electron in a day."""
_INNER_ACCURACY = 1e-6
_MOST_ITERATIONS = 20_000
_MOST_NEWTON_STEPS = 60
_MOST_HALVINGS = 20


@dataclass(frozen=True, eq=False)
class Solution:
    """Voltages and currents of a crossbar.

    Attributes
    ----------
    bit_nodes, source_nodes : ndarray of shape (rows, columns)
        Voltages at the two sides of each cell, in V.
    cell_currents : ndarray of shape (rows, columns)
        Currents from bit line to source line, in A.
    iterations : int
        Steps of conjugate gradients, all together.
    """

    bit_nodes: FloatArray
    source_nodes: FloatArray
    cell_currents: FloatArray
    iterations: int

    @property
    def bit_currents(self) -> FloatArray:
        """Current out of each bit line's driver into the array, in A, shape (columns,)."""
        return np.asarray(self.cell_currents.sum(axis=0))

    @property
    def source_currents(self) -> FloatArray:
        """Current out of each source line's driver into the array, in A, shape (rows,)."""
        return np.asarray(-self.cell_currents.sum(axis=1))


def solve(
    conductance: npt.ArrayLike,
    bit_lines: npt.ArrayLike,
    source_lines: npt.ArrayLike,
    wires: Wires,
    *,
    law: CellLaw | None = None,
    leads: tuple[npt.ArrayLike, npt.ArrayLike] = (0.0, 0.0),
) -> Solution:
    """Solve Kirchhoff's laws at both sides of every cell.

    The unknowns are what wires take off the drivers' voltages, so that small drops come out as
    accurately as large ones. Cells whose law is curved are met by damped Newton steps, each a
    linear crossbar; all elements are passive and monotone, so there is one solution.

    Parameters
    ----------
    conductance : array_like of shape (rows, columns)
        Cell conductances at 0.2 V, in S; 0 where a cell is open or its transistor off.
    bit_lines, source_lines : array_like of shape (columns,), (rows,)
        Voltages of the drivers, in V; NaN floats.
    wires : Wires
        Resistances of the wires.
    law : CellLaw, optional
        What a cell carries; linear and without transistor by default.
    leads : pair of array_like of shape (columns,), (rows,) or float
        Resistances between the drivers and the ends of bit and of source lines, in ohm.

    Returns
    -------
    Solution

    Raises
    ------
    CrossbarError
        If a cell, a line or a lead is no number, a floating line meets no driven one, or the
        iteration does not converge.
    """
    cells = checked_cells(conductance)
    bit = checked_lines(bit_lines, "bit", cells.shape[1])
    source = checked_lines(source_lines, "source", cells.shape[0])
    if np.isnan(bit).any() or np.isnan(source).any():
        check_paths(cells, bit, source)
    middle = float(np.nanmean(np.concatenate([bit, source])))
    ohms = [
        checked_leads(of_kind, kind, len(lines))
        for of_kind, kind, lines in zip(leads, ("bit", "source"), (bit, source), strict=True)
    ]
    drivers = (
        Drivers.behind(bit, wires.bit_line + ohms[0], middle),
        Drivers.behind(source, wires.source_line + ohms[1], middle),
    )
    return settle(cells, drivers, wires, law or CellLaw())


def settle(cells: FloatArray, drivers: tuple[Drivers, Drivers], wires: Wires, law: Law) -> Solution:
    """Solve Kirchhoff's laws for checked cells (rows, columns) between two sets of drivers.

    `drivers` are those of bit and of source lines. Every line must meet a driver, if only through
    other lines.

    Raises
    ------
    CrossbarError
        If the iteration does not converge.
    """
    return _Crossbar(cells, drivers, wires, law).settled()


class _Crossbar:
    """The network of one call; drops are voltages less those of the lines' drivers, in V."""

    def __init__(
        self, cells: FloatArray, drivers: tuple[Drivers, Drivers], wires: Wires, law: Law
    ) -> None:
        bit, source = drivers
        self._cells, self._law = cells, law
        self._starts = (bit.voltages, source.voltages.reshape(-1, 1))
        self._applied = self._starts[0] - self._starts[1]
        self._wire = (1.0 / wires.bit_line, 1.0 / wires.source_line)
        self._ends = (bit.conductances, source.conductances)
        self._fed = (bit.currents, source.currents)
        self._iterations = 0

    def settled(self) -> Solution:
        drops = (np.zeros_like(self._cells), np.zeros_like(self._cells))
        currents, slopes = self._through(drops)
        if self._law.is_linear:
            drops = self._corrections(slopes, self._residue(drops, currents), _ACCURACY)
            currents = slopes * (self._applied + drops[0] - drops[1])
        else:
            drops, currents = self._newton(drops, currents, slopes)
        return Solution(
            self._starts[0] + drops[0], self._starts[1] + drops[1], currents, self._iterations
        )

    def _newton(
        self, drops: Drops, currents: FloatArray, slopes: FloatArray
    ) -> tuple[Drops, FloatArray]:
        residue = self._residue(drops, currents)
        for _ in range(_MOST_NEWTON_STEPS):
            accepted = _NEWTON_ACCURACY * np.abs(currents).max() + _NOTHING
            if _size(residue) <= accepted + _ROUNDING * max(self._wire) * _size(drops):
                return drops, currents
            steps = self._corrections(slopes, residue, _INNER_ACCURACY)
            drops, currents, slopes = self._damped(drops, steps, _size(residue))
            residue = self._residue(drops, currents)
        raise CrossbarError(
            f"crossbar: {_MOST_NEWTON_STEPS} Newton steps leave {_size(residue):g} A at a node, "
            f"of cell currents up to {np.abs(currents).max():g} A"
        )

    def _damped(
        self, drops: Drops, steps: Drops, before: float
    ) -> tuple[Drops, FloatArray, FloatArray]:
        """Return drops, currents and slopes after the longest halving of a step that helps."""
        for _ in range(_MOST_HALVINGS):
            trial = (drops[0] + steps[0], drops[1] + steps[1])
            currents, _ = self._through(trial)
            if _size(self._residue(trial, currents)) < before:
                break
            steps = (0.5 * steps[0], 0.5 * steps[1])
        drops = (drops[0] + steps[0], drops[1] + steps[1])
        return drops, *self._through(drops)

    def _through(self, drops: Drops) -> tuple[FloatArray, FloatArray]:
        """Return currents (A) and slopes (S) of the cells."""
        voltage = self._applied + drops[0] - drops[1]
        return self._law.through(self._cells, voltage, self._starts[1] + drops[1])

    def _residue(self, drops: Drops, currents: FloatArray) -> Drops:
        """Return the current that flows into each node and not out of it, in A."""
        bit = _along(drops[0], self._wire[0], self._ends[0])
        source = _along(drops[1].T, self._wire[1], self._ends[1]).T
        into = -bit - currents, -source + currents
        into[0][0] += self._fed[0]
        into[1][:, 0] += self._fed[1]
        return into

    def _corrections(self, slopes: FloatArray, residue: Drops, accuracy: float) -> Drops:
        """Return the drops that currents into the nodes make in the linear network."""
        rows, columns = slopes.shape
        spare = np.empty((2, rows, columns))
        f = Factors(
            slopes,
            spare[0],
            spare[1],
            self._wire[1],
            self._wire[0],
            self._ends[1],
            self._ends[0],
        )
        work = np.empty_like(slopes)
        elimination.factor_sources(f, work, (0, rows))
        elimination.factor_bits(f, (0, columns))
        elimination.solve_sources(f, residue[1], work, (0, rows))
        v = Vectors(*np.zeros((5, rows, columns)))
        np.add(residue[0], slopes * work, out=v.residue)
        self._iterations += _conjugate_gradients(f, v, work, accuracy)
        elimination.solve_sources(f, residue[1] + slopes * v.solution, work, (0, rows))
        return v.solution, work


def _conjugate_gradients(f: Factors, v: Vectors, work: FloatArray, accuracy: float) -> int:
    """Solve S solution = residue; return how many steps that took."""
    rows, columns = work.shape
    first = old = elimination.precondition(f, v, 0.0, (0, columns))
    beta = 0.0
    for step in range(_MOST_ITERATIONS):
        if old <= accuracy**2 * first:
            return step
        elimination.turn(v, beta, (0, rows))
        alpha = old / elimination.apply(f, v, work, (0, rows))
        new = elimination.precondition(f, v, alpha, (0, columns))
        beta, old = new / old, new
    raise CrossbarError(
        f"crossbar: {_MOST_ITERATIONS} steps of conjugate gradients leave "
        f"{np.sqrt(old / first):.1g} of the residue"
    )


def _along(nodes: FloatArray, wire: float, ends: FloatArray) -> FloatArray:
    """Return the current that wires along axis 0 draw out of each node, in A."""
    out = np.zeros_like(nodes)
    between = wire * np.diff(nodes, axis=0)
    out[:-1] -= between
    out[1:] += between
    out[0] += ends * nodes[0]
    return out


def _size(pair: Drops) -> float:
    return float(max(np.abs(pair[0]).max(), np.abs(pair[1]).max()))
