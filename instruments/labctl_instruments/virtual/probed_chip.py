"""The chip as instruments on a switch matrix meet it: one function solves an instant.

Voltages that stand act on the cells once: when they are first measured, or when they end. A longer
hold at the same voltages adds little (strength grows with a power below one of the width), and a
staircase, which measures each of its levels once, is exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from labctl_instruments.chip.passive import noise_of_lines
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.limiting import (
    Arrays,
    Settled,
    currents_of_nodes,
    excess_of_nodes,
    lines_of,
    settle,
)
from labctl_instruments.virtual.routing import (
    ArrayLines,
    Conflict,
    Drive,
    FloatArray,
    Router,
    Terminal,
)

if TYPE_CHECKING:
    from labctl_instruments.chip import Chip
    from labctl_instruments.chip.lines import LineCurrents

HARMLESS = 0.5
"""Cells that see no more than this, in V, are not programmed."""
MOST_PULSES_OF_A_BURST = 1_000
"""Harmful pulses of one burst that act [chosen]: the cells have long been at their bounds, and a
bench does not stand still for whoever asks for 2**31 of them."""
MOST_PULSES_OF_A_RUN = 200
"""Harmful pulses of a free-running generator that act between two looks at it [chosen]."""
COLD = 0.01
"""A relay that moves while a source on its row is beyond this, in V, is switched hot."""


class FreeRunning(Terminal, Protocol):
    """A terminal that pulses by itself while bench time passes."""

    def due(self, time: float) -> Train | None:
        """Return the pulses given since last asked, up to bench time `time`, in s."""
        ...


@dataclass(frozen=True)
class Train:
    """Equal pulses one after the other."""

    level: float
    """In V."""
    width: float
    """In s."""
    count: int
    """How many."""


@dataclass(frozen=True)
class Cabling:
    """What lies between the instruments of a bench and the pads of its chip."""

    lead: float = 0.0
    """Resistance from a terminal through matrix and cable to each line's probe, in ohm; what a
    remote sense takes off."""
    contact: float = 0.0
    """Resistance of the probe on each pad, in ohm."""
    leakage: float = 0.0
    """Conductance between each driven bit line and each driven source line, in S."""
    offset: float = 0.0
    """Current that a meter reads at none, in A."""


class ProbedChip:
    """A chip between a router's lines.

    Parameters
    ----------
    chip : Chip
        The chip.
    router : Router
        What decides the voltages of its lines.
    clock : Clock
        Bench time.
    log : DialogueLog
        Where conflicts and hot switching are told.
    cabling : Cabling
        What lies between the instruments and the chip.
    """

    def __init__(
        self,
        chip: Chip,
        router: Router,
        clock: Clock,
        log: DialogueLog,
        cabling: Cabling = Cabling(),
    ) -> None:
        self._chip = chip
        self._cabling = cabling
        self._router = router
        self._clock = clock
        self._log = log
        self._since = clock.now()
        self._has_acted = False
        self._conflicts: list[Conflict] = []
        self._known: dict[int, Drive] | None = None
        self._known_arrays: list[tuple[int, ArrayLines]] | None = None
        self._runners: list[FreeRunning] = []
        self.n_conflicts = 0
        """Sources that have met on one line since the bench was opened."""

    def run_free(self, terminal: FreeRunning) -> None:
        """Ask a terminal for its own pulses whenever the voltages are looked at or changed."""
        self._runners.append(terminal)

    def before_change(self) -> None:
        """Let the voltages that stand act on the cells; then they may change."""
        self._take_trains()
        self.act()
        self._since = self._clock.now()
        self._has_acted = False
        self._known = self._known_arrays = None

    def act(self) -> None:
        """Let the voltages that stand act on the cells, for the time they have stood."""
        width = self._clock.now() - self._since
        if self._has_acted or width <= 0.0:
            return
        self._has_acted = True
        if self._router.is_quiet():
            return
        drives = self._drives().items()
        if not any(
            abs(d.voltage) > HARMLESS and self._router.carries_current(n) for n, d in drives
        ):
            return  # word lines alone: nothing flows that could move a cell
        if not any(_is_harmful(lines) for _, lines in self._lines_on()):
            return
        standing = self._standing()
        for pe, lines in standing.arrays:
            if _is_harmful(lines):
                self._hold(pe, lines, width=width, averages=0, limited=standing.is_by_line)

    def after_change(self) -> None:
        """Look for sources that meet on one line."""
        self._drives()

    def measure(self, terminal: Terminal, averages: int) -> tuple[float, float, bool]:
        """Return voltage (V) at a terminal, current (A) out of it, and whether it is at its limit.

        The reading's time must have been charged to the clock before.
        """
        self._take_trains()
        self.act()
        drives = self._drives()
        node = self._router.node_of(terminal)
        asked = drives[node].voltage if node in drives else 0.0
        standing = self._standing()
        voltage, limited = asked, node in standing.limited
        current = self._cabling.offset + self._leaking(node) if averages else 0.0
        for pe, lines in standing.arrays:
            noisy = 0 if self._chip.is_passive else averages
            found = self._hold(pe, lines, width=0.0, averages=noisy, limited=standing.is_by_line)
            bit, source = lines.bit_node == node, lines.source_node == node
            current += float(found.bit_lines[bit].sum() + found.source_lines[source].sum())
            if averages and self._chip.is_passive:
                when = (averages, self._clock.now())
                current += noise_of_lines(self._chip, pe, found, (bit, source), when)
            if limited:
                settled = np.concatenate([found.bit_voltages[bit], found.source_voltages[source]])
                if settled.size:
                    voltage = float(settled[np.abs(settled).argmin()])
        return voltage, current * self._router.share(terminal), limited

    def _leaking(self, node: int) -> float:
        """Return what flows from a node's lines to others through the insulation, in A.

        It does so whether cells conduct or not; lines that nothing drives leak nothing.
        """
        if not self._cabling.leakage:
            return 0.0
        out = 0.0
        for pe in range(self._router.geometry.pes):
            lines = self._router.lines(pe, self._drives())
            across = np.nan_to_num(lines.bit - lines.source[:, np.newaxis])
            out += float(across[:, lines.bit_node == node].sum())
            out -= float(across[lines.source_node == node].sum())
        return self._cabling.leakage * out

    def pulse(self, terminal: Terminal, level: float, *, width: float, count: int = 1) -> None:
        """Bring a terminal to `level` V for `width` s, `count` times; the clock is the caller's."""
        self.pulse_together({terminal: Train(level, width, count)})

    def pulse_together(self, trains: Mapping[Terminal, Train]) -> None:
        """Let terminals give their trains, the pulses of equal trains at the same time.

        Trains that differ in width or count are given one after the other [chosen: pulses that
        overlap in part are no instant].
        """
        self.before_change()
        alike = Counter((train.width, train.count) for train in trains.values())
        for width, count in alike:
            levels = {
                terminal: train.level
                for terminal, train in trains.items()
                if (train.width, train.count) == (width, count)
            }
            self._pulse(levels, (width, count), MOST_PULSES_OF_A_BURST)

    def _take_trains(self) -> None:
        """Let terminals that run by themselves give the pulses that are due."""
        for terminal in self._runners:
            train = terminal.due(self._clock.now())
            if train is not None:
                self._pulse(
                    {terminal: train.level}, (train.width, train.count), MOST_PULSES_OF_A_RUN
                )

    def _pulse(self, levels: Mapping[Terminal, float], train: tuple[float, int], most: int) -> None:
        """Let pulses act, each on what the last has left; of harmful ones the first `most`.

        `levels` are those of the terminals that pulse at the same time, `train` their width (s) and
        how many there are.
        """
        drives = dict(self._drives())
        width, count = train
        for terminal, level in levels.items():
            node = self._router.node_of(terminal)
            if node in drives:
                drives[node] = replace(drives[node], voltage=level)
        for pe, lines in self._arrays(drives):
            if count > 1 and not _is_harmful(lines):
                self._stress(pe, lines, width=width, count=count)
                continue
            if count > most:
                names = " and ".join(terminal.name for terminal in levels)
                told = f"{count} pulses of {names}: the first {most} act"
                self._log.event(self._clock.now(), "chip", told)
            for _ in range(min(count, most)):
                settled = self._settled([(pe, lines)], drives)
                ((_, held),) = settled.arrays
                self._hold(pe, held, width=width, averages=0, limited=settled.is_by_line)

    def weaken(self, name: str, limit: float) -> None:
        """Let the source `name` deliver no more than `limit` A from now on: it is broken."""
        self.before_change()
        self._router.weaken(name, limit)
        self.after_change()

    def jam(self, matrix: str, channel: str, *, closed: bool) -> None:
        """Hold a relay's contact, of the crosspoint `channel` (1A01), whatever is commanded."""
        self.before_change()
        self._router.crosspoints.jam(matrix, channel, closed=closed)
        self.after_change()

    def switched(self, moved: npt.NDArray[np.bool_]) -> None:
        """Tell which relays of a mainframe, shape (columns, 8), have moved."""
        if self._router.is_quiet():
            self._conflicts = []
            return
        rows = np.asarray(moved.any(axis=0))
        hot = [
            drive.voltage
            for node, drive in self._drives().items()
            if abs(drive.voltage) > COLD and rows[node]
        ]
        if hot:
            worst = max(hot, key=abs)
            self._log.event(self._clock.now(), "matrix", f"relay switched hot, at {worst:.4g} V")

    def _drives(self) -> dict[int, Drive]:
        """Return what drives each node; worked out once between two changes."""
        if self._known is not None:
            return self._known
        drives, conflicts = self._router.drives()
        self._known = drives
        for conflict in conflicts:
            if conflict not in self._conflicts:
                self.n_conflicts += 1
                self._log.event(self._clock.now(), "chip", f"two sources on one line: {conflict}")
                self._chip.conflict(self._router.cells_on(conflict.node))
        self._conflicts = conflicts
        return drives

    def _standing(self) -> Settled:
        """Return the arrays of which a word line is on, as they stand between two changes."""
        return self._settled(self._lines_on(), self._drives())

    def _lines_on(self) -> list[tuple[int, ArrayLines]]:
        """Return the arrays of which a word line is on; worked out once between two changes."""
        if self._known_arrays is None:
            self._known_arrays = list(self._arrays(self._drives()))
        return self._known_arrays

    def _arrays(self, drives: dict[int, Drive]) -> Iterator[tuple[int, ArrayLines]]:
        """Yield the arrays of which a word line is on; passive ones where anything is driven."""
        is_passive = self._chip.is_passive
        if not any(d.voltage > 0.0 or (is_passive and d.voltage) for d in drives.values()):
            return
        for pe in range(self._router.geometry.pes):
            lines = self._router.lines(pe, drives)
            if is_passive or (lines.word > 0.0).any():
                yield pe, lines

    def _settled(self, arrays: Arrays, drives: dict[int, Drive]) -> Settled:
        """Return the arrays with all terminals within their limits.

        Where each terminal that is at its limit has one line, the chip holds the line itself.
        """
        excess = excess_of_nodes(currents_of_nodes(arrays, self._probe), drives)
        over = np.flatnonzero(excess > 1.0).tolist()
        if not over:
            return Settled(arrays)
        if all(lines_of(arrays, node) == 1 for node in over):
            return Settled(arrays, frozenset(over), by_line=True)
        return settle(arrays, drives, self._probe)

    def _probe(self, pe: int, lines: ArrayLines) -> LineCurrents:
        """Return what flows, with nothing of it being changed."""
        return self._hold(pe, lines, width=0.0, averages=0)

    def _hold(
        self, pe: int, lines: ArrayLines, *, width: float, averages: int, limited: bool = False
    ) -> LineCurrents:
        """Solve one array; with limits of lines only where one is reached: it takes far longer."""
        return self._chip.wiring.drive(
            pe,
            lines.bit,
            lines.source,
            lines.word,
            width,
            self._clock.now(),
            averages=averages,
            limits=(lines.bit_limit, lines.source_limit) if limited else None,
            leads=self._leads(lines),
        )

    def _leads(self, lines: ArrayLines) -> tuple[FloatArray, FloatArray] | None:
        """Return the leads of the lines, where a remote sense makes some shorter than others."""
        lead, contact = self._cabling.lead, self._cabling.contact
        if not lead or not (lines.bit_remote.any() or lines.source_remote.any()):
            return None
        bit, source = (
            np.where(is_remote, contact, lead + contact)
            for is_remote in (lines.bit_remote, lines.source_remote)
        )
        return bit, source

    def _stress(self, pe: int, lines: ArrayLines, *, width: float, count: int) -> None:
        seen = np.nan_to_num(lines.bit[np.newaxis, :] - lines.source[:, np.newaxis])
        seen[~self._chip.wiring.is_on(lines.word)] = 0.0
        geometry = self._router.geometry
        for voltage in np.unique(seen[seen != 0.0]):
            rows, columns = np.nonzero(seen == voltage)
            cells = (pe * geometry.rows + rows) * geometry.columns + columns
            self._chip.stress(cells, float(voltage), width, count, self._clock.now())


def _is_harmful(lines: ArrayLines) -> bool:
    levels = np.concatenate([lines.bit, lines.source])
    return bool((np.abs(levels) > HARMLESS).any())
