"""Fit relaxation, read noise and read disturb from cells that are left alone.

After the last pulse g(t) = g_p + m l + s W(l), l = log10(1 + t/t0). Between two looks the change
has mean m (l2 - l1) and variance s^2 V + read noise, where V = Var[W(l2) - W(l1)] follows from the
walk of the model. Means come from the first and the last look of each series; squared residuals of
all pairs of looks are linear in s^2 (ten entries) and in the square of the read noise, and give
both. Errors come from leaving out parts of the cells (jackknife): increments are heavy-tailed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.fit.hats import Hats
from labctl_data.fit.observations import IntArray, Looks
from labctl_data.fit.tables import Table
from labctl_data.fit.tracking import Rereads, relaxation_decades
from labctl_data.model import TABLE_BINS, FloatArray, SoftBoundModel

NODE_SPACING = 0.5
"""Distance of the nodes of the model's relaxation walk, in decades."""
LEAST_SERIES = 12
"""Series (in hat weight) below which a table entry is left to the prior."""
BLOCKS = 32
"""Parts into which the cells are dealt; errors come from leaving each out in turn."""
LONG = 0.5
"""Decades that a series must span to tell of relaxation."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of looks at one cell, shape (n,), no pulse between."""

    cell: IntArray
    """Flat index of the cell."""
    level: FloatArray
    """Conductance to look tables up at, in S."""
    change: FloatArray
    """Later less earlier, in S."""
    decades: FloatArray
    """Growth of l between them."""
    walk: FloatArray
    """Variance of the walk between them."""
    reading: FloatArray
    """Variance of the change that one unit of squared read noise makes, in S^2."""
    disturb: FloatArray
    """Growth of log10(1 + N/N0) between them."""

    @staticmethod
    def joined(parts: list[Pairs]) -> Pairs:
        """Return all pairs as one table."""
        names = Pairs.__dataclass_fields__
        return Pairs(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})

    def keep(self, rows: npt.NDArray[np.bool_] | IntArray) -> Pairs:
        """Return the chosen pairs."""
        return Pairs(**{name: getattr(self, name)[rows] for name in Pairs.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class Noise:
    """A spread that grows with time, and the noise of reads."""

    sigma: Table
    """Relaxation a root decade, S."""
    read_noise: float
    """Standard deviation of one conversion over g."""
    read_noise_error: float
    """Its standard error; NaN where the data do not tell."""


def walk_covariance(earlier: FloatArray, later: FloatArray) -> FloatArray:
    """Return Cov[W(l1), W(l2)], l1 <= l2, of the model's walk.

    W is a sum of independent unit numbers x_k, one a half decade, each growing as the root of the
    way into its stretch: so Var W(l) = l, but within a stretch W is known up to its one number.
    """
    node = np.floor(earlier / NODE_SPACING)
    same = node == np.floor(later / NODE_SPACING)
    passed = node * NODE_SPACING
    into = np.sqrt(np.maximum(earlier - passed, 0.0))
    further = np.where(same, np.sqrt(np.maximum(later - passed, 0.0)), np.sqrt(NODE_SPACING))
    covariance: FloatArray = passed + into * further
    return covariance


def walk_variance(earlier: FloatArray, later: FloatArray) -> FloatArray:
    """Return Var[W(l2) - W(l1)] of the model's walk."""
    variance: FloatArray = earlier + later - 2 * walk_covariance(earlier, later)
    return np.maximum(variance, 0.0)


def pairs_of_looks(looks: Looks, model: SoftBoundModel) -> Pairs:
    """Return every pair of looks within each series."""
    l_at = relaxation_decades(looks.elapsed, model)
    u_at = np.log10(1.0 + looks.reads / model.disturb_count)
    level = _level(looks)
    size = np.bincount(looks.series)
    begin = np.concatenate([[0], np.cumsum(size)[:-1]])
    parts = []
    for longest in np.unique(size[size > 1]):
        starts = begin[size == longest]
        first, second = np.triu_indices(int(longest), 1)
        a = (starts[:, None] + first).ravel()
        b = (starts[:, None] + second).ravel()
        reading = level[a] ** 2 * (1 / looks.averages[a] + 1 / looks.averages[b])
        change = looks.conductance[b] - looks.conductance[a]
        walk = walk_variance(l_at[a], l_at[b])
        parts.append(
            Pairs(
                looks.cell[a], level[a], change, l_at[b] - l_at[a], walk, reading, u_at[b] - u_at[a]
            )
        )
    return Pairs.joined(parts) if parts else _no_pairs()


def pairs_of_rereads(rereads: Rereads, model: SoftBoundModel) -> Pairs:
    """Return the judging reads as pairs with the estimates before them."""
    first = relaxation_decades(rereads.since_pulse, model)
    second = relaxation_decades(rereads.since_pulse + rereads.since_verify, model)
    reading = rereads.expected**2 * (rereads.doubt + 1 / rereads.averages)
    return Pairs(
        rereads.cell,
        rereads.expected,
        rereads.found - rereads.expected,
        second - first,
        walk_variance(first, second),
        reading,
        np.zeros(len(first)),
    )


def ends_of(looks: Looks, model: SoftBoundModel) -> Pairs:
    """Return the first and the last look of each series as one pair."""
    last = np.flatnonzero(np.diff(looks.series, append=-1) != 0)
    first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    ends = np.stack([first, last], axis=-1).ravel().astype(np.int64)
    return pairs_of_looks(_rows(looks, ends[np.repeat(first != last, 2)]), model)


def fit_drift(ends: Pairs, model: SoftBoundModel) -> Table:
    """Fit the mean relaxation a decade from the ends of series, read disturb taken off."""
    hats = Hats.at(ends.level, (model.window_low, model.window_high))
    sigma = hats.read(np.asarray(model.relaxation_sigma))
    variance = sigma**2 * ends.walk + model.read_noise**2 * ends.reading + 1e-24
    change = ends.change - model.disturb_drift * ends.disturb
    weight = ends.decades**2 / variance
    known = hats.sums(np.asarray(ends.decades > LONG, np.float64)) >= LEAST_SERIES
    value, error = np.array(model.relaxation_drift), np.full(TABLE_BINS, np.nan)
    if known.any():
        inverse = np.linalg.pinv(hats.gram(weight)[np.ix_(known, known)], hermitian=True)
        rest = change - ends.decades * hats.read(np.where(known, 0.0, value))
        value[known] = inverse @ hats.sums(ends.decades * rest / variance)[known]
        error[known] = np.sqrt(np.diag(inverse))
    return Table(value, error, known)


def fit_noise(pairs: Pairs, model: SoftBoundModel) -> Noise:
    """Fit the spread of relaxation and the read noise from squared residuals of pairs."""
    hats = Hats.at(pairs.level, (model.window_low, model.window_high))
    drift = hats.read(np.asarray(model.relaxation_drift)) * pairs.decades
    square = (pairs.change - drift - model.disturb_drift * pairs.disturb) ** 2
    far = hats.sums(np.asarray(pairs.walk > LONG / 2, np.float64)) >= LEAST_SERIES
    known = np.append(far, True)
    prior = np.append(np.square(model.relaxation_sigma), model.read_noise**2)
    # Neighbouring cells stand in one message; a block takes every BLOCKS-th one.
    block = np.unique(pairs.cell, return_inverse=True)[1] % BLOCKS
    solution, left_out = prior, [prior]
    for _ in range(2):
        expected = hats.read(solution[:-1]) * pairs.walk + solution[-1] * pairs.reading
        gram, score = _normal_equations(hats, pairs, (square, expected), block)
        solution = _solve(gram.sum(axis=0), score.sum(axis=0), known, prior)
        left_out = [
            _solve(gram.sum(axis=0) - one, score.sum(axis=0) - part, known, prior)
            for one, part in zip(gram, score, strict=True)
        ]
    roots = np.sqrt(np.stack(left_out))
    jackknife = np.sqrt((BLOCKS - 1) / BLOCKS * np.sum((roots - roots.mean(axis=0)) ** 2, axis=0))
    error, root = np.where(known, jackknife, np.nan), np.sqrt(solution)
    return Noise(Table(root[:-1], error[:-1], known[:-1]), float(root[-1]), float(error[-1]))


def fit_disturb(ends: Pairs, model: SoftBoundModel) -> tuple[float, float]:
    """Fit the mean read disturb a decade of reads, and its error, relaxation taken off."""
    hats = Hats.at(ends.level, (model.window_low, model.window_high))
    sigma = hats.read(np.asarray(model.relaxation_sigma))
    variance = sigma**2 * ends.walk + model.read_noise**2 * ends.reading + 1e-24
    rest = ends.change - hats.read(np.asarray(model.relaxation_drift)) * ends.decades
    information = float(np.sum(ends.disturb**2 / variance))
    if information == 0.0:
        return float("nan"), float("nan")
    return float(np.sum(ends.disturb * rest / variance)) / information, information**-0.5


def tail_of(ends: Pairs, model: SoftBoundModel) -> float:
    """Return the degrees of freedom of the Student-t law nearest the standardised changes."""
    from scipy.special import gammaln

    hats = Hats.at(ends.level, (model.window_low, model.window_high))
    sigma = hats.read(np.asarray(model.relaxation_sigma))
    variance = sigma**2 * ends.walk + model.read_noise**2 * ends.reading + 1e-24
    drift = hats.read(np.asarray(model.relaxation_drift)) * ends.decades
    z = (ends.change - drift) / np.sqrt(variance)
    trial = np.concatenate([np.linspace(2.2, 10, 40), [15, 20, 30, 60, 100]])
    chances = []
    for nu in trial:
        constant = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(np.pi * (nu - 2))
        chances.append(np.sum(constant - (nu + 1) / 2 * np.log1p(z**2 / (nu - 2))))
    return float(trial[int(np.argmax(chances))])


def _normal_equations(
    hats: Hats, pairs: Pairs, squares: tuple[FloatArray, FloatArray], block: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the normal equations of each block, shapes (BLOCKS, n, n) and (BLOCKS, n).

    A pair meets three unknowns: two entries of the table and the read noise.
    """
    square, expected = squares
    weight = 1 / np.maximum(expected, 1e-24) ** 2
    factors = ((1 - hats.share) * pairs.walk, hats.share * pairs.walk, pairs.reading)
    places = (hats.left, hats.left + 1, np.full(len(weight), TABLE_BINS))
    n = TABLE_BINS + 1
    gram, score = np.zeros(BLOCKS * n * n), np.zeros(BLOCKS * n)
    for factor, place in zip(factors, places, strict=True):
        row = block * n + place
        score += np.bincount(row, weight * square * factor, BLOCKS * n)
        for other, column in zip(factors, places, strict=True):
            gram += np.bincount(row * n + column, weight * factor * other, BLOCKS * n * n)
    return gram.reshape(BLOCKS, n, n), score.reshape(BLOCKS, n)


def _solve(
    gram: FloatArray, score: FloatArray, known: npt.NDArray[np.bool_], prior: FloatArray
) -> FloatArray:
    """Solve for the known entries, none negative; the others keep the prior."""
    solution = prior.copy()
    rest = score[known] - gram[np.ix_(known, ~known)] @ prior[~known]
    solution[known] = _not_negative(gram[np.ix_(known, known)], rest)
    return solution


def _not_negative(gram: FloatArray, score: FloatArray) -> FloatArray:
    """Return the least-squares solution with no negative entry, by coordinate descent."""
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    gram, score = gram / np.outer(scale, scale), score / scale
    x = np.linalg.lstsq(gram, score, rcond=1e-12)[0]
    if np.all(x >= 0):
        return np.asarray(x / scale)
    x = np.maximum(x, 0.0)
    for _ in range(200):
        before = x.copy()
        for k in range(len(x)):
            x[k] = max(0.0, x[k] + score[k] - gram[k] @ x)
        if np.allclose(x, before, rtol=1e-9, atol=0.0):
            break
    return np.asarray(x / scale)


def _level(looks: Looks) -> FloatArray:
    """Return the mean conductance of each look's series, in S."""
    count = np.bincount(looks.series)
    mean = np.bincount(looks.series, looks.conductance) / np.maximum(count, 1)
    level: FloatArray = mean[looks.series]
    return level


def _rows(looks: Looks, rows: IntArray) -> Looks:
    chosen = {name: getattr(looks, name)[rows] for name in Looks.__dataclass_fields__}
    chosen["series"] = np.unique(chosen["series"], return_inverse=True)[1].astype(np.int64)
    return Looks(**chosen)


def _no_pairs() -> Pairs:
    nothing = np.empty(0)
    return Pairs(np.empty(0, np.int64), *(nothing for _ in range(6)))
