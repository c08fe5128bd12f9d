"""A crossbar as a network: its cells, the wires between them, what drives its lines; checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.model.parameter import FloatArray
from labctl_instruments.chip.crossbar.errors import CrossbarError


@dataclass(frozen=True)
class Wires:
    """Resistances of the wires, in ohm a segment; one segment lies before the first cell of a line.

    Bit lines are driven at the side of row 0, source lines at the side of column 0.
    """

    bit_line: float
    """From one row to the next."""
    source_line: float
    """From one column to the next."""

    def __post_init__(self) -> None:
        for name, ohms in (("bit line", self.bit_line), ("source line", self.source_line)):
            if not (np.isfinite(ohms) and ohms > 0.0):
                raise CrossbarError(
                    f"crossbar: a segment of a {name} must have a resistance above 0 ohm, "
                    f"found {ohms:g}"
                )

    @classmethod
    def alike(cls, ohms: float) -> Wires:
        """Return wires whose segments all have the same resistance, in ohm."""
        return cls(ohms, ohms)

    @property
    def turned(self) -> Wires:
        """The same wires, rows and columns exchanged."""
        return Wires(self.source_line, self.bit_line)


@dataclass(frozen=True, eq=False)
class Drivers:
    """What the ends of the n lines of a kind are joined to.

    Attributes
    ----------
    voltages : ndarray of shape (n,)
        Voltages of the drivers, in V.
    conductances : ndarray of shape (n,)
        From each driver through lead and first segment to the line's first cell, in S; 0 floats.
    currents : ndarray of shape (n,)
        Fed into each line's first cell besides, in A.
    """

    voltages: FloatArray
    conductances: FloatArray
    currents: FloatArray

    @classmethod
    def behind(cls, lines: FloatArray, ohms: FloatArray, middle: float) -> Drivers:
        """Return drivers at voltages `lines` behind resistances; NaN floats, from `middle` V on."""
        floats = np.isnan(lines)
        return cls(
            np.where(floats, middle, lines),
            np.where(floats, 0.0, 1.0 / ohms),
            np.zeros(len(lines)),
        )


def checked_cells(conductance: npt.ArrayLike) -> FloatArray:
    """Return conductances as a contiguous array (rows, columns); refuse what is none.

    Raises
    ------
    CrossbarError
        If the array is not two-dimensional, or a cell is negative or not finite (row and column
        are named).
    """
    cells = np.ascontiguousarray(conductance, np.float64)
    if cells.ndim != 2 or cells.size == 0:
        raise CrossbarError(
            f"crossbar: conductances must have shape (rows, columns), found {cells.shape}"
        )
    bad = ~(np.isfinite(cells) & (cells >= 0.0))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise CrossbarError(
            f"crossbar: the cell at row {row}, column {column} must have a conductance of 0 S or "
            f"more, found {cells[row, column]:g}"
        )
    return cells


def checked_lines(voltages: npt.ArrayLike, kind: str, count: int) -> FloatArray:
    """Return line voltages as an array (count,), NaN where a line floats.

    Raises
    ------
    CrossbarError
        If there is another number of them, or one is infinite (the line is named).
    """
    lines = np.ascontiguousarray(voltages, np.float64)
    if lines.shape != (count,):
        raise CrossbarError(f"crossbar: asked for {count} {kind} lines, found {lines.shape}")
    if np.isinf(lines).any():
        line = int(np.argmax(np.isinf(lines)))
        raise CrossbarError(f"crossbar: {kind} line {line} cannot be at {lines[line]:g} V")
    return lines


def checked_leads(ohms: npt.ArrayLike, kind: str, count: int) -> FloatArray:
    """Return resistances of leads as an array (count,), from one for all or one a line.

    Raises
    ------
    CrossbarError
        If there is another number of them, or one is negative or not finite (the line is named).
    """
    given = np.asarray(ohms, np.float64)
    if given.shape not in ((), (count,)):
        raise CrossbarError(
            f"crossbar: asked for leads of {count} {kind} lines, found {given.shape}"
        )
    leads = np.array(np.broadcast_to(given, count))
    bad = ~(np.isfinite(leads) & (leads >= 0.0))
    if bad.any():
        line = int(np.argmax(bad))
        raise CrossbarError(
            f"crossbar: the lead of {kind} line {line} must have a resistance of 0 ohm or more, "
            f"found {leads[line]:g}"
        )
    return leads


def check_paths(cells: FloatArray, bit_lines: FloatArray, source_lines: FloatArray) -> None:
    """Refuse a network that is singular: some floating line meets no driven one.

    Raises
    ------
    CrossbarError
        If no chain of cells leads from a floating line to a driven one; the line is named.
    """
    joined = cells > 0.0
    bit, source = ~np.isnan(bit_lines), ~np.isnan(source_lines)
    for _ in range(min(cells.shape)):  # no chain is longer
        source = source | joined[:, bit].any(axis=1)
        wider = bit | joined[source].any(axis=0)
        if (wider == bit).all():
            break
        bit = wider
    for kind, met in (("bit", bit), ("source", source)):
        if not met.all():
            raise CrossbarError(
                f"crossbar: {kind} line {int(np.argmin(met))} floats, and no cell joins it to a "
                "driven line: the network is singular"
            )
