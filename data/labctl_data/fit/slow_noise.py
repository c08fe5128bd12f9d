"""Part white read noise from 1/f noise, by how unlike reads become with the time between them.

Half the mean square of relative differences of reads a time tau apart (the variogram) is, for white
noise r and 1/f noise of relative deviation a a root decade of time constants from 1 us on,

    gamma(tau) = r^2 + a^2 [log10(tau / 1 us) + 1/ln 10]:

a line in log tau. Slope and end come from lags of powers of two; errors from leaving out one
stretch of the reads after another (jackknife).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labctl_data.fit.parsimony import jackknife
from labctl_data.model import FloatArray

STRETCHES = 16
"""Parts into which the reads of a cell are cut; a lag is an eighth of one at most."""
SEEN = 3.0
"""Errors by which the slope must exceed 0 to be seen."""
FASTEST = 1e-6
"""Shortest time constant of the model's 1/f noise, in s."""


@dataclass(frozen=True)
class SlowNoise:
    """White and 1/f noise of reads."""

    white: float
    """r, relative; 0 where 1/f noise is all."""
    white_error: float
    """Its standard error."""
    slow: float
    """a, relative, a root decade; 0 where it is not seen."""
    slow_error: float
    """Its standard error."""
    neighbours: float
    """Root of gamma at the shortest lag: what one read differs from the next by, over root two."""


def fit_slow_noise(traces: list[FloatArray], interval: float) -> SlowNoise:
    """Fit white and 1/f noise to trains of evenly spaced reads.

    Parameters
    ----------
    traces : list of ndarray
        Reads of one cell each, in order, in S.
    interval : float
        Time from one read to the next, in s.
    """
    longest = min(len(trace) for trace in traces) // STRETCHES // 8
    lags = 2 ** np.arange(max(int(np.log2(max(longest, 1))), 1) + 1)
    sums = np.zeros((2, STRETCHES, len(lags)))
    for trace in traces:
        for part, stretch in enumerate(np.array_split(trace / trace.mean(), STRETCHES)):
            for column, lag in enumerate(lags):
                half = _half(stretch, int(lag))
                sums[:, part, column] += half.sum(), len(half)
    decades = np.log10(lags * interval / FASTEST) + 1 / np.log(10)
    whole = _line(sums.sum(axis=1), decades)
    parts = np.array([_line(sums.sum(axis=1) - sums[:, k], decades) for k in range(STRETCHES)])
    squares, errors = np.array(whole), jackknife(parts)
    near = float(np.sqrt(sums[0, :, 0].sum() / sums[1, :, 0].sum()))
    if squares[1] <= SEEN * errors[1]:
        pairs = sums[1, :, 0].sum()
        # Neighbouring differences share a read: 3/4 of an error more than independent ones.
        return SlowNoise(near, near * float(np.sqrt(0.75 / pairs)), 0.0, 0.0, near)
    white, slow = np.sqrt(np.maximum(squares, 0.0))
    size = max(float(white), float(np.sqrt(errors[0])))
    return SlowNoise(
        float(white), float(errors[0]) / 2 / size, float(slow), float(errors[1] / 2 / slow), near
    )


def _half(stretch: FloatArray, lag: int) -> FloatArray:
    half: FloatArray = 0.5 * (stretch[lag:] - stretch[:-lag]) ** 2
    return half


def _line(sums: FloatArray, decades: FloatArray) -> tuple[float, float]:
    """Return end and slope of the line through the variogram, lags weighing alike."""
    slope, end = np.polyfit(decades, sums[0] / sums[1], 1)
    return float(end), float(slope)
