"""Write cells to conductances in a closed loop: read, pulse those that are off, read again.

The loop serves as many cells in one message as the bench allows. A procedure stores its rows; a
network is programmed by it. Nothing here imports PyMeasure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells
from labctl_data.pulse import PulseKind
from labctl_instruments.station import BoolArray, FloatArray, Station

Rows = Mapping[str, npt.ArrayLike]
"""Rows of a run by PyMeasure column name; columns of one length, or scalars for all rows."""


class Stage(IntEnum):
    """What a row of a write says."""

    FIRST = 0
    """The cell as it was found, before any pulse."""
    VERIFY = 1
    """One pulse, and the read that verifies it."""
    FRESH = 2
    """An independent averaged read, right after the cell's own write has ended."""
    MAP = 3
    """A read of all cells, after all of them were written."""


class Outcome(IntEnum):
    """How the write of one cell ended."""

    CONVERGED = 0
    """A verify read fell within the window."""
    PULSE_LIMIT = 1
    """The limit of pulses was reached."""
    STUCK_LOW = 2
    """No response to pulses, below its target."""
    STUCK_HIGH = 3
    """No response to pulses, above its target."""
    KNOWN_STUCK = 4
    """Stuck by the chip file; given no pulse."""
    STOPPED = 5
    """The write was stopped from outside."""


REASONS = {
    Outcome.CONVERGED: "",
    Outcome.PULSE_LIMIT: "pulse limit",
    Outcome.STUCK_LOW: "stuck low",
    Outcome.STUCK_HIGH: "stuck high",
    Outcome.KNOWN_STUCK: "known stuck",
    Outcome.STOPPED: "stopped",
}
"""Why a cell is not at its target, in words; empty where it is."""

RESPONSE = 0.1
"""A cell responds when its reads span more than two windows and this part of its conductance.

A random walk of the published per-pulse sigma (.4-.9 uS) spans 6 uS in 100 pulses; the reads of a
stuck cell span 5 % at 1.7 % noise and 4 averages.
"""


@dataclass(frozen=True)
class PulseShape:
    """One programming pulse, whatever its direction."""

    amplitude: float
    """Magnitude, in V."""
    width: float
    """Length, in s."""
    gate: float
    """Word-line voltage, in V."""


@dataclass(frozen=True)
class WriteSettings:
    """How cells are written."""

    window: float = 0.1e-6
    """A verify read within +- this of the target ends the write, in S."""
    averages: int = 4
    """Conversions averaged in a verify read."""
    limit: int = 1000
    """Most pulses a cell gets."""
    set_pulse: PulseShape = field(default=PulseShape(2.0, 50e-9, 1.8))
    """The SET pulse."""
    reset_pulse: PulseShape = field(default=PulseShape(1.8, 50e-9, 4.7))
    """The RESET pulse."""
    voltage: float = 0.2
    """Read voltage, in V."""
    fresh_averages: int = 16
    """Conversions averaged in the read that judges a finished write."""
    stuck_after: int = 100
    """Pulses after which a cell that never responded is called stuck; 0 for never."""


@dataclass(frozen=True, eq=False)
class WriteResult:
    """What became of n cells; every array has shape (n,), in the order of the cells."""

    pulses: npt.NDArray[np.int64]
    """Pulses given."""
    verified: FloatArray
    """Last verify read, in S."""
    fresh: FloatArray
    """Averaged read right after the cell's own write, in S; NaN where stopped before."""
    finished: FloatArray
    """Bench time of the cell's last verify read, in s."""
    outcome: npt.NDArray[np.int8]
    """`Outcome` of each cell."""

    @classmethod
    def empty(cls, n: int) -> WriteResult:
        """Return room for `n` cells, none of them written yet."""
        return cls(
            pulses=np.zeros(n, np.int64),
            verified=np.full(n, np.nan),
            fresh=np.full(n, np.nan),
            finished=np.full(n, np.nan),
            outcome=np.full(n, Outcome.STOPPED, np.int8),
        )

    @property
    def converged(self) -> BoolArray:
        """Where a verify read fell within the window."""
        return np.equal(self.outcome, Outcome.CONVERGED)

    @property
    def reason(self) -> list[str]:
        """Why each cell is not at its target; empty where it is."""
        return [REASONS[Outcome(code)] for code in self.outcome]

    def put(self, at: slice, part: WriteResult) -> None:
        """Fill in the cells at `at`."""
        for name in ("pulses", "verified", "fresh", "finished", "outcome"):
            getattr(self, name)[at] = getattr(part, name)


