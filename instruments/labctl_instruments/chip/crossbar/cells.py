"""What cells of a crossbar carry at a voltage: the sinh law, with a transistor in series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.crossbar.errors import CrossbarError

READ_VOLTAGE = 0.2
"""Voltage at which a cell's conductance is stated, in V."""
_MOST_ITERATIONS = 100
_RELATIVE_STEP = 1e-14


class Law(Protocol):
    """What the cells of a crossbar carry, passive and growing with the voltage over them."""

    @property
    def is_linear(self) -> bool:
        """Whether current is proportional to voltage."""
        ...

    def through(
        self, conductance: FloatArray, voltage: FloatArray, source: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return currents, in A, and their slopes, in S, of cells; arrays (rows, columns).

        `voltage` stands over a cell and its transistor, from its source line's side, which is at
        `source`, up, in V.
        """
        ...


@dataclass(frozen=True)
class CellLaw:
    """I = g v [sinh(b v) / (b v)] / [sinh(0.2 b) / (0.2 b)] through a cell, and R I before it.

    Attributes
    ----------
    curvature : float
        b, in 1/V; 0 for linear cells.
    series_resistance : float
        R, in ohm: an access transistor that is fully on; 0 for passive cells.
    """

    curvature: float = 0.0
    series_resistance: float = 0.0

    def __post_init__(self) -> None:
        for name in ("curvature", "series_resistance"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0.0):
                raise CrossbarError(f"crossbar: {name} must be 0 or more, found {value:g}")

    @property
    def is_linear(self) -> bool:
        """Whether current is proportional to voltage."""
        return self.curvature == 0.0

    def through(
        self, conductance: FloatArray, voltage: FloatArray, source: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return currents, in A, and their slopes, in S, of cells with voltages (V) across them.

        Where the source lines are (V) does not matter here.
        """
        if self.is_linear:
            slope = conductance / (1.0 + self.series_resistance * conductance)
            return slope * voltage, slope
        return self._curved(conductance, voltage)

    def _curved(
        self, conductance: FloatArray, voltage: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Find the part v of the voltage that the cell itself sees: v + R I(v) = voltage.

        I is odd and convex above 0, so Newton steps from v = voltage approach from one side.
        """
        b, ohms = self.curvature, self.series_resistance
        scale = conductance * READ_VOLTAGE / np.sinh(b * READ_VOLTAGE)
        v = voltage
        for _ in range(_MOST_ITERATIONS):
            current, slope = scale * np.sinh(b * v), scale * b * np.cosh(b * v)
            step = (v + ohms * current - voltage) / (1.0 + ohms * slope)
            v = v - step
            if not (np.abs(step) > _RELATIVE_STEP * np.abs(voltage)).any():
                break
        current, slope = scale * np.sinh(b * v), scale * b * np.cosh(b * v)
        return current, slope / (1.0 + ohms * slope)
