"""The wiring of a chip's arrays: all lines of one at one instant, and who counts as pulsed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_data.model import FloatArray, laws
from labctl_instruments.chip.errors import ChipError
from labctl_instruments.chip.lines import (
    OPEN_GATE,
    PROGRAMMING_VOLTAGE,
    Hold,
    LineCurrents,
    Lines,
    Losses,
    hold_known,
    hold_unknown,
)
from labctl_instruments.chip.population import Population

_SELECTED = 0.75
"""Part of the highest voltage over a cell of a passive array above which a cell was meant."""


class Wiring:
    """The lines of all arrays, held by whoever drives them; it checks what is asked of them.

    Parameters
    ----------
    population : Population
        The cells between the lines.
    passive : bool
        Whether the cells have no transistor.
    wire : float
        Resistance of one segment of a bit or source line, in ohm.
    lead : float
        Resistance between a driver and its line's end, in ohm, where no other is told.

    Raises
    ------
    ChipError
        If a resistance is negative or not finite.
    """

    def __init__(self, population: Population, *, passive: bool, wire: float, lead: float) -> None:
        self._geometry = population.geometry
        self._population = population
        self._tables = population.tables
        self._is_passive = passive
        self._losses = Losses(
            _resistance(wire, "a segment of wire"),
            np.full(self._geometry.rows + self._geometry.columns, _resistance(lead, "a lead")),
        )
        self.is_lossy = not self._losses.are_none
        """Whether wires or leads take a part of the drivers' voltages."""

    def drive(  # noqa: PLR0913  (three kinds of line, an instant, and how it is measured)
        self,
        pe: int,
        bit_lines: npt.ArrayLike,
        source_lines: npt.ArrayLike,
        word_lines: npt.ArrayLike,
        width: float,
        time: float,
        *,
        averages: int = 1,
        limits: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        leads: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    ) -> LineCurrents:
        """Hold all lines of one array for `width` s: every cell sees what its lines give it.

        Parameters
        ----------
        pe : int
            The array.
        bit_lines, source_lines, word_lines : ndarray of shape (columns,), (rows,), (rows,)
            Voltages in V; NaN floats (a floating word line is off). Word lines of a passive array
            are of no account.
        width : float
            How long, in s; 0 is too short for a cell to move.
        time : float
            Bench time, in s.
        averages : int
            Conversions of the measurement of current, for read noise; 0: not measured, so currents
            are free of noise and no read is counted.
        limits : pair of ndarray of shape (columns,), (rows,), optional
            Largest current of the drivers of bit and of source lines, in A; inf for none.
        leads : pair of ndarray of shape (columns,), (rows,), optional
            Resistances of the leads of bit and of source lines, in ohm, instead of the chip's
            `lead_resistance`.

        Returns
        -------
        LineCurrents
            At the end of the hold.
        """
        lines, first = self._lines(pe, bit_lines, source_lines, word_lines)
        self._population.changes += 1
        now = float(self._population.effective(time))
        hold = Hold(float(width), now, float(time), int(averages))
        losses = self._losses
        if leads is not None:
            losses = losses._replace(leads=self._of_lines(leads))
        pulses = self._pulses_of(first).copy() if self._is_passive and width > 0.0 else None
        if (
            limits is None
            and not (self.is_lossy or leads is not None)
            and not (np.isnan(lines.bit).any() or np.isnan(lines.source).any())
        ):
            found = hold_known(self._tables, first, lines, hold)
        else:
            most = self._of_lines(limits if limits is not None else (np.inf, np.inf))
            found = hold_unknown(self._tables, first, lines, hold, most, losses)
        if pulses is not None:
            self._count_selected(first, pulses, found)
        return found

    def is_on(self, word_lines: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say at which word-line voltages, in V, cells conduct; those of a passive chip always."""
        gates = np.asarray(word_lines, np.float64)
        if self._is_passive:
            return np.ones(gates.shape, np.bool_)
        record = self._tables.model.view(np.recarray)[0]
        return np.array([laws.is_on(record, gate) for gate in gates.ravel()]).reshape(gates.shape)

    def _of_lines(self, pair: tuple[npt.ArrayLike, npt.ArrayLike]) -> FloatArray:
        """Return what is so of each line, bit lines first, shape (columns + rows,)."""
        bit, source = pair
        return np.concatenate(
            [_each(bit, self._geometry.columns), _each(source, self._geometry.rows)]
        )

    def _pulses_of(self, first: int) -> npt.NDArray[np.uint32]:
        """Return the pulse counters of one array, shape (rows * columns,); they can be written."""
        size = self._geometry.rows * self._geometry.columns
        counters: npt.NDArray[np.uint32] = self._tables.states["pulses"]
        return counters[first : first + size]

    def _count_selected(
        self, first: int, before: npt.NDArray[np.uint32], found: LineCurrents
    ) -> None:
        """Count the pulses of the cells of a passive array that were meant, not half-selected."""
        seen = np.abs(found.bit_voltages - found.source_voltages[:, np.newaxis]).reshape(-1)
        meant = seen > max(PROGRAMMING_VOLTAGE, _SELECTED * float(seen.max()))
        self._pulses_of(first)[:] = before + meant

    def _lines(
        self,
        pe: int,
        bit_lines: npt.ArrayLike,
        source_lines: npt.ArrayLike,
        word_lines: npt.ArrayLike,
    ) -> tuple[Lines, int]:
        """Return the lines, checked, and the index of the array's first cell."""
        pes, rows, columns = self._geometry.shape
        if not 0 <= pe < pes:
            raise ChipError(f"chip: PE {pe} does not exist; there are {pes}")
        arrays = [
            np.ascontiguousarray(line, np.float64) for line in (bit_lines, source_lines, word_lines)
        ]
        found = tuple(array.shape for array in arrays)
        if found != ((columns,), (rows,), (rows,)):
            raise ChipError(
                f"chip: asked for {columns} bit, {rows} source and {rows} word lines, found {found}"
            )
        if self._is_passive:
            arrays[2] = np.full(rows, OPEN_GATE)
        return Lines(*arrays), pe * rows * columns


def _each(values: npt.ArrayLike, n: int) -> FloatArray:
    """Return a scalar or (n,) array as a contiguous (n,) array."""
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.float64), n))


def _resistance(ohms: float, what: str) -> float:
    """Return a resistance, in ohm; refuse what is none."""
    if not (np.isfinite(ohms) and ohms >= 0.0):
        raise ChipError(f"chip: {what} must have a resistance of 0 ohm or more, found {ohms:g}")
    return float(ohms)
