"""Fit how often a cell moves at all while it relaxes.

The spread of relaxation does not say by which steps it comes about. In the model a share q of the
half decades moves a cell, by a Student-t number 1/sqrt(q) larger than if all did: the variance is
the same, but for small q most cells stay where they are and few go far. So q shows in the shape of
the distribution of changes. Changes in units of their standard deviation are held against draws
of the model's walk, group by group of like times, by the Cramer-von Mises distance; q is where
that is least. Its error comes from leaving out one block of cells after another (jackknife); the
standard deviation is taken as known, and an error of 1 % in it moves q by 2 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labctl_data.fit.observations import IntArray, Looks
from labctl_data.fit.parsimony import BLOCKS, jackknife
from labctl_data.model import FloatArray, SoftBoundModel, vectors
from labctl_data.model import equations as eq
from labctl_data.model.laws import NODE_SPACING

TRIAL = np.geomspace(0.08, 1.0, 15)
"""Shares tried; a parabola in ln q joins the best three."""
EDGES = np.concatenate([-np.geomspace(6.0, 0.02, 40), np.geomspace(0.02, 6.0, 40)])
"""Changes, in standard deviations, between which changes are counted."""
TIMES_A_DECADE = 4
"""Groups by time, a decade."""
REPEATS = 2
"""Draws for each change."""
SEED = 1
"""Of the draws."""
LEAST_CHANGES = 500
"""Changes below which a shape is not judged."""
SURE = 3.0
"""Errors by which a share must stay below 1 for cells to be seen standing still."""


@dataclass(frozen=True, eq=False)
class Changes:
    """What cells did between the first look at them and a later one, shape (n,) each."""

    cell: IntArray
    """Flat index of the cell."""
    level: FloatArray
    """Conductance at the first look, in S."""
    change: FloatArray
    """Later less first, in S."""
    earlier: FloatArray
    """Decades of relaxation at the first look."""
    later: FloatArray
    """Decades of relaxation at the later one."""
    elapsed: FloatArray
    """Time between the two, in s."""
    reading: FloatArray
    """Variance of the change that one unit of squared read noise makes, in S^2."""


def changes_of(looks: Looks, model: SoftBoundModel) -> Changes:
    """Return the changes of cells within the window that nobody stressed in between."""
    first = np.searchsorted(looks.series, looks.series)
    level, since = looks.conductance[first], looks.elapsed - looks.elapsed[first]
    inside = (level >= model.window_low) & (level <= model.window_high)
    rows = inside & (since > 0) & (looks.reads == looks.reads[first])
    return Changes(
        looks.cell[rows],
        level[rows],
        (looks.conductance - level)[rows],
        eq.decades(model, looks.elapsed[first][rows]),
        eq.decades(model, looks.elapsed[rows]),
        since[rows],
        level[rows] ** 2 * (1 / looks.averages[rows] + 1 / looks.averages[first][rows]),
    )


def draw_changes(
    changes: Changes, model: SoftBoundModel, share: float, rng: np.random.Generator
) -> FloatArray:
    """Draw one change for each by the model's law, both reads' noise included, in S.

    Parameters
    ----------
    changes : Changes
        Where and when.
    model : SoftBoundModel
        Drift, spread and read noise.
    share : float
        Share of half decades in which a cell moves.
    rng : Generator
        The same for each share, so that draws differ by the share alone.
    """
    walk = np.zeros(len(changes.level))
    for node in range(int(changes.later.max(initial=0.0) / NODE_SPACING) + 1):
        start = node * NODE_SPACING
        into = [
            np.sqrt(np.clip(at - start, 0.0, NODE_SPACING))
            for at in (changes.earlier, changes.later)
        ]
        walk += (into[1] - into[0]) * _moves(rng.random(len(walk)), share)
    mean, spread = _law(changes, model)
    noise = model.read_noise * np.sqrt(changes.reading) * rng.normal(size=len(walk))
    drawn: FloatArray = mean + spread * walk + noise
    return drawn


def fit_share(looks: Looks, model: SoftBoundModel) -> tuple[float, float] | None:
    """Fit the share of half decades in which a cell moves; None for too few looks.

    Parameters
    ----------
    looks : Looks
        Series of looks.
    model : SoftBoundModel
        With the drift, spread and read noise that the looks told.

    Returns
    -------
    (float, float) or None
        The share and its standard error. None, too, where cells are not seen standing still:
        close to 1 the shape hardly changes with the share.
    """
    changes = changes_of(looks, model)
    if len(changes.level) < LEAST_CHANGES:
        return None
    unit = _deviation(changes, model)
    group = np.round(np.log10(changes.elapsed) * TIMES_A_DECADE)
    place = np.unique(group, return_inverse=True)[1].astype(np.int64)
    block = np.unique(changes.cell, return_inverse=True)[1].astype(np.int64) % BLOCKS
    found = _counted(changes.change / unit, place, block)
    misfits = []
    for share in TRIAL:
        rng = np.random.default_rng(SEED)
        drawn = [draw_changes(changes, model, float(share), rng) for _ in range(REPEATS)]
        expected = np.sum([_counted(each / unit, place, block) for each in drawn], axis=0)
        misfits.append(_misfits(found, expected))
    costs = np.array(misfits)
    values = np.array([_least(costs[:, k]) for k in range(BLOCKS + 1)])
    share = float(np.exp(values[0]))
    error = share * float(jackknife(values[1:]))
    return (share, error) if share + SURE * error < 1.0 else None


def standardised(changes: Changes, change: FloatArray, model: SoftBoundModel) -> FloatArray:
    """Return changes less the model's mean, in its standard deviations."""
    z: FloatArray = (change - _law(changes, model)[0]) / _deviation(changes, model)
    return z


