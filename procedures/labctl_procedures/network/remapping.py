"""Move lines and inputs to where known stuck cells do the least harm.

A line may stand on any row of its array: the bit lines it meets are the same. Which line goes to
which row, spare rows included, is an assignment problem (Kuhn, Naval Res. Logist. 2, 83 (1955)): a
row costs what its stuck cells would add to the line's currents or take from them. A cell stuck in
its high-resistance state costs next to nothing under a weight's empty side, which is most cells.
Likewise the inputs of a block may come on any bit lines, spare ones included, the same for all of
its lines and copies. Rows, then columns, then rows again: no step makes it worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from labctl_data.model import StuckClass
from labctl_procedures.network.layers import FloatArray
from labctl_procedures.network.plan import LayerPlan, NetworkPlan

IntArray = npt.NDArray[np.int64]

SHORTED = 20
"""Conductance that a shorted cell counts as, in highest levels: no line is put there willingly."""


class _Line(NamedTuple):
    """One used source line of a plan."""

    place: tuple[int, int, int, int]
    """Layer, copy, block, line."""
    row: int
    """Row in its array."""


def around_stuck(plan: NetworkPlan, known_stuck: npt.NDArray[np.int8]) -> NetworkPlan:
    """Return the plan with its lines on the best rows, its inputs on the best bit lines.

    Parameters
    ----------
    plan : NetworkPlan
        A plan with levels and lines.
    known_stuck : ndarray of shape (pe, row, col), int8
        StuckClass of each cell.

    Returns
    -------
    NetworkPlan
    """
    return _by_rows(_by_columns(_by_rows(plan, known_stuck), known_stuck), known_stuck)


def harm(plan: NetworkPlan, known_stuck: npt.NDArray[np.int8]) -> float:
    """Return by how much stuck cells miss their targets in all, in S."""
    found = known_stuck[tuple(plan.cells.addresses.T)]
    values = _stuck_conductances(plan)
    missed = np.where(found > 0, np.abs(values[found] - plan.targets), 0.0)
    return float(missed.sum())


def _by_rows(plan: NetworkPlan, known_stuck: npt.NDArray[np.int8]) -> NetworkPlan:
    """Return the plan with its lines on the best rows of their arrays."""
    lines = [[copy.copy() for copy in layer.lines] for layer in plan.layers]
    for pe, members in sorted(_by_array(plan).items()):
        if known_stuck[pe].any():
            for member, row in zip(
                members, _best_rows(plan, members, known_stuck[pe]), strict=True
            ):
                layer, copy, block, line = member.place
                lines[layer][copy][block, line] = pe * plan.geometry.rows + row
    return _changed(
        plan, [replace(layer, lines=tuple(n)) for layer, n in zip(plan.layers, lines, strict=True)]
    )


def _by_columns(plan: NetworkPlan, known_stuck: npt.NDArray[np.int8]) -> NetworkPlan:
    """Return the plan with the inputs of each block on the best bit lines."""
    stuck = known_stuck.reshape(plan.geometry.n_lines, plan.geometry.columns)
    moved = []
    for layer in plan.layers:
        columns = [_best_columns(plan, layer, block, stuck) for block in range(layer.mac.n_blocks)]
        moved.append(replace(layer, mac=replace(layer.mac, columns=np.stack(columns))))
    return _changed(plan, moved)


def _changed(plan: NetworkPlan, layers: list[LayerPlan]) -> NetworkPlan:
    """Return the plan with other layers, in their order."""
    new = iter(layers)
    steps = tuple(next(new) if isinstance(step, LayerPlan) else step for step in plan.steps)
    return replace(plan, steps=steps)


def _by_array(plan: NetworkPlan) -> dict[int, list[_Line]]:
    """Return the used lines of each array."""
    found: dict[int, list[_Line]] = {}
    for number, layer in enumerate(plan.layers):
        for copy, lines in enumerate(layer.lines):
            for block, line in zip(*np.nonzero(lines >= 0), strict=True):
                pe, row = divmod(int(lines[block, line]), plan.geometry.rows)
                place = (number, copy, int(block), int(line))
                found.setdefault(pe, []).append(_Line(place, row))
    return found


def _best_rows(
    plan: NetworkPlan, members: list[_Line], stuck: npt.NDArray[np.int8]
) -> Iterator[int]:
    """Return the row for each line of one array, at the least cost in all; ties stay in place."""
    wanted = np.array([_targets(plan, member) for member in members])  # (n, columns), NaN unused
    values = _stuck_conductances(plan)[stuck]  # (rows, columns)
    missed = np.abs(values[None] - wanted[:, None]) * (stuck > 0)
    cost = np.nansum(missed, axis=2)
    moved = np.ones_like(cost)
    moved[np.arange(len(members)), [member.row for member in members]] = 0
    _, rows = linear_sum_assignment(cost + 1e-6 * plan.cell_levels.step * moved)
    return iter(rows.tolist())


def _best_columns(
    plan: NetworkPlan, layer: LayerPlan, block: int, stuck: npt.NDArray[np.int8]
) -> IntArray:
    """Return the bit line for each input of a block, (width,), -1 where unused; ties stay.

    `stuck` is of shape (source lines, columns).
    """
    columns = np.asarray(layer.mac.columns[block], np.int64)
    used = np.flatnonzero(columns >= 0)
    cost = np.zeros((len(used), plan.geometry.columns))
    values = _stuck_conductances(plan)
    for copy in layer.lines:
        for line in np.flatnonzero(copy[block] >= 0):
            found = stuck[copy[block, line]]  # (columns,)
            at = np.flatnonzero(found)
            wanted = plan.cell_levels.conductance(layer.cell_levels[block, line, used])
            cost[:, at] += np.abs(values[found[at]] - wanted[:, None])
    moved = np.ones_like(cost)
    moved[np.arange(len(used)), columns[used]] = 0
    best: IntArray = columns.copy()
    best[used] = linear_sum_assignment(cost + 1e-6 * plan.cell_levels.step * moved)[1]
    return best


def _targets(plan: NetworkPlan, member: _Line) -> FloatArray:
    """Return the conductance a line wants on each bit line, (columns,), in S; NaN for none."""
    number, _, block, line = member.place
    layer = plan.layers[number]
    levels, columns = layer.cell_levels[block, line], layer.mac.columns[block]
    wanted = np.full(plan.geometry.columns, np.nan)
    used = levels >= 0
    wanted[columns[used]] = plan.cell_levels.conductance(levels[used])
    return wanted


def _stuck_conductances(plan: NetworkPlan) -> FloatArray:
    """Return what a cell of each StuckClass is taken to conduct, in S."""
    low, high = plan.cell_levels.conductance(np.array([0, plan.cell_levels.highest]))
    found = np.zeros(max(StuckClass) + 1)
    found[StuckClass.STUCK_LOW], found[StuckClass.STUCK_HIGH] = low, high
    found[StuckClass.SHORT] = SHORTED * high
    return found
