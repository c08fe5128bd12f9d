"""Current limits of terminals: what all lines of one draw together is held to its limit.

A terminal that would deliver more goes to the voltage at which it delivers just its limit. The
network is passive, so its current grows with its voltage, and that voltage is found by bracketing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from labctl_instruments.virtual.routing import N_ROWS, ArrayLines, Drive, FloatArray

if TYPE_CHECKING:
    from labctl_instruments.chip.lines import LineCurrents

Arrays = Sequence[tuple[int, ArrayLines]]
Probe = Callable[[int, ArrayLines], "LineCurrents"]
"""What flows in an array with its lines so, without anything of it being changed."""

_MORE = 1.0 + 1e-9
_LEAST = 1e-18
"""Limit, in A, of a source of no current at all."""
_ROUNDS = 8
"""Most terminals that are brought to their limits, one after the other."""


@dataclass(frozen=True)
class Settled:
    """Arrays as their terminals hold them."""

    arrays: Arrays
    """Each array's number, and its lines."""
    limited: frozenset[int] = frozenset()
    """Nodes whose terminal is at its limit."""
    by_line: bool = False
    """Whether the lines are yet as without limits, since each such node has one line."""

    @property
    def is_by_line(self) -> bool:
        """Whether the chip is to hold lines to their limits."""
        return self.by_line and bool(self.limited)


def settle(arrays: Arrays, drives: Mapping[int, Drive], probe: Probe) -> Settled:
    """Return arrays with every terminal within its limit.

    Parameters
    ----------
    arrays : sequence of (int, ArrayLines)
        Each array's number, and its lines as the terminals would hold them without limits.
    drives : mapping of int to Drive
        What drives each node.
    probe : callable
        Returns what flows in an array.
    """
    limited: set[int] = set()
    for _ in range(_ROUNDS):
        excess = excess_of_nodes(currents_of_nodes(arrays, probe), drives)
        worst = int(excess.argmax())
        if excess[worst] <= 1.0:
            break
        limited.add(worst)
        arrays = _held(arrays, worst, drives[worst].limit, probe)
    return Settled(arrays, frozenset(limited))


def currents_of_nodes(arrays: Arrays, probe: Probe) -> FloatArray:
    """Return the current out of each node's terminal, in A, shape (8,)."""
    total = np.zeros(N_ROWS + 1)  # the first is of lines on no node
    for pe, lines in arrays:
        found = probe(pe, lines)
        for nodes, currents in (
            (lines.bit_node, found.bit_lines),
            (lines.source_node, found.source_lines),
        ):
            total += np.bincount(nodes + 1, weights=currents, minlength=N_ROWS + 1)
    return total[1:]


def excess_of_nodes(currents: FloatArray, drives: Mapping[int, Drive]) -> FloatArray:
    """Return how many times its limit each node's terminal delivers, shape (8,); 0 for none."""
    limits = np.full(N_ROWS, np.inf)
    for node, drive in drives.items():
        limits[node] = max(_MORE * drive.limit, _LEAST)
    excess: FloatArray = np.abs(currents) / limits
    return excess


def lines_of(arrays: Arrays, node: int) -> int:
    """Return how many bit and source lines are on a node."""
    return sum(
        int((lines.bit_node == node).sum() + (lines.source_node == node).sum())
        for _, lines in arrays
    )


def _held(arrays: Arrays, node: int, limit: float, probe: Probe) -> Arrays:
    """Return the arrays with a node at the voltage at which it delivers `limit` A."""
    from scipy.optimize import brentq

    def delivered(voltage: float) -> float:
        return float(currents_of_nodes(_with(arrays, node, voltage), probe)[node])

    asked, others = _levels(arrays, node)
    sign = np.sign(delivered(asked))
    far = min(others, default=0.0) if sign > 0 else max(others, default=0.0)
    if far == asked:
        return arrays
    voltage = brentq(
        lambda level: delivered(level) - sign * limit, far, asked, xtol=1e-9, rtol=1e-9
    )
    return _with(arrays, node, float(voltage))


def _levels(arrays: Arrays, node: int) -> tuple[float, set[float]]:
    """Return a node's voltage, in V, and those of all others."""
    asked, others = 0.0, set()
    for _, lines in arrays:
        for nodes, levels in ((lines.bit_node, lines.bit), (lines.source_node, lines.source)):
            here = nodes == node
            asked = float(levels[here][0]) if here.any() else asked
            others |= set(levels[~here & ~np.isnan(levels)].tolist())
    return asked, others


def _with(arrays: Arrays, node: int, voltage: float) -> Arrays:
    return [
        (
            pe,
            replace(
                lines,
                bit=np.where(lines.bit_node == node, voltage, lines.bit),
                source=np.where(lines.source_node == node, voltage, lines.source),
            ),
        )
        for pe, lines in arrays
    ]
