"""Least squares in blocks of cells, with no finer shape of a table than the data ask for.

Ten free entries of a table, each known to a tenth, describe a chip worse than one constant known to
a thirtieth, if constant is what it is. So a table is taken as a constant, a line or a parabola over
the window, or left free, whichever has the least misfit plus two for each number it takes (Akaike).
Noise is judged by leaving out one block of cells after another (jackknife), which knows of heavy
tails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.fit.observations import IntArray
from labctl_data.model import TABLE_BINS, FloatArray

BLOCKS = 32
"""Parts into which the cells are dealt."""
FURTHER = 2
"""Unknowns beside the table."""
SHAPES = ("constant", "line", "parabola")
"""Shapes tried, simplest first."""


@dataclass(frozen=True, eq=False)
class Equations:
    """Weighted normal equations, one set a block."""

    gram: FloatArray
    """Shape (BLOCKS, n, n)."""
    score: FloatArray
    """Shape (BLOCKS, n)."""

    @classmethod
    def of(
        cls,
        terms: Sequence[tuple[IntArray, FloatArray]],
        target: FloatArray,
        weight: FloatArray,
        cell: IntArray,
    ) -> Equations:
        """Return the equations target = sum of factor x[place] over `terms`, weighted.

        Parameters
        ----------
        terms : sequence of (place, factor)
            Unknown and factor of each datum, shape (n_data,) both; places below `TABLE_BINS` are
            entries of a table, and `FURTHER` more unknowns may follow.
        target, weight : ndarray of shape (n_data,)
            Data, and one over their variance.
        cell : ndarray of shape (n_data,)
            Flat index of the cell: all data of one cell are of one block.
        """
        # Neighbouring cells stand in one message; a block takes every BLOCKS-th of them.
        block = np.unique(cell, return_inverse=True)[1] % BLOCKS
        n = TABLE_BINS + FURTHER
        gram, score = np.zeros(BLOCKS * n * n), np.zeros(BLOCKS * n)
        for place, factor in terms:
            row = block * n + place
            score += np.bincount(row, weight * target * factor, BLOCKS * n)
            for column, other in terms:
                product = weight * factor * other
                gram += np.bincount(row * n + column, product, BLOCKS * n * n)
        return cls(gram.reshape(BLOCKS, n, n), score.reshape(BLOCKS, n))


@dataclass(frozen=True, eq=False)
class Solution:
    """What the equations come to."""

    value: FloatArray
    """The unknowns, shape (n,); the prior's where nothing was known."""
    left_out: FloatArray
    """The same with each block left out in turn, shape (BLOCKS, n)."""
    shape: str
    """Shape of the table: one of `SHAPES`, or `free`."""

    @property
    def error(self) -> FloatArray:
        """Standard error by jackknife, shape (n,)."""
        return jackknife(self.left_out)


def jackknife(left_out: FloatArray) -> FloatArray:
    """Return the standard error from estimates with each block left out, shape (BLOCKS, ...)."""
    spread = np.sum((left_out - left_out.mean(axis=0)) ** 2, axis=0)
    error: FloatArray = np.sqrt((len(left_out) - 1) / len(left_out) * spread)
    return error


def solve(equations: Equations, known: npt.NDArray[np.bool_], prior: FloatArray) -> Solution:
    """Solve for the known unknowns in the simplest shape that fits; the others keep the prior."""
    free = _solve_in(np.eye(len(prior))[:, known], equations, known, prior)
    if known[:TABLE_BINS].sum() < 3:
        return Solution(*free, "free")
    gram = equations.gram.sum(axis=0)[np.ix_(known, known)]
    # Data of one cell hang together and have heavy tails: how much noisier is the table?
    excess = np.mean(
        (jackknife(free[1])[known] ** 2 / _variances(gram))[: known[:TABLE_BINS].sum()]
    )
    best, least = Solution(*free, "free"), 2.0 * known.sum()
    for order, shape in enumerate(SHAPES):
        basis = _polynomials(known, order)
        found = _solve_in(basis, equations, known, prior)
        off = (free[0] - found[0])[known]
        cost = off @ gram @ off / excess + 2.0 * basis.shape[1]
        if cost < least:
            best, least = Solution(*found, shape), cost
    return best


def _polynomials(known: npt.NDArray[np.bool_], order: int) -> FloatArray:
    """Return columns 1, x, ... x^order over the known entries of the table; others stay alone."""
    x = np.linspace(-1.0, 1.0, TABLE_BINS)
    table = np.zeros((len(known), order + 1))
    table[:TABLE_BINS] = np.stack([x**power for power in range(order + 1)], axis=-1)
    table[~known] = 0.0
    alone = np.eye(len(known))[:, TABLE_BINS:][:, known[TABLE_BINS:]]
    return np.concatenate([table, alone], axis=1)


def _solve_in(
    basis: FloatArray, equations: Equations, known: npt.NDArray[np.bool_], prior: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the solution in a basis, and that with each block left out."""
    fixed = np.where(known, 0.0, prior)
    gram, score = equations.gram, equations.score - equations.gram @ fixed
    whole_gram, whole_score = gram.sum(axis=0), score.sum(axis=0)
    solutions = [
        fixed + basis @ _least_squares(basis.T @ g @ basis, basis.T @ s)
        for g, s in (
            (whole_gram, whole_score),
            *zip(whole_gram - gram, whole_score - score, strict=True),
        )
    ]
    return solutions[0], np.stack(solutions[1:])


def _variances(gram: FloatArray) -> FloatArray:
    """Return the diagonal of the inverse; unknowns may differ by any powers of ten."""
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    inverse = np.linalg.pinv(gram / np.outer(scale, scale), hermitian=True)
    variances: FloatArray = np.maximum(np.diag(inverse), 1e-12) / scale**2
    return variances


def _least_squares(gram: FloatArray, score: FloatArray) -> FloatArray:
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    solved = np.linalg.lstsq(gram / np.outer(scale, scale), score / scale, rcond=1e-12)[0]
    return np.asarray(solved / scale)
