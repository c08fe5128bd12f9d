"""Pairs of looks at cells that are left alone, and what relaxation does between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.fit.observations import IntArray, Looks
from labctl_data.fit.tracking import Rereads
from labctl_data.model import FloatArray, SoftBoundModel
from labctl_data.model import equations as eq
from labctl_data.model.laws import NODE_SPACING


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
    telegraph: FloatArray
    """Variance of the change, in S^2, that two-state noise of unit relative variance makes."""

    @staticmethod
    def joined(parts: list[Pairs]) -> Pairs:
        """Return all pairs as one table."""
        names = Pairs.__dataclass_fields__
        return Pairs(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})

    def keep(self, rows: npt.NDArray[np.bool_] | IntArray) -> Pairs:
        """Return the chosen pairs."""
        return Pairs(**{name: getattr(self, name)[rows] for name in Pairs.__dataclass_fields__})


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
    l_at = eq.decades(model, looks.elapsed)
    u_at = eq.disturb_decades(model, looks.reads)
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
        walk = walk_variance(l_at[a], l_at[b])
        gap = np.abs(looks.elapsed[b] - looks.elapsed[a])
        telegraph = _telegraph(level[a], gap, model)
        parts.append(
            Pairs(
                looks.cell[a],
                level[a],
                looks.conductance[b] - looks.conductance[a],
                l_at[b] - l_at[a],
                walk,
                reading,
                u_at[b] - u_at[a],
                telegraph,
            )
        )
    return Pairs.joined(parts) if parts else _no_pairs()


def pairs_of_rereads(rereads: Rereads, model: SoftBoundModel) -> Pairs:
    """Return the judging reads as pairs with the estimates before them."""
    first = eq.decades(model, rereads.since_pulse)
    second = eq.decades(model, rereads.since_pulse + rereads.since_verify)
    reading = rereads.expected**2 * (rereads.doubt + 1 / rereads.averages)
    return Pairs(
        rereads.cell,
        rereads.expected,
        rereads.found - rereads.expected,
        second - first,
        walk_variance(first, second),
        reading,
        np.zeros(len(first)),
        _telegraph(rereads.expected, rereads.since_verify, model),
    )


def ends_of(looks: Looks, model: SoftBoundModel) -> Pairs:
    """Return the first and the last look of each series as one pair."""
    last = np.flatnonzero(np.diff(looks.series, append=-1) != 0)
    first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    ends = np.stack([first, last], axis=-1).ravel().astype(np.int64)
    return pairs_of_looks(_rows(looks, ends[np.repeat(first != last, 2)]), model)


def _telegraph(level: FloatArray, gap: FloatArray, model: SoftBoundModel) -> FloatArray:
    """Return 2 g^2 times the chance that a two-state cell chose anew within the gap, in S^2."""
    anew: FloatArray = 2 * level**2 * np.minimum(gap / model.rtn_time, 1.0)
    return anew


def _level(looks: Looks) -> FloatArray:
    """Return the conductance at the first look of each look's series, in S.

    A mean over the series would contain the change itself, and tilt every table.
    """
    first = np.searchsorted(looks.series, looks.series)
    level: FloatArray = looks.conductance[first]
    return level


def _rows(looks: Looks, rows: IntArray) -> Looks:
    chosen = {name: getattr(looks, name)[rows] for name in Looks.__dataclass_fields__}
    chosen["series"] = np.unique(chosen["series"], return_inverse=True)[1].astype(np.int64)
    return Looks(**chosen)


def _no_pairs() -> Pairs:
    nothing = np.empty(0)
    return Pairs(np.empty(0, np.int64), *(nothing for _ in range(7)))