def write_cells(
    station: Station,
    cells: Cells,
    targets: npt.ArrayLike,
    settings: WriteSettings,
    on_rows: Callable[[Rows], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> WriteResult:
    """Write each cell to its target.

    Parameters
    ----------
    station : Station
        The bench.
    cells : Cells
        The n cells, none of them twice.
    targets : array_like of shape (n,) or scalar
        Conductances wanted, in S.
    settings : WriteSettings
        Window, pulses and limits.
    on_rows : callable, optional
        Takes the rows of each round as they come: the columns of `WriteVerify`.
    should_stop : callable, optional
        Asked before each round of pulses; True ends the write there.

    Returns
    -------
    WriteResult
    """
    wanted = np.broadcast_to(np.asarray(targets, np.float64), len(cells))
    result = WriteResult.empty(len(cells))
    start = 0
    for block in cells.blocks(station.parallel_cells):
        at = slice(start, start + len(block))
        write = BlockWrite(station, block, wanted[at], settings)
        for rows in write.rows(should_stop):
            if on_rows is not None:
                on_rows(rows)
        result.put(at, write.result)
        start = at.stop
    return result


@dataclass(frozen=True, eq=False)
class Earlier:
    """What is known of n cells whose write was begun by a run that ended early."""

    result: WriteResult
    """Pulses given so far; `outcome` is STOPPED where the write goes on."""
    lowest: FloatArray
    """Lowest read of each cell since its write began, shape (n,), in S."""
    highest: FloatArray
    """Highest read."""


class BlockWrite:
    """The write of cells that one message can serve.

    A round is one message of pulses and one of reads, and one more read of the cells that have
    just finished. All cells still active get one pulse a round.

    Parameters
    ----------
    station : Station
        The bench.
    cells : Cells
        The n cells, at most ``station.parallel_cells``, none of them twice.
    targets : ndarray of shape (n,)
        Conductances wanted, in S.
    settings : WriteSettings
        Window, pulses and limits.
    earlier : Earlier, optional
        What became of the cells before: finished cells are left alone, the others go on.
    """

    def __init__(
        self,
        station: Station,
        cells: Cells,
        targets: FloatArray,
        settings: WriteSettings,
        earlier: Earlier | None = None,
    ) -> None:
        self.station, self.cells, self.settings = station, cells, settings
        self.targets = np.asarray(targets, np.float64)
        n = len(cells)
        if earlier is None:
            nothing = np.full(n, np.nan)
            earlier = Earlier(WriteResult.empty(n), nothing, nothing)
        self.result = earlier.result
        self.active = np.flatnonzero(self.result.outcome == Outcome.STOPPED)
        self.found = np.zeros(len(self.active))
        """Last read of each active cell, in S; `lowest`, `highest`: of all its reads."""
        self.lowest, self.highest = earlier.lowest[self.active], earlier.highest[self.active]
        shapes = (settings.set_pulse, settings.reset_pulse)
        self.amplitudes = np.array([shape.amplitude for shape in shapes])
        self.widths = np.array([shape.width for shape in shapes])
        self.gates = np.array([shape.gate for shape in shapes])

    @property
    def done(self) -> float:
        """Fraction of the cells whose write has ended."""
        return 1.0 - len(self.active) / len(self.cells)

    def rows(self, should_stop: Callable[[], bool] | None = None) -> Iterator[Rows]:
        """Run the rounds to their end, or until told to stop, and yield the rows of each."""
        yield from self._begin()
        while len(self.active) and not (should_stop is not None and should_stop()):
            yield from self._round()

    def _begin(self) -> Iterator[Rows]:
        """Read every active cell; end those that need no pulse or must get none."""
        if not len(self.active):
            return
        cells = self.cells[self.active]
        self.found = self.station.read(cells, self.settings.voltage, self.settings.averages)
        self.lowest = np.fmin(self.lowest, self.found)
        self.highest = np.fmax(self.highest, self.found)
        now = self.station.now()
        yield self._row_block(self.active, now, Stage.FIRST, self.found, self.settings.averages)
        known = self.station.known_stuck[tuple(cells.addresses.T)] != 0
        outcome = np.where(known, Outcome.KNOWN_STUCK, self._judge())
        yield from self._end(outcome.astype(np.int8), now)

    def _round(self) -> Iterator[Rows]:
        """Give each active cell one pulse towards its target, verify, and end the finished."""
        cells = self.cells[self.active]
        kinds = np.where(self.found > self.targets[self.active], PulseKind.RESET, PulseKind.SET)
        amplitudes, widths, gates = self.amplitudes[kinds], self.widths[kinds], self.gates[kinds]
        self.station.pulse(cells, kinds, amplitudes, widths, gates)
        self.result.pulses[self.active] += 1
        self.found = self.station.read(cells, self.settings.voltage, self.settings.averages)
        now = self.station.now()
        self.lowest = np.minimum(self.lowest, self.found)
        self.highest = np.maximum(self.highest, self.found)
        rows = self._row_block(self.active, now, Stage.VERIFY, self.found, self.settings.averages)
        yield {
            **rows,
            "Kind": kinds,
            "Amplitude (V)": amplitudes,
            "Width (s)": widths,
            "Gate (V)": gates,
        }
        yield from self._end(self._judge(), now)

    def _judge(self) -> npt.NDArray[np.int8]:
        """Return the `Outcome` of each active cell; STOPPED for those that go on."""
        targets, settings = self.targets[self.active], self.settings
        outcome = np.full(len(self.active), Outcome.STOPPED, np.int8)
        given = self.result.pulses[self.active]
        due = (given > 0) & (given % max(settings.stuck_after, 1) == 0)
        if settings.stuck_after and due.any():
            span = self.highest - self.lowest
            dead = due & (span < 2 * settings.window + RESPONSE * np.abs(self.found))
            outcome[dead & (self.found < targets)] = Outcome.STUCK_LOW
            outcome[dead & (self.found > targets)] = Outcome.STUCK_HIGH
        outcome[(outcome == Outcome.STOPPED) & (given >= settings.limit)] = Outcome.PULSE_LIMIT
        outcome[np.abs(self.found - targets) <= settings.window] = Outcome.CONVERGED
        return outcome

    def _end(self, outcome: npt.NDArray[np.int8], now: float) -> Iterator[Rows]:
        """Record every active cell's state; take the finished ones out and read them afresh."""
        self.result.verified[self.active] = self.found
        self.result.finished[self.active] = now
        going = outcome == Outcome.STOPPED
        if going.all():
            return
        ended = self.active[~going]
        self.result.outcome[ended] = outcome[~going]
        self.active, self.found = self.active[going], self.found[going]
        self.lowest, self.highest = self.lowest[going], self.highest[going]
        averages = self.settings.fresh_averages
        fresh = self.station.read(self.cells[ended], self.settings.voltage, averages)
        self.result.fresh[ended] = fresh
        yield self._row_block(ended, self.station.now(), Stage.FRESH, fresh, averages)

    def _row_block(
        self,
        which: npt.NDArray[np.int64],
        now: float,
        stage: Stage,
        conductances: FloatArray,
        averages: int,
    ) -> Rows:
        return {
            "Time (s)": now,
            **address_columns(self.cells[which]),
            "Target (S)": self.targets[which],
            "Stage": int(stage),
            "Pulses": self.result.pulses[which],
            **NO_PULSE,
            "Conductance (S)": conductances,
            "Averages": averages,
        }


NO_PULSE: Rows = {
    "Kind": -1,
    "Amplitude (V)": float("nan"),
    "Width (s)": float("nan"),
    "Gate (V)": float("nan"),
}
"""The pulse columns of a row that is a read alone."""


def address_columns(cells: Cells) -> dict[str, npt.ArrayLike]:
    """Return the columns that say which cells n rows are about."""
    return {"PE": cells.pe, "Row": cells.row, "Column": cells.column}


def level_conductances(levels: int, g_min: float, g_max: float) -> FloatArray:
    """Return `levels` conductances of equal pitch from `g_min` to `g_max`, in S."""
    return np.linspace(g_min, g_max, levels)


def assign_levels(n: int, levels: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return a level for each of n cells, (n,): as many cells a level as can be, at random."""
    return rng.permutation(np.arange(n, dtype=np.int64) % levels)
