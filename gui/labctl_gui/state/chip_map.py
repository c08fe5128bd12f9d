"""The chip map: the last known conductance of every cell."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class ChipMap:
    """The last conductance read of each cell; NaN where none was.

    Parameters
    ----------
    geometry : Geometry
        Size of the chip.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self._lock = threading.Lock()
        self._conductances = np.full(geometry.n_cells, np.nan)
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

    def replace(self, conductances: FloatArray) -> None:
        """Put a whole map, of shape (pe, row, col) in S, in the place of this one."""
        with self._lock:
            self._conductances = np.array(conductances, dtype=np.float64).reshape(-1)
            self._version += 1

    def pe(self, number: int) -> FloatArray:
        """Return a copy of one PE, of shape (rows, columns), in S."""
        with self._lock:
            maps: FloatArray = self._conductances.reshape(self.geometry.shape)
            return np.array(maps[number])
