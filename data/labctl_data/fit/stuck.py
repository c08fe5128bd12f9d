"""Find the cells that do not obey pulses, from the traces of their writes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.fit.observations import FIRST, VERIFY, Writes
from labctl_data.model import FloatArray, SoftBoundModel, StuckClass

LEAST_PULSES = 20
"""Pulses without response after which a cell counts as stuck."""
RESPONSE = 0.25
"""A response: the reads' variance beyond noise, over the variance that one pulse should bring."""
OPEN_SHARE = 0.2
"""Cells below this part of the lower bound carry no current."""
SHORT_SHARE = 2.0
"""Cells above this multiple of the upper bound are shorted."""


def find_stuck(writes: Writes, geometry: Geometry, model: SoftBoundModel) -> npt.NDArray[np.int8]:
    """Return the StuckClass of each cell, shape (pe, row, col).

    A cell is stuck when it had `LEAST_PULSES` pulses and its reads vary no more than reads do; the
    variance of one pulse alone would be many times that. Cells that the run knew as stuck (off
    their target, and given no pulse) keep that standing.
    """
    n = geometry.n_cells
    reads = (writes.stage == FIRST) | (writes.stage == VERIFY)
    cell, g = writes.cell[reads], writes.conductance[reads]
    count = np.maximum(np.bincount(cell, minlength=n), 1)
    mean = np.bincount(cell, g, n) / count
    # About the mean of each cell, not as difference of large squares.
    variance = np.bincount(cell, (g - mean[cell]) ** 2, n) / count
    pulses = np.bincount(writes.cell[writes.stage == VERIFY], minlength=n)
    still = (pulses >= LEAST_PULSES) & (variance < _still_variance(mean, writes, model))
    stuck = np.zeros(n, np.int8)
    dead = still | _left_out(writes, n)
    stuck[dead] = _classes(mean[dead], model)
    return stuck.reshape(geometry.shape)


def _still_variance(mean: FloatArray, writes: Writes, model: SoftBoundModel) -> FloatArray:
    step = float(np.min([np.min(model.set_sigma), np.min(model.reset_sigma)])) ** 2
    averages = float(np.min(writes.averages)) if len(writes.averages) else 1.0
    # Twice the noise of reads and two-state noise, and a part of what one pulse brings.
    noise = 4 * (model.read_noise**2 / averages + model.rtn_amplitude**2) * mean**2
    limit: FloatArray = noise + RESPONSE * step
    return limit


def _left_out(writes: Writes, n: int) -> npt.NDArray[np.bool_]:
    """Return the cells that were off their target and yet ended without any pulse."""
    first = np.flatnonzero(writes.stage == FIRST)
    next_row = np.minimum(first + 1, len(writes.trace) - 1)
    alone = (writes.trace[next_row] == writes.trace[first]) & (writes.stage[next_row] != VERIFY)
    alone &= next_row != first
    # Half a microsiemens is five verify windows: nobody calls that converged.
    off = np.abs(writes.conductance[first] - writes.target[first]) > 0.5e-6
    left = np.zeros(n, bool)
    left[writes.cell[first[alone & off]]] = True
    return left


def _classes(conductance: FloatArray, model: SoftBoundModel) -> npt.NDArray[np.int8]:
    middle = np.sqrt(model.window_low * model.window_high)
    classes = np.where(conductance < middle, StuckClass.STUCK_LOW, StuckClass.STUCK_HIGH)
    classes[conductance < OPEN_SHARE * model.bound_low] = StuckClass.OPEN
    classes[conductance > SHORT_SHARE * model.bound_high] = StuckClass.SHORT
    return classes.astype(np.int8)
