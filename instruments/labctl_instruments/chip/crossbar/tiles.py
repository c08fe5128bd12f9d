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
    tolerance : float
        Change of a cell, over the array's highest conductance, up to which the parts stand. Drops
        are then off by about that part of themselves, small parts of the currents; with 0 by none.
    """

    def __init__(self, wires: Wires, *, tolerance: float = 0.0) -> None:
        self._wires, self._tolerance = wires, tolerance
        self._known: dict[int, tuple[FloatArray, FloatArray]] = {}

    def arriving(self, number: int, conductance: FloatArray) -> FloatArray:
        """Return the effective matrix of array `number` over its conductances (rows, columns).

        1 where a cell conducts nothing.
        """
        if number in self._known:
            made_of, part = self._known[number]
            if np.abs(conductance - made_of).max() <= self._tolerance * made_of.max():
                return part
        matrix = effective_matrix(conductance, self._wires)
        joined = conductance > 0.0
        part = np.divide(matrix, conductance, out=np.ones_like(matrix), where=joined)
        self._known[number] = (conductance.copy(), part)
        return part
