"""Compare samples: Kolmogorov-Smirnov distances and tests, binomial intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
EXACT_UP_TO = 500
"""Largest sample whose p-value is computed exactly."""


@dataclass(frozen=True)
class TwoSampleTest:
    """How far two samples are apart, and how likely that is by chance."""

    distance: float
    """Kolmogorov-Smirnov distance, 0 to 1."""
    p_value: float
    """Chance of at least this distance when both come from one distribution."""
    sizes: tuple[int, int]
    """Values in each sample."""

    @property
    def noise_floor(self) -> float:
        """Distance that chance alone exceeds in one of twenty pairs of samples of these sizes.

        Smirnov's asymptotic law: sqrt(-ln(0.05/2)/2 (1/n + 1/m)).
        """
        n, m = self.sizes
        return math.sqrt(-math.log(0.05 / 2) / 2 * (1 / n + 1 / m))

    def facts(self) -> dict[str, Any]:
        """Return the test as JSON holds it."""
        return {
            "distance": self.distance,
            "noise_floor": self.noise_floor,
            "p_value": self.p_value,
            "sizes": list(self.sizes),
        }

    def agrees(self, *, level: float = 0.01) -> bool:
        """Tell whether the samples cannot be told apart at this level of significance."""
        return self.p_value >= level


def ks_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples.

    Parameters
    ----------
    a, b : array_like
        Samples of one quantity, in one unit; NaN is left out, ties are allowed.

    Returns
    -------
    float
        Largest difference of the two empirical distribution functions, 0 to 1.

    Raises
    ------
    ValueError
        If a sample is empty.
    """
    first, second = _sample(a), _sample(b)
    return _weighted_distance(first, np.ones_like(first), second, np.ones_like(second))


def ks_distance_by_level(
    a: npt.ArrayLike, levels_a: npt.ArrayLike, b: npt.ArrayLike, levels_b: npt.ArrayLike
) -> float:
    """Return the distance of two samples pooled over levels, each level with equal shares.

    Where one sample has more cells at some level than the other, plain pooling would show that
    as a difference; here each value weighs so that every level counts alike on both sides.

    Parameters
    ----------
    a, b : array_like of shape (n,), (m,)
        Samples of one quantity; NaN is left out.
    levels_a, levels_b : array_like of shape (n,), (m,)
        Level of each value; levels that only one side has are left out.

    Raises
    ------
    ValueError
        If no level is on both sides.
    """
    first, level_of_first = _with_levels(a, levels_a)
    second, level_of_second = _with_levels(b, levels_b)
    shared = np.intersect1d(level_of_first, level_of_second)
    if not len(shared):
        raise ValueError("the two samples share no level")
    keep_first, keep_second = np.isin(level_of_first, shared), np.isin(level_of_second, shared)
    return _weighted_distance(
        first[keep_first],
        _equal_shares(level_of_first[keep_first]),
        second[keep_second],
        _equal_shares(level_of_second[keep_second]),
    )


def two_sample_test(a: npt.ArrayLike, b: npt.ArrayLike) -> TwoSampleTest:
    """Test whether two samples come from one distribution (two-sided Kolmogorov-Smirnov).

    With ties (counts of pulses) the p-value is conservative: too large rather than too small.
    """
    from scipy.stats import ks_2samp  # 0.5 s to import: only where a p-value is asked for

    first, second = _sample(a), _sample(b)
    # The exact sum overflows for some pairs of large samples, where the asymptotic form is as good.
    small = max(len(first), len(second)) <= EXACT_UP_TO
    result = ks_2samp(first, second, method="exact" if small else "asymp")
    return TwoSampleTest(float(result.statistic), float(result.pvalue), (len(first), len(second)))


def wilson_interval(
    successes: int, trials: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the Wilson score interval of a probability.

    Parameters
    ----------
    successes, trials : int
        What was counted.
    confidence : float
        Two-sided, 0 to 1.

    Returns
    -------
    (float, float)
        Lower and upper end; (0, 1) when nothing was tried.
    """
    if trials == 0:
        return 0.0, 1.0
    z = _normal_quantile(0.5 + confidence / 2)
    share, shrink = successes / trials, 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == trials else min(1.0, centre + half)


def _sample(values: npt.ArrayLike) -> FloatArray:
    sample = np.asarray(values, np.float64).ravel()
    sample = sample[~np.isnan(sample)]
    if not len(sample):
        raise ValueError("an empty sample has no distribution")
    return sample


def _with_levels(values: npt.ArrayLike, levels: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    sample, level = np.asarray(values, np.float64).ravel(), np.asarray(levels, np.float64).ravel()
    if sample.shape != level.shape:
        raise ValueError(f"{sample.size} values but {level.size} levels")
    known = ~np.isnan(sample)
    return sample[known], level[known]


def _equal_shares(levels: FloatArray) -> FloatArray:
    _, member, count = np.unique(levels, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / count[member], np.float64)


def _weighted_distance(a: FloatArray, of_a: FloatArray, b: FloatArray, of_b: FloatArray) -> float:
    """Return the largest difference of two weighted distribution functions."""
    values = np.concatenate([a, b])
    weights = np.concatenate([of_a / of_a.sum(), -of_b / of_b.sum()])
    order = np.argsort(values, kind="stable")
    difference = np.cumsum(weights[order])
    last_of_tie = np.append(np.diff(values[order]) > 0, True)
    return float(np.abs(difference[last_of_tie]).max())


def _normal_quantile(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)
