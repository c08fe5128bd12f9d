"""Fit the curvature of sweeps that are too small to switch, taken with a meter that has an offset.

I = I_0 + G 0.2 V sinh(bV)/sinh(b 0.2 V) + noise of one size. Each sweep has an offset and a
conductance of its own, which for a given b follow by linear least squares; b is what all sweeps of
a class of conductance share.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from labctl_data.errors import FitError
from labctl_data.fit.curvature import HIGHEST
from labctl_data.fit.observations import IntArray
from labctl_data.fit.parsimony import BLOCKS, jackknife
from labctl_data.model import FloatArray
from labctl_data.model.equations import READ_VOLTAGE

LEAST_POINTS = 5
"""Points below which a sweep is left out."""
LEAST_SWEEPS = BLOCKS
"""Sweeps below which a class of conductance is not judged."""
CLASSES = (0.0, 15e-6, 40e-6, 80e-6, 130e-6)
"""Edges of the classes of conductance, in S."""


@dataclass(frozen=True)
class OffsetCurvature:
    """The curvature of one class of conductance."""

    low: float
    """Edges of the class, in S."""
    high: float
    value: float
    """b, in 1/V."""
    error: float
    """Standard error by jackknife over sweeps, in 1/V."""
    offset: float
    """Median offset of the meter, in A."""
    noise: float
    """Standard deviation of one point, in A."""
    sweeps: int
    """Sweeps used."""


@dataclass(frozen=True, eq=False)
class _Sums:
    """What least squares needs of each sweep, shape (n_sweeps,) each."""

    conductance: FloatArray
    offset: FloatArray
    residual: FloatArray
    count: FloatArray


def fit_offset_curvature(
    sweep: IntArray, voltage: FloatArray, current: FloatArray
) -> tuple[OffsetCurvature, ...]:
    """Fit b in each class of conductance that has sweeps enough.

    Parameters
    ----------
    sweep : ndarray of shape (n,)
        Number of the sweep of each point.
    voltage, current : ndarray of shape (n,)
        In V and A.

    Raises
    ------
    FitError
        If no class has sweeps enough.
    """
    sweep = np.unique(sweep, return_inverse=True)[1].astype(np.int64)
    enough = np.bincount(sweep)[sweep] >= LEAST_POINTS
    sweep, voltage, current = sweep[enough], voltage[enough], current[enough]
    if not len(sweep):
        raise FitError(f"curvature asks for sweeps of {LEAST_POINTS} points, found none")
    sweep = np.unique(sweep, return_inverse=True)[1].astype(np.int64)
    conductance = _least_squares(1.0, sweep, voltage, current).conductance
    found = []
    for low, high in itertools.pairwise(CLASSES):
        inside = (conductance >= low) & (conductance < high)
        if inside.sum() >= LEAST_SWEEPS:
            rows = inside[sweep]
            members = np.unique(sweep[rows], return_inverse=True)[1].astype(np.int64)
            found.append(_fit_class((low, high), members, voltage[rows], current[rows]))
    if not found:
        raise FitError(
            f"curvature asks for {LEAST_SWEEPS} sweeps of like conductance, "
            f"found {len(conductance)}"
        )
    return tuple(found)


def standardised(
    classes: Sequence[OffsetCurvature], sweep: IntArray, voltage: FloatArray, current: FloatArray
) -> FloatArray:
    """Return what is left of other sweeps of the same classes, in units of their noise.

    Each sweep has its own conductance and offset; b and the noise are those of its class.
    """
    sweep = np.unique(sweep, return_inverse=True)[1].astype(np.int64)
    conductance = _least_squares(1.0, sweep, voltage, current).conductance
    found = []
    for each in classes:
        rows = ((conductance >= each.low) & (conductance < each.high))[sweep]
        if not rows.any():
            continue
        members = np.unique(sweep[rows], return_inverse=True)[1].astype(np.int64)
        sums = _least_squares(each.value, members, voltage[rows], current[rows])
        law = sums.offset[members] + sums.conductance[members] * _shape(each.value, voltage[rows])
        # Two numbers a sweep were fitted: its residuals are that much smaller than the noise.
        free = np.sqrt(np.maximum(1 - 2 / sums.count[members], 0.1))
        found.append((current[rows] - law) / (each.noise * free))
    return np.concatenate(found) if found else np.empty(0)


def pooled(classes: Sequence[OffsetCurvature]) -> tuple[float, float]:
    """Return the mean of b over classes, weighted by their errors, and its error."""
    weight = np.array([each.error**-2 for each in classes])
    return (
        float(weight @ [each.value for each in classes] / weight.sum()),
        float(weight.sum() ** -0.5),
    )


def _fit_class(
    edges: tuple[float, float], sweep: IntArray, voltage: FloatArray, current: FloatArray
) -> OffsetCurvature:
    n = int(sweep.max()) + 1

    def best(kept: IntArray) -> float:
        rows = np.isin(sweep, kept)
        members = np.unique(sweep[rows], return_inverse=True)[1].astype(np.int64)
        return float(
            minimize_scalar(
                lambda b: _least_squares(b, members, voltage[rows], current[rows]).residual.sum(),
                bounds=(1e-3, HIGHEST),
                method="bounded",
            ).x
        )

    everything = np.arange(n)
    value = best(everything)
    left_out = np.array([best(everything[everything % BLOCKS != k]) for k in range(BLOCKS)])
    sums = _least_squares(value, sweep, voltage, current)
    freedom = max(float(sums.count.sum() - 2 * n - 1), 1.0)
    return OffsetCurvature(
        *edges,
        value,
        float(jackknife(left_out)),
        float(np.median(sums.offset)),
        float(np.sqrt(sums.residual.sum() / freedom)),
        n,
    )


def _least_squares(b: float, sweep: IntArray, voltage: FloatArray, current: FloatArray) -> _Sums:
    shape = _shape(b, voltage)
    n = int(sweep.max()) + 1
    count = np.bincount(sweep, minlength=n).astype(np.float64)
    mean_shape = np.bincount(sweep, shape, n) / count
    mean_current = np.bincount(sweep, current, n) / count
    off_shape, off_current = shape - mean_shape[sweep], current - mean_current[sweep]
    squares = np.maximum(np.bincount(sweep, off_shape**2, n), 1e-300)
    conductance = np.bincount(sweep, off_shape * off_current, n) / squares
    rest = off_current - conductance[sweep] * off_shape
    offset = mean_current - conductance * mean_shape
    residual: FloatArray = np.bincount(sweep, rest**2, n).astype(np.float64)
    return _Sums(conductance, offset, residual, count)


def _shape(b: float, voltage: FloatArray) -> FloatArray:
    """Return the current over the conductance at the read voltage, in V."""
    shape: FloatArray = READ_VOLTAGE * np.sinh(b * voltage) / np.sinh(b * READ_VOLTAGE)
    return shape
