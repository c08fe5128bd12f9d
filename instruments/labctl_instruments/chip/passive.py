"""Cells without a transistor, one at a time through their lines: what the rest of the array does.

A selected cell of a passive array is not alone: cells that share a line with it are half-selected
while it is written, and sneak currents join its own where other lines float. All of it follows from
the voltages of the lines; here they are set as `PassiveBias` says, pulse by pulse, read by read.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labctl_data.array_bias import PassiveBias, Scheme
from labctl_data.model import FloatArray
from labctl_instruments.chip.chip import Chip
from labctl_instruments.chip.crossbar import bias
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.lines import LineCurrents

_NOTHING = 1e-3
"""Voltages below this, in V, stress no cell and add no noise."""


class PassiveCells:
    """The cells of a passive chip, each served with its array biased around it.

    Parameters
    ----------
    chip : Chip
        A chip without transistors.
    scheme : PassiveBias
        How the lines of other cells are biased; it may be changed.
    """

    def __init__(self, chip: Chip, scheme: PassiveBias) -> None:
        if not chip.is_passive:
            raise ChipError("chip: its cells have transistors; lines of a passive one were asked")
        self._chip = chip
        self.scheme = scheme

    def currents(
        self, index: npt.ArrayLike, voltage: float, averages: int, time: npt.ArrayLike
    ) -> FloatArray:
        """Read cells: what arrives at their source lines, noise included, shape (n,), in A.

        The noise is that of the selected cell's own current: of sneak currents, which many cells
        share, it averages out.
        """
        cells = np.asarray(index, np.int64).reshape(-1)
        times = np.broadcast_to(np.asarray(time, np.float64), cells.shape)
        noisy = self._chip.currents(cells, voltage, averages, times)
        if self.scheme.read == "grounded" and not self._chip.wiring.is_lossy:
            return noisy  # other bit lines are at 0 V: the source line carries this cell's alone
        quiet = self._chip.quiet_currents(cells, voltage, times)
        arriving = [
            -self._look(int(cell), voltage, self.scheme.read, float(at)).source_lines[
                self._place(int(cell))[1]
            ]
            for cell, at in zip(cells, times, strict=True)
        ]
        return np.asarray(np.array(arriving, np.float64).reshape(-1) + noisy - quiet)

    def pulse(
        self,
        index: npt.ArrayLike,
        kind: npt.ArrayLike,
        amplitude: npt.ArrayLike,
        width: npt.ArrayLike,
        gate: npt.ArrayLike,
        time: npt.ArrayLike,
    ) -> None:
        """Give each cell one programming pulse, in the order of their times, then of their numbers.

        Arguments are those of `Chip.pulse`; there is no gate. Cells on its lines see a part of it.
        """
        cells = np.asarray(index, np.int64).reshape(-1)
        n = len(cells)
        columns = [np.broadcast_to(np.asarray(v, np.float64), n) for v in (amplitude, width, time)]
        signs = np.where(np.broadcast_to(np.asarray(kind, np.int64), n) == 0, 1.0, -1.0)
        for k in np.lexsort((cells, columns[2])).tolist():
            volts, seconds, at = (float(column[k]) for column in columns)
            self._hold(int(cells[k]), float(signs[k]) * volts, self.scheme.write, (seconds, at))

    def stress(
        self, index: npt.ArrayLike, voltage: float, width: float, count: int, time: float
    ) -> None:
        """Give each cell `count` equal read pulses; the others see what the read scheme leaves."""
        for cell in np.asarray(index, np.int64).reshape(-1).tolist():
            found = self._look(cell, abs(voltage), self.scheme.read, time)
            seen = np.round(found.bit_voltages - found.source_voltages[:, np.newaxis], 3)
            pe, _, _ = self._place(cell)
            first = pe * seen.size
            for level in np.unique(np.abs(seen[np.abs(seen) >= _NOTHING])):
                others = first + np.flatnonzero(np.abs(seen) == level)
                self._chip.stress(others, float(level), width, count, time)

    def sweep(
        self,
        cell: int,
        voltages: npt.ArrayLike,
        *,
        dwell: float,
        gate: float,
        compliance: float,
        time: float,
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Sweep the voltage over one cell, sensed at its source line; see `Chip.sweep`.

        The compliance is that of the source line, where only this cell's current flows.
        """
        row = self._place(cell)[1]
        limits = np.full(self._chip.geometry.rows, np.inf)
        limits[row] = compliance
        currents, held = [], []
        for number, voltage in enumerate(np.asarray(voltages, np.float64).reshape(-1).tolist(), 1):
            when = (dwell, time + dwell * number)
            found = self._hold(cell, voltage, "sensed", when, averages=1, limits=(np.inf, limits))
            currents.append(-float(found.source_lines[row]))
            held.append(bool(found.source_limited[row]))
        return np.array(currents), np.array(held, np.bool_)

    def _look(self, cell: int, voltage: float, scheme: Scheme, time: float) -> LineCurrents:
        """Return what flows, with no cell changed and no read counted."""
        return self._hold(cell, voltage, scheme, (0.0, time))

    def _hold(
        self,
        cell: int,
        voltage: float,
        scheme: Scheme,
        when: tuple[float, float],
        *,
        averages: int = 0,
        limits: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    ) -> LineCurrents:
        """Hold the lines of one cell's array for (width, at bench time), in s."""
        pe, row, column = self._place(cell)
        rows, columns = self._chip.geometry.rows, self._chip.geometry.columns
        bit, source = bias((rows, columns), (row, column), voltage, scheme)
        return self._chip.wiring.drive(
            pe, bit, source, np.zeros(rows), *when, averages=averages, limits=limits
        )

    def _place(self, cell: int) -> tuple[int, int, int]:
        geometry = self._chip.geometry
        if not 0 <= cell < geometry.n_cells:
            raise ChipError(f"chip: cell {cell} does not exist; there are {geometry.n_cells}")
        line, column = divmod(cell, geometry.columns)
        return line // geometry.rows, line % geometry.rows, column


Cellwise: TypeAlias = Chip | PassiveCells
"""What serves single cells of a chip: with lines biased as they should be, or as they are."""


def noise_of_lines(
    chip: Chip,
    pe: int,
    found: LineCurrents,
    measured: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]],
    when: tuple[int, float],
) -> float:
    """Return the read noise of the current out of some bit and some source lines, in A.

    Only cells on a line that is measured draw a number, so that answers depend on what was asked
    of a cell and not on which of its neighbours were read before.

    Parameters
    ----------
    chip : Chip
        A passive chip.
    pe : int
        The array.
    found : LineCurrents
        What flows in it without noise.
    measured : pair of ndarray of shape (columns,), (rows,), bool
        The lines whose current is measured together.
    when : (int, float)
        Conversions averaged, and the bench time, in s.
    """
    averages, time = when
    bit, source = measured
    seen = found.bit_voltages - found.source_voltages[:, np.newaxis]
    # A cell between two measured lines adds to one what it takes from the other.
    ways = bit.astype(np.float64) - source.astype(np.float64)[:, np.newaxis]
    rows, columns = np.nonzero((np.abs(seen) >= _NOTHING) & (ways != 0.0))
    cells = (pe * chip.geometry.rows + rows) * chip.geometry.columns + columns
    total = 0.0
    for cell, way, volts in zip(cells, ways[rows, columns], seen[rows, columns], strict=True):
        noisy = chip.currents([cell], float(volts), averages, time)
        total += float(way * (noisy - chip.quiet_currents([cell], float(volts), time))[0])
    return total
