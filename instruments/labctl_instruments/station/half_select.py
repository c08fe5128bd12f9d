"""Which cells of a passive array see a programming voltage that was meant for another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_data.array_bias import PassiveBias
from labctl_data.cells import Geometry, IntArray
from labctl_instruments.station.protocol import FloatArray


def beside_pulses(
    bias: PassiveBias, geometry: Geometry, index: IntArray, amplitudes: FloatArray, harmless: float
) -> IntArray:
    """Count the programming pulses that cells see while others are written.

    Parameters
    ----------
    bias : PassiveBias
        How cells are selected.
    geometry : Geometry
        Size of the chip.
    index : ndarray of shape (n,), int64
        The cells written, none twice.
    amplitudes : ndarray of shape (n,)
        Magnitude of the pulse of each, in V.
    harmless : float
        Voltage up to which a cell is not programmed, in V.

    Returns
    -------
    ndarray of shape (n_cells,), int64
        Pulses beyond `harmless`, those that were meant for the cell itself left out.
    """
    sharing = _marked(geometry, index, amplitudes * bias.part_of_line > harmless)
    apart = _marked(geometry, index, amplitudes * bias.part_of_others > harmless)
    on_lines = sharing.sum(axis=1, keepdims=True) + sharing.sum(axis=2, keepdims=True)
    off_lines = (
        apart.sum(axis=(1, 2), keepdims=True)
        - apart.sum(axis=1, keepdims=True)
        - apart.sum(axis=2, keepdims=True)
    )
    return np.asarray((on_lines - 2 * sharing + off_lines + apart).reshape(-1))


def beside_sweep(geometry: Geometry, cell: int, voltages: FloatArray, harmless: float) -> IntArray:
    """Count the programming points that other cells see while one is swept, shape (n_cells,).

    Sweeps are sensed: all cells off the swept cell's source line see half of each voltage.
    """
    points = int(np.count_nonzero(np.abs(voltages) / 2.0 > harmless))
    seen = np.zeros(geometry.shape, np.int64)
    line = cell // geometry.columns
    pe, row = divmod(line, geometry.rows)
    seen[pe] = points
    seen[pe, row] = 0
    return seen.reshape(-1)


def _marked(geometry: Geometry, index: IntArray, harmful: npt.NDArray[np.bool_]) -> IntArray:
    """Return 1 at the cells of harmful pulses, shape (pe, row, column)."""
    marked = np.zeros(geometry.n_cells, np.int64)
    marked[index] = harmful
    return marked.reshape(geometry.shape)
