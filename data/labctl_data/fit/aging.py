"""Fit relaxation from looks whose time counts from the first of them, not from the last pulse.

So tables of other programs are. The delay between pulse and first look is unknown; together with
the onset t0 of the law it makes one effective onset: with l = log10(1 + t/t0),

    mean of g(t) - g(0) = m(g) l,    variance = s(g)^2 l + 2 r^2 g^2,

t from the first look. The unknowns m, s^2 (tables) and r^2 enter linearly once t0 is chosen; t0 is
the one with the least misfit. Data are means and mean squares in groups of like conductance and
time; errors come from leaving out one block of cells after another (jackknife), which knows of
heavy tails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar, nnls

from labctl_data.errors import FitError
from labctl_data.fit.hats import Hats
from labctl_data.fit.observations import Looks
from labctl_data.fit.parsimony import BLOCKS, jackknife
from labctl_data.fit.tables import Table
from labctl_data.model import TABLE_BINS, FloatArray, SoftBoundModel, vectors

LEVELS = 2 * TABLE_BINS
"""Groups by conductance."""
TIMES_A_DECADE = 4
"""Groups by time, a decade."""
LEAST_MEMBERS = 64
"""Looks below which a group is not judged: its mean square is not yet told."""
ONSETS = (1e-6, 1.0)
"""Onsets looked for, in s."""


@dataclass(frozen=True, eq=False)
class Aging:
    """Relaxation as seen from the first look."""

    drift: Table
    """Mean a decade, in S."""
    sigma: Table
    """Spread a root decade, in S."""
    onset: float
    """Effective onset t0, in s."""
    onset_error: float
    """Standard error of its natural logarithm, times t0."""
    read_noise: float
    """r, relative."""
    read_noise_error: float
    """Its standard error."""
    misfit: float
    """Mean squared residual of the mean squares, in their errors; 1 where the law holds."""
    cells: int
    """Cells used."""


@dataclass(frozen=True, eq=False)
class _Groups:
    """Sums over groups, one set a block of cells: shape (BLOCKS, n_groups, ...)."""

    count: FloatArray
    change: FloatArray
    square: FloatArray
    hats: FloatArray
    """Summed weights of the table's entries, (BLOCKS, n_groups, TABLE_BINS)."""
    reading: FloatArray
    """Summed 2 g^2."""
    time: FloatArray
    """Mean time of each group, shape (n_groups,), in s."""

    def without(self, block: int | None) -> tuple[FloatArray, ...]:
        """Return the means of all groups, one block left out."""
        names = ("count", "change", "square", "hats", "reading")
        sums = [getattr(self, name) for name in names]
        total = [each.sum(axis=0) - (0 if block is None else each[block]) for each in sums]
        count = np.maximum(total[0], 1.0)
        return tuple(each / (count[:, None] if each.ndim == 2 else count) for each in total[1:])


def fit_aging(looks: Looks, model: SoftBoundModel) -> Aging:
    """Fit drift, spread, onset and read noise to series of looks that count from their first.

    Raises
    ------
    FitError
        If there are not looks enough at three times at least.
    """
    groups = _groups(looks, model)
    if len(np.unique(groups.time)) < 3:
        raise FitError(
            f"relaxation asks for looks at three later times, {LEAST_MEMBERS} of one level each; "
            f"found {len(np.unique(groups.time))}"
        )
    weight = _weights(groups)
    known = groups.hats.sum(axis=(0, 1)) >= LEAST_MEMBERS / 2
    span = np.log(ONSETS)
    chosen = _onset(groups, weight, None, (span[0], span[1]))
    whole, cost = _solve(groups, weight, chosen, None)
    near = (max(span[0], chosen - 3.0), min(span[1], chosen + 3.0))
    onsets = np.array([_onset(groups, weight, block, near) for block in range(BLOCKS)])
    parts = np.stack([_solve(groups, weight, at, b)[0] for b, at in enumerate(onsets)])
    error = jackknife(parts)
    n = TABLE_BINS
    freedom = max(weight[1].astype(bool).sum() - 2 - int(known.sum()), 1)
    return Aging(
        drift=Table(whole[:n], error[:n], known),
        sigma=Table(whole[n : 2 * n], error[n : 2 * n], known),
        onset=float(np.exp(chosen)),
        onset_error=float(np.exp(chosen) * jackknife(onsets)),
        read_noise=float(whole[-1]),
        read_noise_error=float(error[-1]),
        misfit=float(cost / freedom),
        cells=len(np.unique(looks.cell)),
    )


