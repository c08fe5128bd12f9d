"""The converters at the source lines' ends: no two are quite alike, and some serve several lines.

What is wrong with them is drawn from the seed, once and for all: it is the board's, not the cells'.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.errors import ChipError

LineArray = npt.NDArray[np.int64]

_STREAM = 0xADC


@dataclass(frozen=True)
class ConverterSpread:
    """How far converters are from ideal; each a standard deviation among them, 0 for ideal.

    Attributes
    ----------
    offset : float
        Current that a converter adds, in A.
    gain : float
        Relative error of its scale.
    bow : float
        Largest deviation of its curve from the straight line between its ends, as a part of the
        range (integral nonlinearity, a parabola).
    step : float
        Error of one code's width, in steps (differential nonlinearity).
    noise : float
        Noise of each conversion, in A; the same for all.
    lines_each : int
        Neighbouring source lines that one converter serves, one after another.
    droop : float
        Part of a held current that is lost for each conversion its line waits for.
    input_resistance : float
        What stands between a source line and 0 V, in ohm: the input of its sense amplifier, or of
        a current mirror (1 over its transconductance); the same for all.
    time_coded : bool
        Whether a digit of several bits is a length of the read pulse, whose charge is converted,
        and not a voltage.
    """

    offset: float = 0.0
    gain: float = 0.0
    bow: float = 0.0
    step: float = 0.0
    noise: float = 0.0
    lines_each: int = 1
    droop: float = 0.0
    input_resistance: float = 0.0
    time_coded: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0):
                raise ChipError(f"chip: converters' {field.name} must be 0 or more, found {value}")
        if self.lines_each < 1:
            raise ChipError("chip: a converter serves at least 1 line, found lines_each 0")
        if self.droop > 1.0:
            raise ChipError(f"chip: converters' droop must be at most 1, found {self.droop}")


class Converters:
    """The converters of one chip.

    Parameters
    ----------
    spread : ConverterSpread
        How far they are from ideal.
    geometry : Geometry
        The chip, whose source lines they serve; none serves lines of two arrays.
    seed : int
        Seed of the chip.
    """

    def __init__(self, spread: ConverterSpread, geometry: Geometry, *, seed: int) -> None:
        each, rows = spread.lines_each, np.arange(geometry.n_lines) % geometry.rows
        first_of_array = np.arange(geometry.n_lines) // geometry.rows * -(-geometry.rows // each)
        self._of_line: LineArray = first_of_array + rows // each
        count = int(self._of_line[-1]) + 1
        self._seed, self._spread = seed, spread
        normals = np.random.default_rng([seed, _STREAM]).standard_normal((3, count))
        self._offsets = spread.offset * normals[0]
        self._gains = 1.0 + spread.gain * normals[1]
        self._bows = spread.bow * normals[2]
        self._held = (1.0 - spread.droop) ** (rows % each)

    @property
    def noise(self) -> float:
        """Standard deviation of a conversion, in A."""
        return self._spread.noise

    def of(self, lines: LineArray) -> LineArray:
        """Return the converter of each source line; of an unused line (-1) any."""
        return self._of_line[lines]

    def offsets(self, lines: LineArray) -> FloatArray:
        """Return what the converters of lines add, in A."""
        return np.asarray(self._offsets[self._of_line[lines]])

    def gains(self, lines: LineArray) -> FloatArray:
        """Return the scale of the converters of lines, over what it should be.

        A line that waits for its turn is held meanwhile, and droops.
        """
        return np.asarray(self._gains[self._of_line[lines]] * self._held[lines])

    def edges(self, bits: int) -> FloatArray:
        """Return where codes give way to the next, shape (n_converters, 2**bits - 1), in steps.

        Edge c lies between codes c and c + 1 and would be c + 1 (for a current in steps + 1/2). The
        errors of the steps leave both ends of the range where they are. Without any curvature the
        shape is (1, 0).
        """
        if self._spread.bow == 0.0 and self._spread.step == 0.0:
            return np.empty((1, 0))
        top = 2**bits - 1
        rng = np.random.default_rng([self._seed, _STREAM, bits])
        widths = self._spread.step * rng.standard_normal((len(self._bows), top))
        walk = np.cumsum(widths, axis=1)
        part = np.arange(1, top + 1) / top
        walk -= walk[:, -1:] * part
        bow = top * 4.0 * self._bows[:, np.newaxis] * part * (1.0 - part)
        return np.sort(np.arange(1, top + 1) + walk + bow, axis=1)

    def turns(self, lines: LineArray, plan: MacPlan) -> int:
        """Return how many conversions a slot of a vector takes, one after another, all blocks."""
        total = 0
        for line, sign in zip(lines, plan.signs, strict=True):
            used = (line >= 0) & (sign != 0)
            total += int(np.bincount(self._of_line[line[used]]).max(initial=1))
        return total
