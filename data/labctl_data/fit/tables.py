"""Fit the tables of steps and of their spread, and how much cells differ in pulse strength.

For a pulse on a cell of strength d, the change has mean d step(g) and variance
d sigma(g)^2 + read noise + relaxation until the read; tables enter through hat functions. The
strengths are lognormal with median 1 over cells; means and spreads are found by turns (expectation
maximisation on a grid of ln d), so that slow cells, which take more pulses, count once each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.errors import FitError
from labctl_data.fit.hats import Hats
from labctl_data.fit.tracking import Steps
from labctl_data.model import TABLE_BINS, FloatArray, SoftBoundModel
from labctl_data.pulse import PulseKind

LEAST_PULSES = 30
"""Pulses (in hat weight) below which a table entry is left to the prior."""
FAR = 2.5
"""Pulses that begin nearer to a bound than this many sigma are left out: they may be cut."""
RATE_GRID = np.linspace(-2.0, 2.0, 101)
"""Values of ln d."""
LEAST_CELLS = 50
"""Cells below which the spread between them is not judged."""


@dataclass(frozen=True, eq=False)
class Table:
    """A fitted table over the bins of the window."""

    value: FloatArray
    """Shape (TABLE_BINS,), in S; the prior's where `known` is False."""
    error: FloatArray
    """Standard error, in S; NaN where `known` is False."""
    known: npt.NDArray[np.bool_]
    """Where the data told."""


@dataclass(frozen=True, eq=False)
class StepTables:
    """Mean and spread of the steps of one kind of pulse."""

    mean: Table
    """Mean step."""
    sigma: Table
    """Its standard deviation, pulse to pulse."""
    pulses: int
    """Pulses used."""
    misfit: float
    """Mean squared standardised residual; 1 where the model's variance is right."""


@dataclass(frozen=True, eq=False)
class Rates:
    """Strengths of the cells' pulses."""

    mean: FloatArray
    """Posterior mean of d of each cell, shape (n_cells,)."""
    harmonic: FloatArray
    """1 / posterior mean of 1/d."""
    spread: float
    """Standard deviation of ln d over cells."""
    error: float
    """Its standard error; NaN where too few cells were seen."""
    cells: int
    """Cells seen."""

    @classmethod
    def equal(cls, n_cells: int) -> Rates:
        """Return the strengths of cells that are all alike."""
        return cls(np.ones(n_cells), np.ones(n_cells), 0.0, float("nan"), 0)


@dataclass(frozen=True, eq=False)
class Sample:
    """Pulses of one kind, far from the bounds, with all that their likelihood needs."""

    hats: Hats
    """Where in the tables they began."""
    change: FloatArray
    """Change less the mean relaxation until the read, in S."""
    other: FloatArray
    """Variance that is not the pulse's: doubt, read noise, relaxation, in S^2."""
    cell: npt.NDArray[np.int64]
    """Flat index of the cell."""


def sample_of(steps: Steps, kind: PulseKind, model: SoftBoundModel) -> Sample:
    """Return the pulses of one kind that are far from the bounds of a typical cell."""
    window = (model.window_low, model.window_high)
    hats = Hats.at(steps.level, window)
    sigma = hats.read(np.asarray(model.set_sigma if kind == PulseKind.SET else model.reset_sigma))
    low = model.bound_low * np.exp(model.bound_low_spread)
    high = model.bound_high * np.exp(-model.bound_high_spread)
    far = (steps.before - low > FAR * sigma) & (high - steps.before > FAR * sigma)
    rows = (steps.kind == kind) & far
    steps, hats = steps.keep(rows), hats[rows]
    drift = hats.read(np.asarray(model.relaxation_drift)) * steps.settling
    settle = hats.read(np.asarray(model.relaxation_sigma)) ** 2 * steps.settling
    return Sample(hats, steps.change - drift, steps.doubt + steps.noise + settle, steps.cell)


def fit_tables(sample: Sample, kind: PulseKind, prior: SoftBoundModel, rates: Rates) -> StepTables:
    """Fit mean and spread of the steps of one kind, the strengths of the cells given.

    Raises
    ------
    FitError
        If there are hardly any pulses of this kind away from the bounds.
    """
    weight = sample.hats.sums(np.ones(len(sample.cell)))
    known = weight >= LEAST_PULSES
    if not known.any():
        raise FitError(f"{len(sample.cell)} {kind.name} pulses away from the bounds are too few")
    is_set = kind == PulseKind.SET
    step = np.asarray(prior.set_step if is_set else prior.reset_step)
    sigma = np.asarray(prior.set_sigma if is_set else prior.reset_sigma)
    step_error = sigma_error = np.full(TABLE_BINS, np.nan)
    for _ in range(2):
        step, step_error = _fit_mean(sample, rates, (step, sigma), known)
        step = np.maximum(step, 0.0) if is_set else np.minimum(step, 0.0)
        sigma, sigma_error = _fit_sigma(sample, rates, (step, sigma), known)
    residual, variance = _residual(sample, rates, (step, sigma))
    misfit = float(np.mean(residual**2 / variance)) if len(residual) else float("nan")
    return StepTables(
        Table(step, step_error, known), Table(sigma, sigma_error, known), len(residual), misfit
    )