def predict_change(
    model: SoftBoundModel, conductance: FloatArray, elapsed: float
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of g(t) - g(0) of cells first read at a conductance.

    The law's mean and spread, both reads' noise included. It knows no floor at zero: real cells of
    low conductance have long tails upwards, which a cut normal law would lose.

    Parameters
    ----------
    model : SoftBoundModel
        With the relaxation of `fit_aging`.
    conductance : ndarray of shape (n,)
        As first read, in S.
    elapsed : float
        Time since then, in s.
    """
    drift, spread = vectors.relaxation(model, conductance, elapsed)
    sigma: FloatArray = np.sqrt(spread**2 + 2 * (model.read_noise * conductance) ** 2)
    return drift, sigma


def _groups(looks: Looks, model: SoftBoundModel) -> _Groups:
    first = np.searchsorted(looks.series, looks.series)
    later = np.flatnonzero(looks.elapsed > looks.elapsed[first])
    first = first[later]
    level = looks.conductance[first]
    change = looks.conductance[later] - level
    time = looks.elapsed[later] - looks.elapsed[first]
    low, high = model.window_low, model.window_high
    inside = (level >= low) & (level <= high)
    level, change, time = level[inside], change[inside], time[inside]
    cell = looks.cell[later][inside]
    bin_ = np.minimum(((level - low) / (high - low) * LEVELS).astype(np.int64), LEVELS - 1)
    decade = np.round(np.log10(time) * TIMES_A_DECADE).astype(np.int64)
    _, group, count = np.unique(bin_ * 10_000 + decade, return_inverse=True, return_counts=True)
    enough = count[group] >= LEAST_MEMBERS
    group = np.unique(group[enough], return_inverse=True)[1].astype(np.int64)
    level, change, time, cell = level[enough], change[enough], time[enough], cell[enough]
    n = int(group.max(initial=-1)) + 1
    block = np.unique(cell, return_inverse=True)[1] % BLOCKS
    place = block * n + group
    hats = Hats.at(level, (low, high))

    def summed(values: FloatArray) -> FloatArray:
        sums: FloatArray = np.bincount(place, values, BLOCKS * n).astype(np.float64)
        return sums.reshape(BLOCKS, n)

    weights = np.zeros((BLOCKS * n, TABLE_BINS))
    np.add.at(weights, (place, hats.left), 1 - hats.share)
    np.add.at(weights, (place, hats.left + 1), hats.share)
    return _Groups(
        summed(np.ones(len(change))),
        summed(change),
        summed(change**2),
        weights.reshape(BLOCKS, n, TABLE_BINS),
        summed(2 * level**2),
        np.bincount(group, time, n) / np.maximum(np.bincount(group, minlength=n), 1),
    )


def _weights(groups: _Groups) -> tuple[FloatArray, FloatArray]:
    """Return one over the standard error of each group's mean and mean square."""
    parts = [groups.without(block) for block in range(BLOCKS)]
    errors = [jackknife(np.stack([part[which] for part in parts])) for which in (0, 1)]
    return 1 / np.maximum(errors[0], 1e-12), 1 / np.maximum(errors[1], 1e-24)


def _onset(
    groups: _Groups,
    weight: tuple[FloatArray, FloatArray],
    block: int | None,
    span: tuple[float, float],
) -> float:
    """Return ln t0 of the least misfit."""
    return float(
        minimize_scalar(
            lambda at: _solve(groups, weight, at, block)[1],
            bounds=span,
            method="bounded",
            options={"xatol": 1e-3},
        ).x
    )


def _solve(
    groups: _Groups, weight: tuple[FloatArray, FloatArray], log_onset: float, block: int | None
) -> tuple[FloatArray, float]:
    """Return m, s and r in one vector, and the misfit of the mean squares."""
    change, square, hats, reading = groups.without(block)
    decades = np.log10(1 + groups.time / np.exp(log_onset))
    grown = hats * decades[:, None]
    drift = np.linalg.lstsq(grown * weight[0][:, None], change * weight[0], rcond=1e-9)[0]
    variance = square - (grown @ drift) ** 2
    design = np.column_stack([grown, reading]) * weight[1][:, None]
    scale = np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    found, rest = nnls(design / scale, variance * weight[1])
    return np.concatenate([drift, np.sqrt(found / scale)]), float(rest**2)
