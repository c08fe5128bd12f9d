"""What wires leave of a chip's cells, worked out anew only where a cell has changed."""

from __future__ import annotations

import numpy as np

from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.crossbar.effective import effective_matrix
from labctl_instruments.chip.crossbar.network import Wires


class Tiles:
    """Remember of each array which part of its conductances arrives at the source lines.

    Parameters
    ----------
    wires : Wires
        Resistances of the wires.
    leads : (float, float)
        Resistances before bit lines and behind source lines, in ohm.
    tolerance : float
        Change of a line's conductance, all cells together, over the array's largest, up to which
        the parts stand; a single cell may change by ten times that part of the highest. Drops are
        then off by about the tolerance; with 0 by nothing.
    """

    def __init__(
        self, wires: Wires, *, leads: tuple[float, float] = (0.0, 0.0), tolerance: float = 0.0
    ) -> None:
        self._wires, self._leads, self._tolerance = wires, leads, tolerance
        self._known: dict[int, tuple[FloatArray, FloatArray]] = {}

    def arriving(self, number: int, conductance: FloatArray) -> FloatArray:
        """Return the effective matrix of array `number` over its conductances (rows, columns).

        1 where a cell conducts nothing.
        """
        if number in self._known:
            made_of, part = self._known[number]
            if self._has_barely_moved(made_of, conductance):
                return part
        matrix = effective_matrix(conductance, self._wires, self._leads)
        joined = conductance > 0.0
        part = np.divide(matrix, conductance, out=np.ones_like(matrix), where=joined)
        self._known[number] = (conductance.copy(), part)
        return part

    def _has_barely_moved(self, before: FloatArray, now: FloatArray) -> bool:
        """Say whether neither a cell nor a line conducts much more or less than before.

        Drops are made by all cells of a line together; what single cells do at random averages out.
        """
        moved = now - before
        if np.abs(moved).max() > 10.0 * self._tolerance * before.max():
            return False
        return all(
            np.abs(moved.sum(axis=axis)).max() <= self._tolerance * before.sum(axis=axis).max()
            for axis in (0, 1)
        )
