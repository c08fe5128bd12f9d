"""What the array view can show of each cell, and between which values its colours lie."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from labctl_gui.state.pictures import WINDOW, judged, range_of

FloatArray = npt.NDArray[np.float64]

READ_VOLTAGE = 0.2
"""Voltage at which conductances are told and currents shown, in V."""


@dataclass(frozen=True)
class Window:
    """Between which conductances the levels lie."""

    low: float = WINDOW[0]
    """Lowest level, in S."""
    high: float = WINDOW[1]
    """Highest level, in S."""

    @property
    def text(self) -> str:
        """What a person would type for it."""
        ends = (_typed(end) for end in (self.low, self.high))
        return " to ".join(ends)


def window_of(text: str) -> Window | None:
    """Return the window that a person typed, `2 uS to 20 uS`; None where it is none."""
    from labctl_procedures.errors import ParameterError
    from labctl_procedures.quantities import parse_quantity

    low, _, high = text.partition("to")
    try:
        window = Window(parse_quantity(low, "S"), parse_quantity(high, "S"))
    except ParameterError:
        return None
    return window if 0 <= window.low < window.high else None


class Quantity(Enum):
    """What is shown of each cell."""

    CONDUCTANCE = "conductance"
    CURRENT = "current at 0.2 V"
    ERROR = "error to target"
    LEVEL = "level"
    YIELD = "yield class"
    DIFFERENCE = "change since kept"


CLASSES = ("too low", "on target", "too high", "stuck")
"""Names of the yield classes, by number."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the cells of one PE; NaN where nothing is."""

    conductances: FloatArray
    """Shape (row, col), in S."""
    targets: FloatArray
    """What they were last written to, shape (row, col), in S."""
    kept: FloatArray
    """What was kept to compare with, shape (row, col), in S."""
    stuck: npt.NDArray[np.bool_]
    """Which are known to be stuck, shape (row, col)."""


@dataclass(frozen=True)
class Scale:
    """How a quantity is turned into colours."""

    quantity: Quantity = Quantity.CONDUCTANCE
    """What is shown."""
    logarithmic: bool = False
    """Whether decades are equally far apart; only conductance and current can be."""
    fixed: bool = False
    """Whether the colours span always the same, so that two pictures can be compared."""
    levels: int = 8
    """Equally spaced levels in the window."""
    window: Window = Window()
    """Ends of the levels, and of a fixed scale."""

    @property
    def pitch(self) -> float:
        """Distance of two levels, in S."""
        return (self.window.high - self.window.low) / (self.levels - 1)

    @property
    def is_signed(self) -> bool:
        """Whether values lie on both sides of zero: a map with a neutral middle is needed."""
        return self.quantity in (Quantity.ERROR, Quantity.DIFFERENCE)

    @property
    def is_logarithmic(self) -> bool:
        """Whether decades are equally far apart."""
        return self.logarithmic and self.unit != "" and not self.is_signed

    @property
    def unit(self) -> str:
        """SI unit of the values; empty for numbers of levels and classes."""
        units = {Quantity.CURRENT: "A", Quantity.LEVEL: "", Quantity.YIELD: ""}
        return units.get(self.quantity, "S")

    def values(self, known: Known) -> FloatArray:
        """Return what is shown of each cell, in the unit of the quantity, shape (row, col)."""
        g = known.conductances
        match self.quantity:
            case Quantity.CURRENT:
                return g * READ_VOLTAGE
            case Quantity.ERROR:
                return g - known.targets
            case Quantity.LEVEL:
                return np.clip(np.round((g - self.window.low) / self.pitch), 0, self.levels - 1)
            case Quantity.YIELD:
                return self._classes(known)
            case Quantity.DIFFERENCE:
                return g - known.kept
            case _:
                return g

    def coloured(self, values: FloatArray) -> FloatArray:
        """Return the values as the colours take them: logarithms where decades are asked for."""
        if not self.is_logarithmic:
            return values
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(values > 0, np.log10(values), np.nan)

    def span(self, values: FloatArray) -> tuple[float, float]:
        """Return the values at the ends of the colours."""
        if self.quantity is Quantity.YIELD:
            return -0.5, len(CLASSES) - 0.5
        if self.quantity is Quantity.LEVEL:
            return 0.0, float(self.levels - 1)
        factor = READ_VOLTAGE if self.quantity is Quantity.CURRENT else 1.0
        if self.is_signed:
            reach = self.pitch if self.fixed else _reach(values, self.pitch)
            return -reach, reach
        if self.fixed:
            return self.window.low * factor, self.window.high * factor
        low, high = range_of(judged(values) / factor)
        return low * factor, high * factor

    def _classes(self, known: Known) -> FloatArray:
        error = known.conductances - known.targets
        classes = np.where(error < -self.pitch / 2, 0.0, np.where(error > self.pitch / 2, 2.0, 1.0))
        classes[~np.isfinite(error)] = np.nan
        classes[known.stuck] = 3.0
        return classes


def _reach(values: FloatArray, least: float) -> float:
    """Return how far from zero all but the outermost hundredth lie."""
    known = np.abs(judged(values))
    return max(float(np.quantile(known, 0.99)), 0.05 * least) if len(known) else least


def _typed(conductance: float) -> str:
    from labctl_procedures.quantities import format_quantity

    return format_quantity(conductance, "S", digits=4)
