"""Fit relaxation, read noise and read disturb from cells that are left alone.

After the last pulse g(t) = g_p + m l + s W(l), l = log10(1 + t/t0). Between two looks the change
has mean m (l2 - l1) and variance s^2 V + read noise, where V = Var[W(l2) - W(l1)] follows from the
walk of the model. Means come from the first and the last look of each series; squared residuals of
all pairs of looks are linear in s^2 (a table) and in the squares of read noise and of two-state
noise, and give all three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from labctl_data.fit.hats import Hats
from labctl_data.fit.pairs import Pairs
from labctl_data.fit.parsimony import Equations, jackknife, solve
from labctl_data.fit.tables import Table
from labctl_data.model import TABLE_BINS, FloatArray, SoftBoundModel

LEAST_SERIES = 12
"""Series (in hat weight) below which a table entry is left to the prior."""
LONG = 0.5
"""Decades that a series must span to tell of relaxation."""


@dataclass(frozen=True, eq=False)
class Drift:
    """Mean relaxation."""

    table: Table
    """A decade, in S."""
    shape: str
    """Shape of the table."""


@dataclass(frozen=True, eq=False)
class Noise:
    """A spread that grows with time, and the noise of reads."""

    sigma: Table
    """Relaxation a root decade, in S."""
    shape: str
    """Shape of its square."""
    read_noise: float
    """Standard deviation of one conversion over g."""
    read_noise_error: float
    """Its standard error."""
    two_state: float
    """Relative standard deviation that two-state noise adds, over all cells; 0 if unseen."""
    two_state_error: float
    """Its standard error."""


def fit_drift(ends: Pairs, model: SoftBoundModel) -> Drift:
    """Fit the mean relaxation a decade from the ends of series, read disturb taken off."""
    hats = _hats(ends, model)
    told = hats.sums(np.asarray(ends.decades > LONG, np.float64)) >= LEAST_SERIES
    known, prior = np.append(told, [False, False]), np.append(model.relaxation_drift, [0.0, 0.0])
    terms = (
        (hats.left, (1 - hats.share) * ends.decades),
        (hats.left + 1, hats.share * ends.decades),
    )
    change = ends.change - model.disturb_drift * ends.disturb
    found = solve(
        Equations.of(terms, change, 1 / variance_of(ends, model), ends.cell), known, prior
    )
    error = np.where(known, found.error, np.nan)
    return Drift(_table(found.value, error, known), found.shape)


def fit_noise(pairs: Pairs, model: SoftBoundModel) -> Noise:
    """Fit the spread of relaxation and the read noise from squared residuals of pairs."""
    hats = _hats(pairs, model)
    drift = hats.read(np.asarray(model.relaxation_drift)) * pairs.decades
    square = (pairs.change - drift - model.disturb_drift * pairs.disturb) ** 2
    far = hats.sums(np.asarray(pairs.walk > LONG / 2, np.float64)) >= LEAST_SERIES
    known = np.append(far, [True, True])
    prior = np.append(model.relaxation_sigma, [model.read_noise, 0.0]) ** 2
    terms = (
        (hats.left, (1 - hats.share) * pairs.walk),
        (hats.left + 1, hats.share * pairs.walk),
        (np.full(len(square), TABLE_BINS), pairs.reading),
        (np.full(len(square), TABLE_BINS + 1), pairs.telegraph),
    )
    equations = Equations.of(terms, square, variance_of(pairs, model) ** -2.0, pairs.cell)
    found = solve(equations, known, prior)
    if found.value[-1] <= found.error[-1]:  # two-state noise is not seen: it must not be less
        known[-1] = False
        found = solve(equations, known, prior)
    root = np.sqrt(np.maximum(found.value, 0.0))
    error = jackknife(np.sqrt(np.maximum(found.left_out, 0.0)))
    error = np.where(known, error, np.nan)
    told = [float(x) for pair in zip(root[-2:], error[-2:], strict=True) for x in pair]
    return Noise(_table(root, error, known), found.shape, *told)


def fit_disturb(ends: Pairs, model: SoftBoundModel) -> tuple[float, float]:
    """Fit the mean read disturb a decade of reads, and its error, relaxation taken off."""
    drift = _hats(ends, model).read(np.asarray(model.relaxation_drift))
    rest = ends.change - drift * ends.decades
    weight = ends.disturb / variance_of(ends, model)
    information = float(weight @ ends.disturb)
    return float(weight @ rest) / information, information**-0.5


def tail_of(ends: Pairs, model: SoftBoundModel) -> float:
    """Return the degrees of freedom of the Student-t law nearest the standardised changes."""
    drift = _hats(ends, model).read(np.asarray(model.relaxation_drift)) * ends.decades
    z = (ends.change - drift) / np.sqrt(variance_of(ends, model))
    trial = np.concatenate([np.linspace(2.2, 10, 40), [15, 20, 30, 60, 100]])
    chances = [np.sum(_log_student(z, nu)) for nu in trial]
    return float(trial[int(np.argmax(chances))])


def variance_of(pairs: Pairs, model: SoftBoundModel) -> FloatArray:
    """Return the variance of the changes under a model, in S^2."""
    square = np.square(model.relaxation_sigma)
    # No entry may weigh its pairs as if they were without noise.
    square = np.maximum(square, square.mean() / 4)
    read = max(model.read_noise, 1e-6) ** 2
    variance: FloatArray = _hats(pairs, model).read(square) * pairs.walk + read * pairs.reading
    return np.maximum(variance, 1e-24)


def _hats(pairs: Pairs, model: SoftBoundModel) -> Hats:
    return Hats.at(pairs.level, (model.window_low, model.window_high))


def _table(value: FloatArray, error: FloatArray, known: npt.NDArray[np.bool_]) -> Table:
    return Table(value[:TABLE_BINS], error[:TABLE_BINS], known[:TABLE_BINS])


def _log_student(z: FloatArray, nu: float) -> FloatArray:
    """Return the log density of a Student-t law scaled to variance 1."""
    constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(np.pi * (nu - 2))
    density: FloatArray = constant - (nu + 1) / 2 * np.log1p(z**2 / (nu - 2))
    return density
