"""The chip map: the last known conductance and the last target of every cell."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class ChipMap:
    """The last conductance read of each cell, and what it was to be; NaN where none is known.

    Parameters
    ----------
    geometry : Geometry
        Size of the chip.
    stuck : ndarray of bool, shape (pe, row, col), optional
        Cells that are known to be stuck; none by default.
    """

    def __init__(self, geometry: Geometry, stuck: npt.NDArray[np.bool_] | None = None) -> None:
        self.geometry = geometry
        self.stuck = np.zeros(geometry.shape, np.bool_) if stuck is None else stuck
        self._lock = threading.Lock()
        self._conductances = np.full(geometry.n_cells, np.nan)
        self._targets = np.full(geometry.n_cells, np.nan)
        self._version = 0

    @property
    def version(self) -> int:
        """Changes with each update."""
        return self._version

    def update(self, index: IntArray, conductances: FloatArray) -> None:
        """Put down what was read.

        Parameters
        ----------
        index : ndarray of shape (n,)
            Flat index of each cell.
        conductances : ndarray of shape (n,)
            Conductance of each, in S.
        """
        with self._lock:
            self._conductances[index] = conductances
            self._version += 1

    def aim(self, index: IntArray, targets: FloatArray) -> None:
        """Put down what cells are to be: `targets`, (n,) in S, of the cells `index`, (n,)."""
        known = np.isfinite(targets)
        with self._lock:
            self._targets[index[known]] = targets[known]
            self._version += 1

    def pe(self, number: int) -> FloatArray:
        """Return a copy of one PE's conductances, of shape (rows, columns), in S."""
        return self._part(self._conductances, number)

    def targets(self, number: int) -> FloatArray:
        """Return a copy of one PE's targets, of shape (rows, columns), in S."""
        return self._part(self._targets, number)

    def whole(self) -> FloatArray:
        """Return a copy of all conductances, of shape (pe, row, col), in S."""
        with self._lock:
            return self._conductances.reshape(self.geometry.shape).copy()

    def _part(self, values: FloatArray, number: int) -> FloatArray:
        with self._lock:
            maps: FloatArray = values.reshape(self.geometry.shape)
            return np.array(maps[number])
