"""The conductance levels of a cell, in whole numbers, so that a reference can be exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.errors import NetworkError


@dataclass(frozen=True)
class CellLevels:
    """Equally spaced conductances: level k is ``(offset + k * pitch) * unit``.

    The 8 levels from 2 to 20 uS (Yao et al., 2020) are (7 + 9 k) times 2/7 uS.
    """

    count: int
    """Number of levels, 0 to count - 1."""
    unit: float
    """Greatest conductance of which all levels are whole multiples, in S."""
    offset: int
    """Level 0, in units."""
    pitch: int
    """Distance of two levels, in units."""

    @classmethod
    def between(cls, low: float, high: float, count: int) -> CellLevels:
        """Return `count` levels from `low` to `high`, in S, as read in decimal.

        Raises
        ------
        NetworkError
            If there are fewer than two levels, or they do not rise from above 0.
        """
        if count < 2 or not 0 < low < high:
            raise NetworkError(f"levels: asked for {count} from {low} to {high} S")
        first = Fraction(str(low))
        pitch = (Fraction(str(high)) - first) / (count - 1)
        unit = Fraction(
            gcd(first.numerator * pitch.denominator, pitch.numerator * first.denominator),
            first.denominator * pitch.denominator,
        )
        return cls(count, float(unit), int(first / unit), int(pitch / unit))

    @property
    def highest(self) -> int:
        """The highest level number."""
        return self.count - 1

    @property
    def step(self) -> float:
        """Distance of two levels, in S."""
        return self.pitch * self.unit

    def units(self, levels: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Return the conductances of level numbers, in units; shape as `levels`."""
        return self.offset + levels.astype(np.int64) * self.pitch

    def conductance(self, levels: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Return the conductances of level numbers, in S; shape as `levels`."""
        return np.asarray(self.units(levels) * self.unit, np.float64)
