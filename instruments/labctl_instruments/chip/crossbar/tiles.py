"""Effective matrices of a chip's arrays, worked out anew only where a cell has changed."""

from __future__ import annotations

import numpy as np

from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.crossbar.effective import effective_matrix
from labctl_instruments.chip.crossbar.network import Wires


class Tiles:
    """Remember the effective matrix of each array, and the conductances it was made of."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._known: dict[int, tuple[FloatArray, FloatArray]] = {}

    def effective(self, number: int, conductance: FloatArray) -> FloatArray:
        """Return the effective matrix of array `number`, shape (rows, columns), in S."""
        if number in self._known:
            made_of, matrix = self._known[number]
            if np.array_equal(made_of, conductance):
                return matrix
        matrix = effective_matrix(conductance, self._wires)
        self._known[number] = (conductance.copy(), matrix)
        return matrix
