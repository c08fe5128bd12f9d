"""Fit the bounds at which pulses stop, and how much they differ between cells.

A pulse would leave a cell at X, normal around its mean; a bound L cuts it: g = max(X, L). A read y
then has the likelihood

    Phi((L - mu)/s) N(y; L, r^2) + N(y; mu, s^2 + r^2) Phi((m - L)/t),

m and t being mean and deviation of X given y: a cell that met its bound, even often, and one that
only came near, both count as they should. A cell found beyond its bound is stopped where it is.
ln L is normal over cells; median and spread are found on a grid. The upper bound is the same,
mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from labctl_data.fit.hats import Hats
from labctl_data.fit.observations import IntArray
from labctl_data.fit.tracking import Steps
from labctl_data.model import FloatArray, SoftBoundModel
from labctl_data.pulse import PulseKind

GRID = 81
"""Trial values of ln L."""
COARSE = (1.2, 0.4)
"""Half width of the first search, lower and upper bound, in ln L about the prior's."""
FINE = (0.9, 0.3)
"""Half width of the second one: three spreads and some."""
REACH = 2.5
"""Pulses whose mean lies further from the grid than this many spreads do not count."""
LEAST_NOISE = 1e-12
"""Noise of a read at the least, in S, where a bench reads without any."""
EDGE = 0.01
"""Chance at an end of the grid, over the highest: above it the data end before the bound does."""
LEAST_CELLS = 20
"""Cells that must have come near a bound before it is judged."""
SILENT = -0.05
"""A cell whose log likelihood falls no further than this anywhere says nothing."""
FLOOR = 1e-9
"""Likelihood of a read that the model cannot explain, over that of the best bound."""


@dataclass(frozen=True)
class Bound:
    """A bound over the cells of a chip."""

    median: float
    """Median over cells, in S."""
    median_error: float
    """Its standard error, in S."""
    spread: float
    """Standard deviation of ln L over cells."""
    spread_error: float
    """Its standard error."""
    cells: int
    """Cells that say something of it."""


def fit_bound(
    steps: Steps, model: SoftBoundModel, rate: FloatArray, *, upper: bool
) -> Bound | None:
    """Fit the lower or the upper bound; None when hardly a cell came near it.

    Parameters
    ----------
    steps : Steps
        Verified pulses.
    model : SoftBoundModel
        Steps, spreads, relaxation; its bound is where the search begins.
    rate : ndarray of shape (n_cells,)
        Strength of each cell's pulses.
    upper : bool
        Which bound.
    """
    sign = -1.0 if upper else 1.0
    centre = np.log(model.bound_high if upper else model.bound_low)
    found = None
    for widths, points in ((COARSE, GRID // 4), (FINE, GRID)):
        grid = centre + np.linspace(-widths[upper], widths[upper], points)
        near = _near(steps, model, rate, (sign, np.exp(grid)))
        cells, member = np.unique(near.cell, return_inverse=True)
        if len(cells) < LEAST_CELLS:
            return None
        likelihood = np.empty((len(cells), points))
        for column, bound in enumerate(np.exp(grid)):
            # No peak may fall between two trial values.
            terms = near.log_likelihood(sign * bound, blur=bound * (grid[1] - grid[0]) / 2)
            likelihood[:, column] = np.bincount(member, terms, len(cells))
        found = _population(likelihood, grid)
        if found is None:
            return None
        centre = np.log(found.median)
    return found


class _Near:
    """The pulses that could have met a lower bound (an upper one with signs turned)."""

    def __init__(
        self,
        cell: IntArray,
        place: tuple[FloatArray, FloatArray, FloatArray],
        size: tuple[FloatArray, FloatArray],
    ) -> None:
        (read, mean, before), (spread, noise) = place, size
        total = np.hypot(spread, noise)
        self.cell = cell
        self._read, self._mean, self._spread, self._noise = read, mean, spread, noise
        self._before = before
        self._given = mean + (spread / total) ** 2 * (read - mean)
        self._deviation = spread * noise / total
        self._free = _density(read - mean, total)

    def log_likelihood(self, bound: float, *, blur: float) -> FloatArray:
        """Return ln p(read | bound) of each read, the bound being known to +- `blur`, in S."""
        noise = np.hypot(self._noise, blur)
        stop = np.minimum(bound, self._before)
        met = ndtr((stop - self._mean) / self._spread) * _density(self._read - stop, noise)
        missed = self._free * ndtr((self._given - stop) / self._deviation)
        logarithm: FloatArray = np.log(met + missed + FLOOR * self._free + 1e-300)
        return logarithm


def _near(
    steps: Steps, model: SoftBoundModel, rate: FloatArray, where: tuple[float, FloatArray]
) -> _Near:
    """Return the pulses that could have met a bound on the grid, which one sign turns upside."""
    sign, grid = where
    hats = Hats.at(steps.level, (model.window_low, model.window_high))
    is_set = steps.kind == PulseKind.SET
    step = np.where(is_set, hats.read(_a(model.set_step)), hats.read(_a(model.reset_step)))
    sigma = np.where(is_set, hats.read(_a(model.set_sigma)), hats.read(_a(model.reset_sigma)))
    strength = rate[steps.cell]
    mean = sign * (steps.before + strength * step)
    spread = np.sqrt(strength * sigma**2 + steps.doubt)
    settle = hats.read(_a(model.relaxation_sigma)) ** 2 * steps.settling
    noise = np.sqrt(steps.noise + settle) + LEAST_NOISE
    read = steps.after - hats.read(_a(model.relaxation_drift)) * steps.settling
    near = mean - REACH * spread < np.max(sign * grid)
    place = (sign * read[near], mean[near], sign * steps.before[near])
    return _Near(steps.cell[near], place, (spread[near], noise[near]))


def _density(x: FloatArray, sigma: FloatArray) -> FloatArray:
    density: FloatArray = np.exp(-0.5 * (x / sigma) ** 2) / sigma
    return density


def _population(likelihood: FloatArray, grid: FloatArray) -> Bound | None:
    likelihood = likelihood - likelihood.max(axis=1, keepdims=True)
    likelihood = likelihood[likelihood.min(axis=1) < SILENT]
    if len(likelihood) < LEAST_CELLS:
        return None
    weights = np.exp(likelihood)
    spreads = np.geomspace(0.02, 0.6, 24)
    medians = grid
    together = np.empty((len(medians), len(spreads)))
    for column, spread in enumerate(spreads):
        priors = np.exp(-0.5 * ((grid[:, None] - medians) / spread) ** 2)
        priors /= np.maximum(priors.sum(axis=0), 1e-300)
        together[:, column] = np.log(weights @ priors + 1e-300).sum(axis=0)
    # A uniform prior in the spread: its trial values stand closer where they are small.
    chance = np.exp(together - together.max()) * spreads
    chance /= chance.sum()
    of_median, of_spread = chance.sum(axis=1), chance.sum(axis=0)
    if max(of_median[0], of_median[-1]) > EDGE * of_median.max():
        return None
    median, spread = float(of_median @ medians), float(of_spread @ spreads)
    median_error = float(np.sqrt(of_median @ (medians - median) ** 2))
    spread_error = float(np.sqrt(of_spread @ (spreads - spread) ** 2))
    value = float(np.exp(median))
    return Bound(value, value * median_error, spread, spread_error, len(likelihood))


def _a(table: float | FloatArray) -> FloatArray:
    return np.asarray(table)