def fit_rates(samples: list[tuple[Sample, StepTables]], n_cells: int) -> Rates:
    """Fit the spread of ln d over cells, and each cell's posterior strength.

    With variances v at d = 1, ln L(d) = -1/2 sum [r^2/(d v) + d step^2/v + ln d] + const: read
    noise and relaxation, some percent of v, are taken to scale with d. The spread is the
    mean of its posterior over all cells, with a uniform prior in ln spread.
    """
    scatter, drive, counts = (np.zeros(n_cells) for _ in range(3))
    for sample, tables in samples:
        step, sigma = sample.hats.read(tables.mean.value), sample.hats.read(tables.sigma.value)
        variance = sigma**2 + sample.other
        scatter += np.bincount(sample.cell, sample.change**2 / variance, n_cells)
        drive += np.bincount(sample.cell, step**2 / variance, n_cells)
        counts += np.bincount(sample.cell, minlength=n_cells)
    likelihood = -0.5 * (
        np.outer(scatter, np.exp(-RATE_GRID))
        + np.outer(drive, np.exp(RATE_GRID))
        + np.outer(counts, RATE_GRID)
    )
    likelihood -= likelihood.max(axis=1, keepdims=True)
    spread, error = _spread_over_cells(likelihood[counts > 0])
    posterior = np.exp(likelihood) * _normal(RATE_GRID, max(spread, 1e-3))
    posterior /= posterior.sum(axis=1, keepdims=True)
    mean, inverse = posterior @ np.exp(RATE_GRID), posterior @ np.exp(-RATE_GRID)
    seen = int(np.sum(counts > 0))
    return Rates(mean, 1 / inverse, spread, error if seen >= LEAST_CELLS else float("nan"), seen)


def _residual(
    sample: Sample, rates: Rates, tables: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return the residuals of the changes, in S, and their variances, in S^2."""
    step, sigma = (sample.hats.read(table) for table in tables)
    mean, harmonic = rates.mean[sample.cell], rates.harmonic[sample.cell]
    return sample.change - mean * step, harmonic * sigma**2 + sample.other


def _fit_mean(
    sample: Sample,
    rates: Rates,
    tables: tuple[FloatArray, FloatArray],
    known: npt.NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
    """Return the mean steps by weighted least squares, and their errors."""
    old = tables[0]
    residual, variance = _residual(sample, rates, tables)
    rate = rates.mean[sample.cell]
    return _newton(
        old,
        sample.hats.gram(rate**2 / variance),
        sample.hats.sums(rate * residual / variance),
        known,
    )


def _fit_sigma(
    sample: Sample,
    rates: Rates,
    tables: tuple[FloatArray, FloatArray],
    known: npt.NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
    """Return the spreads by Fisher scoring of the normal likelihood, and their errors."""
    step, sigma = tables
    error = np.full(TABLE_BINS, np.nan)
    for _ in range(3):
        residual, variance = _residual(sample, rates, (step, sigma))
        # d variance / d sigma_k = slope h_k
        slope = 2 * rates.harmonic[sample.cell] * np.maximum(sample.hats.read(sigma), 1e-12)
        gram = sample.hats.gram(slope**2 / (2 * variance**2))
        score = sample.hats.sums(slope * (residual**2 - variance) / (2 * variance**2))
        moved, error = _newton(sigma, gram, score, known)
        sigma = np.clip(moved, 0.3 * sigma, 3 * sigma)
    return sigma, error


def _newton(
    old: FloatArray, gram: FloatArray, score: FloatArray, known: npt.NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Return old + gram^-1 score and the root of the inverse's diagonal, where known."""
    value, error = old.copy(), np.full(TABLE_BINS, np.nan)
    inside = np.ix_(known, known)
    inverse = np.linalg.pinv(gram[inside], hermitian=True)
    value[known] += inverse @ score[known]
    error[known] = np.sqrt(np.maximum(np.diag(inverse), 0.0))
    return value, error


def _spread_over_cells(likelihood: FloatArray) -> tuple[float, float]:
    """Return mean and deviation of the posterior of the standard deviation of ln d."""
    trial = np.geomspace(0.02, 1.2, 120)
    priors = np.stack([_normal(RATE_GRID, s) for s in trial], axis=-1)
    together = np.log(np.exp(likelihood) @ priors + 1e-300).sum(axis=0)
    chance = np.exp(together - together.max())
    chance /= chance.sum()
    mean = float(chance @ trial)
    return mean, float(np.sqrt(chance @ (trial - mean) ** 2))


def _normal(x: FloatArray, sigma: float) -> FloatArray:
    density = np.exp(-0.5 * (x / sigma) ** 2)
    weights: FloatArray = density / density.sum()
    return weights
