"""How the lines of a passive array are biased while one of its cells is written or read.

Cells without a transistor (0T1R) have no word line: a cell is selected by the voltages of its bit
line and its source line alone, and all others see something too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Literal

Scheme = Literal["half", "third", "sensed", "grounded", "floating"]
"""What stands on the lines of the other cells, the selected bit line being at V and its source line
at 0 V: V/2 on both; V/3 on bit lines and 2V/3 on source lines; V/2 on source lines alone; 0 V on
both; nothing."""
WriteScheme = Literal["half", "third"]
ReadScheme = Literal["grounded", "floating"]

OTHERS: Mapping[Scheme, tuple[float, float]] = {
    "half": (1.0 / 2.0, 1.0 / 2.0),
    "third": (1.0 / 3.0, 2.0 / 3.0),
    "sensed": (0.0, 1.0 / 2.0),
    "grounded": (0.0, 0.0),
    "floating": (nan, nan),
}
"""Parts of V on the other bit lines and on the other source lines; NaN floats."""


@dataclass(frozen=True)
class PassiveBias:
    """The schemes of a bench whose cells have no transistor.

    Under `sensed` the other cells of the selected source line see nothing, so that its current is
    that of the selected cell alone; sweeps use it. Its price: all cells off that line see V/2.
    """

    write: WriteScheme = "half"
    """Bias of the other lines while a cell is pulsed."""
    read: ReadScheme = "grounded"
    """Bias of the other lines while a cell is read."""

    @property
    def part_of_line(self) -> float:
        """Largest part of a write voltage that a cell sharing a line with the selected one sees."""
        return 0.5 if self.write == "half" else 1.0 / 3.0

    @property
    def part_of_others(self) -> float:
        """Part of a write voltage that a cell sharing no line with the selected one sees."""
        return 0.0 if self.write == "half" else 1.0 / 3.0