def _moves(uniform: FloatArray, share: float) -> FloatArray:
    """Return the numbers of half decades, of unit variance, from uniform ones.

    Where a cell moves, the quantile of Student's t with 4 degrees of freedom in closed form (Shaw,
    "Sampling Student's T distribution", 2006).
    """
    tail = np.minimum(uniform, 1.0 - uniform)
    chance = np.clip(tail / share, 1e-12, 0.5)
    root = np.sqrt(4 * chance * (1 - chance))
    size = 2 * np.sqrt(np.maximum(np.cos(np.arccos(root) / 3) / root - 1, 0.0))
    numbers: FloatArray = np.where(uniform < 0.5, -size, size) / np.sqrt(2.0 * share)
    return numbers


def _law(changes: Changes, model: SoftBoundModel) -> tuple[FloatArray, FloatArray]:
    """Return mean change, and spread a root decade, in S."""
    at = model.relaxation_time * 9.0  # one decade
    drift, spread = vectors.relaxation(model, changes.level, at)
    return drift * (changes.later - changes.earlier), spread


def _deviation(changes: Changes, model: SoftBoundModel) -> FloatArray:
    spread = _law(changes, model)[1]
    decades = changes.later - changes.earlier
    variance = spread**2 * decades + model.read_noise**2 * changes.reading
    deviation: FloatArray = np.sqrt(np.maximum(variance, 1e-24))
    return deviation


def _counted(z: FloatArray, place: IntArray, block: IntArray) -> FloatArray:
    """Return how many changes lie below each edge, shape (BLOCKS, n_groups, n_edges + 1)."""
    n, bins = int(place.max()) + 1, len(EDGES) + 1
    flat = (block * n + place) * bins + np.searchsorted(EDGES, z)
    counts = np.bincount(flat, minlength=BLOCKS * n * bins)
    summed: FloatArray = np.cumsum(counts.reshape(BLOCKS, n, bins), axis=2).astype(np.float64)
    return summed


def _misfits(found: FloatArray, expected: FloatArray) -> FloatArray:
    """Return the misfit of all cells, and with each block left out, shape (BLOCKS + 1,)."""
    left_out = np.concatenate([np.zeros((1, *found.shape[1:])), found])
    expected_out = np.concatenate([np.zeros((1, *found.shape[1:])), expected])
    a, b = found.sum(axis=0) - left_out, expected.sum(axis=0) - expected_out
    share = a / np.maximum(a[..., -1:], 1) - b / np.maximum(b[..., -1:], 1)
    misfit: FloatArray = (a[..., -1] * np.sum(share**2, axis=2)).sum(axis=1)
    return misfit


def _least(cost: FloatArray) -> float:
    """Return ln q of the least cost, by a parabola through the best trial and its neighbours."""
    best = int(np.clip(np.argmin(cost), 1, len(cost) - 2))
    x, y = np.log(TRIAL[best - 1 : best + 2]), cost[best - 1 : best + 2]
    bend, slope, _ = np.polyfit(x, y, 2)
    least = -slope / (2 * bend) if bend > 0 else x[int(np.argmin(y))]
    return float(np.clip(least, x[0], x[2]))
