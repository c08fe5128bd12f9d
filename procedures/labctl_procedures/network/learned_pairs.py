"""The pairs of cells that learn: what they hold, what is asked of them, and their writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells
from labctl_instruments.station import BoolArray, FloatArray, Station
from labctl_procedures.closed_loop import RESPONSE, Outcome, WriteResult, WriteSettings, write_cells
from labctl_procedures.network.cell_levels import CellLevels
from labctl_procedures.network.programming import ErrorSource, read_all

STUCK = (Outcome.STUCK_LOW, Outcome.STUCK_HIGH, Outcome.KNOWN_STUCK)
"""Ends of a write after which a cell is dead."""
STRIKES = 3
"""Writes in a row that end off target without having moved a cell; after them it counts as dead."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PairRules:
    """When and how pairs are written."""

    low: float
    """Lowest conductance of a cell, in S."""
    high: float
    """Highest conductance of a cell, in S."""
    threshold: float
    """A pair is written where the change asked of it exceeds this, in S."""
    write: WriteSettings
    """The closed loop."""
    error: ErrorSource
    """Errors added on purpose to every write."""

    @classmethod
    def of(
        cls, levels: CellLevels, threshold: float, write: WriteSettings, error: ErrorSource
    ) -> PairRules:
        """Return the rules for cells between the ends of `levels`."""
        low, high = (float(g) for g in levels.conductance(np.array([0, levels.highest])))
        return cls(low, high, threshold, write, error)


@dataclass
class Tally:
    """What has been counted."""

    writes: int = 0
    """Pairs written, counted each time."""
    pulses: int = 0
    """Pulses given, as the closed loop counts them."""
    clipped_weights: int = 0
    """Weights asked for beyond what a pair can hold."""
    clipped_partners: int = 0
    """Weights that a pair with a dead cell cannot hold: its other cell was asked to leave the
    window."""
    clipped_aims: int = 0
    """Aims with an error added on purpose that were cut at an end of `programming.REACHABLE`."""

    @property
    def clipped(self) -> int:
        """All requests that were cut."""
        return self.clipped_weights + self.clipped_partners + self.clipped_aims


class LearnedPairs:
    """n weights in pairs of cells, while they learn.

    Parameters
    ----------
    station : Station
        The bench; every cell is read once.
    cells : Cells
        The 2 n cells: plus, minus, plus, minus, ...
    rules : PairRules
        Window, threshold, closed loop.
    """

    def __init__(self, station: Station, cells: Cells, rules: PairRules) -> None:
        self.station, self.cells, self.rules = station, cells, rules
        self.held = read_all(station, cells).reshape(-1, 2)
        """Conductance of the plus and the minus cell of each pair, (n, 2), in S."""
        self.strikes = np.zeros(self.held.shape, np.int64)
        self.dead: BoolArray = np.zeros(self.held.shape, np.bool_)
        """Cells that could not be moved, (n, 2)."""
        self.asked = np.zeros(len(self.held))
        """Change asked of each pair and not yet done, (n,), in S."""
        self.wanted = np.full(len(self.held), np.nan)
        """Weight that each pair is being written to, (n,), in S; NaN where none is."""
        self.draws = rules.error.generator()
        self.tally = Tally()

    @property
    def weights(self) -> FloatArray:
        """Weights that the pairs hold, (n,), in S."""
        return np.asarray(self.held[:, 0] - self.held[:, 1], np.float64)

    def claim(self) -> bool:
        """Turn what is asked beyond the threshold into weights wanted; tell whether there are any.

        A weight wanted stays wanted until it is written, whoever dies meanwhile.
        """
        due = np.abs(self.asked) > self.rules.threshold
        span = self.rules.high - self.rules.low
        wanted = self.weights[due] + self.asked[due]
        self.tally.clipped_weights += int(np.count_nonzero(np.abs(wanted) > span))
        self.tally.writes += int(np.count_nonzero(due))
        self.wanted[due] = np.clip(wanted, -span, span)
        return bool(due.any())

    def write(self, should_stop: Callable[[], bool]) -> None:
        """Write the pairs whose weight is wanted, in a closed loop that begins with a read."""
        due = np.flatnonzero(np.isfinite(self.wanted))
        weights = self.wanted[due]
        targets = self._targets(due, weights)
        moving = ~self.dead[due] & (np.abs(targets - self.held[due]) > self.rules.write.window)
        cells = due[np.nonzero(moving)[0]], np.nonzero(moving)[1]
        aims = self.rules.error.aims(targets[moving], self.draws)
        self.tally.clipped_aims += self.rules.error.cut(aims)
        result = write_cells(
            self.station,
            self.cells[2 * cells[0] + cells[1]],
            aims,
            self.rules.write,
            should_stop=should_stop,
        )
        self.tally.pulses += int(result.pulses.sum())
        self._note(cells, result)
        # What the write left undone stays asked, unless a dead cell would ask for it for ever.
        undone = weights - self.weights[due]
        self.asked[due] = np.where(self.dead[due].any(axis=1), 0.0, undone)
        if not should_stop():  # what was cut short stays wanted
            self.wanted[due] = np.nan

    def _note(self, cells: tuple[IntArray, IntArray], result: WriteResult) -> None:
        """Note what the cells (pairs and sides) hold after a write, and which are dead."""
        before = self.held[cells]
        now = np.where(np.isfinite(result.fresh), result.fresh, before)
        moved = np.abs(now - before) > 2 * self.rules.write.window + RESPONSE * before
        in_vain = (result.outcome == Outcome.PULSE_LIMIT) & ~moved
        self.held[cells] = now
        self.strikes[cells] = np.where(in_vain, self.strikes[cells] + 1, 0)
        self.dead[cells] = (self.strikes[cells] >= STRIKES) | np.isin(result.outcome, STUCK)

    def _targets(self, due: IntArray, weights: FloatArray) -> FloatArray:
        """Return the conductances that give the pairs `due` their `weights`, (n, 2), in S.

        The cell of the weight's sign holds its size above the lowest level, the other cell the
        lowest level; where one of them is dead, the other makes up for it as far as it reaches.
        """
        low, high = self.rules.low, self.rules.high
        held, dead = self.held[due], self.dead[due]
        plus = np.where(dead[:, 1], held[:, 1] + weights, low + np.maximum(weights, 0))
        minus = np.where(dead[:, 0], held[:, 0] - weights, low + np.maximum(-weights, 0))
        free = np.stack([plus, minus], axis=1)
        cut = ~dead & ((free < low - REACHED) | (free > high + REACHED))
        self.tally.clipped_partners += int(np.count_nonzero(cut.any(axis=1)))
        return np.asarray(np.clip(free, low, high))

    def state(self) -> dict[str, Any]:
        """Return all that is not on the chip, by name."""
        return {name: getattr(self, name) for name in STATE}

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from a `state`; what the cells hold stays as it was read from the chip."""
        for name in STATE:
            getattr(self, name)[...] = state[name]


STATE = ("strikes", "dead", "asked", "wanted")
"""What a chip cannot tell about its pairs."""
REACHED = 1e-12
"""Excess over an end of the window that is rounding, in S."""
