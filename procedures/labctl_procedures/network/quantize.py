"""Weights as whole levels: the difference of two cells of n levels each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.layers import FloatArray

Levels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Quantized:
    """A weight tensor in whole levels."""

    levels: Levels
    """Whole numbers from -highest to +highest, in the shape of the weights."""
    scale: float
    """Weight of one level."""


def quantize(weights: FloatArray, *, highest: int, scale: float | None = None) -> Quantized:
    """Round weights to levels.

    Parameters
    ----------
    weights : ndarray
        The weights, of any shape.
    highest : int
        Highest level, e.g. 7 for the 15 levels -7 ... 7 of a pair of 8-level cells.
    scale : float, optional
        Weight of one level; by default the one that makes the squared error least.

    Returns
    -------
    Quantized
        Levels and scale. Weights beyond the highest level are clipped to it.
    """
    size = best_scale(weights, highest=highest) if scale is None else scale
    return Quantized(_rounded(weights, size, highest).astype(np.int64), size)


def best_scale(weights: FloatArray, *, highest: int) -> float:
    """Search the weight of one level that makes the squared rounding error least."""
    largest = float(np.abs(weights).max(initial=0.0))
    if largest == 0:
        return 1.0
    candidates = largest / highest * np.linspace(0.25, 1.0, 151)
    errors = [np.square(_rounded(weights, c, highest) * c - weights).sum() for c in candidates]
    return float(candidates[int(np.argmin(errors))])


def _rounded(weights: FloatArray, scale: float, highest: int) -> FloatArray:
    return np.clip(np.rint(weights / scale), -highest, highest)
