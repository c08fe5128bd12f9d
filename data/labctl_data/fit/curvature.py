"""Fit the curvature of the current-voltage law from the part of sweeps where nothing switches.

I = G 0.2 V sinh(bV)/sinh(b 0.2 V), with a conductance G of its own for each quarter of a loop. Read
noise is relative, so ln(I/V) = ln[sinh(bV)/V] + constant + noise: one b, one constant a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from labctl_data.fit.observations import IntArray, Sweeps
from labctl_data.model import FloatArray

QUIET = 0.6
"""Voltage up to which a sweep does not move a cell, in V."""
LEAST_POINTS = 40
"""Points below which nothing is said."""
COARSEST = 0.3
"""Scatter of ln(I/V) about the law above which it is another law."""
HIGHEST = 8.0
"""Largest curvature looked for, in 1/V."""


@dataclass(frozen=True)
class Curvature:
    """The curvature b of the I-V law."""

    value: float
    """b, in 1/V."""
    error: float
    """Standard error, in 1/V."""
    scatter: float
    """Standard deviation of ln(I/V) about the law: the noise of one point."""
    points: int
    """Points used."""


def fit_curvature(sweeps: Sweeps) -> Curvature | None:
    """Fit b to all loops together; None for too few points below `QUIET`, or another law."""
    quarter, voltage, current = _quiet_points(sweeps)
    groups, member, count = np.unique(quarter, return_inverse=True, return_counts=True)
    degrees = len(voltage) - len(groups) - 1
    if len(voltage) < LEAST_POINTS or degrees < 1 or np.ptp(np.abs(voltage)) < QUIET / 4:
        return None
    logarithm = np.log(current / voltage)

    def centred(values: FloatArray) -> FloatArray:
        means = np.bincount(member, values) / count
        rest: FloatArray = values - means[member]
        return rest

    def misfit(b: float) -> float:
        return float(np.sum(centred(logarithm - _shape(b, voltage)) ** 2))

    b = float(minimize_scalar(misfit, bounds=(0.0, HIGHEST), method="bounded").x)
    variance = misfit(b) / degrees
    if variance > COARSEST**2:
        return None
    slope = centred((_shape(b + 1e-3, voltage) - _shape(max(b - 1e-3, 0.0), voltage)) / 2e-3)
    error = float(np.sqrt(variance / max(float(slope @ slope), 1e-300)))
    return Curvature(b, error, variance**0.5, len(voltage))


def _quiet_points(sweeps: Sweeps) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return quarter, voltage and current of the points that are small, free and not zero."""
    size = np.abs(sweeps.voltage)
    order = np.lexsort((sweeps.step, sweeps.loop))
    rising = np.ones(len(size), np.int64)
    rising[order[1:]] = np.diff(size[order]) > 0
    quarter = sweeps.loop * 4 + 2 * (sweeps.voltage < 0) + rising
    good = sweeps.free & (size > 0.02) & (size <= QUIET) & (sweeps.current * sweeps.voltage > 0)
    return quarter[good], sweeps.voltage[good], sweeps.current[good]


def _shape(b: float, voltage: FloatArray) -> FloatArray:
    """Return ln[sinh(bV)/(bV)]."""
    x = np.abs(b * voltage)
    small: FloatArray = np.where(
        x < 1e-4, x**2 / 6, np.log(np.sinh(np.maximum(x, 1e-4)) / np.maximum(x, 1e-4))
    )
    return small
