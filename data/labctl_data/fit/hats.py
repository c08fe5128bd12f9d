"""Tables over the window as sums of hat functions: how the model interpolates them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.model import TABLE_BINS, FloatArray


@dataclass(frozen=True, eq=False)
class Hats:
    """The weights with which each table entry enters at given conductances.

    Between bin centres the model interpolates linearly and beyond the outer ones it holds the
    value, so each conductance meets two neighbouring entries.
    """

    left: npt.NDArray[np.int64]
    """Entry on the left, shape (n,)."""
    share: FloatArray
    """Weight of the entry after it, 0 to 1, shape (n,)."""

    @classmethod
    def at(cls, conductance: FloatArray, window: tuple[float, float]) -> Hats:
        """Return the weights at conductances (n,) in S, for tables over `window` in S."""
        low, high = window
        x = (conductance - low) / (high - low) * TABLE_BINS - 0.5
        x = np.clip(x, 0.0, TABLE_BINS - 1.0)
        left = np.minimum(x.astype(np.int64), TABLE_BINS - 2)
        return cls(left, x - left)

    def __getitem__(self, which: npt.NDArray[np.bool_]) -> Hats:
        return Hats(self.left[which], self.share[which])

    def read(self, table: FloatArray) -> FloatArray:
        """Return the table's values at the conductances, shape (n,)."""
        values: FloatArray = table[self.left] * (1 - self.share) + table[self.left + 1] * self.share
        return values

    def sums(self, values: FloatArray) -> FloatArray:
        """Return sum_i h_k(g_i) values_i for each entry k, shape (TABLE_BINS,)."""
        sums: FloatArray = _summed(self.left, values * (1 - self.share))
        return sums + _summed(self.left + 1, values * self.share)

    def gram(self, weights: FloatArray) -> FloatArray:
        """Return sum_i w_i h_k(g_i) h_l(g_i), shape (TABLE_BINS, TABLE_BINS)."""
        near, far = 1 - self.share, self.share
        diagonal = _summed(self.left, weights * near**2)
        diagonal += _summed(self.left + 1, weights * far**2)
        beside = _summed(self.left, weights * near * far)[:-1]
        return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)


def centres(window: tuple[float, float]) -> FloatArray:
    """Return the bin centres of a table over `window`, in S, shape (TABLE_BINS,)."""
    low, high = window
    return low + (np.arange(TABLE_BINS) + 0.5) * (high - low) / TABLE_BINS


def _summed(entry: npt.NDArray[np.int64], values: FloatArray) -> FloatArray:
    return np.bincount(entry, values, TABLE_BINS).astype(np.float64)
