"""A station that is watched: each read reaches the window, and STOP reaches each verb."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.pulse import PulseKind
from labctl_gui.state.cell_events import CellEvents
from labctl_gui.state.chip_map import ChipMap
from labctl_instruments.station import (
    BenchInfo,
    FloatArray,
    Int8Array,
    Int32Array,
    Kind,
    LedgerSink,
    Station,
    Sweep,
    Switched,
    UInt32Array,
    Value,
)

WAIT_SLICE = 0.05
"""How long a wait goes on without looking whether to stop, in s of wall time."""


class Stopped(KeyboardInterrupt):
    """The operator pressed STOP: nothing more was sent.

    To the engine it is what an impatient Ctrl+C is: the run is stored as aborted, not failed.
    """


class WatchedStation:
    """A station like the one it wraps, that tells what it reads and obeys STOP.

    Every verb that drives a line is refused once `stop` is set: a procedure may look for it only
    between two points, and a point may be a thousand messages long.

    Parameters
    ----------
    station : Station
        The bench itself.
    chip_map, events
        Where conductances, and the pulses between them, are put down.
    stop : threading.Event
        Set by STOP: every verb is refused.
    abort : threading.Event
        Set to end the run: long waits are cut short.
    pace : callable
        Returns the bench time that passes in a second of the wall's; infinite: waits take none.
    """

    def __init__(
        self,
        station: Station,
        chip_map: ChipMap,
        events: CellEvents,
        *,
        stop: threading.Event,
        abort: threading.Event,
        pace: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._pace = pace
        self._station = station
        self._chip_map = chip_map
        self._events = events
        self._stop = stop
        self._abort = abort
        # One verb at a time: STOP rests the bench from a thread of its own, between two verbs.
        self._turn = threading.RLock()
        self._driven = True
        self._rested = 0.0
        self._last_time: float | None = None
        self._last_temperature: float | None = None
        self._last_interlock: bool | None = None
        self._compliance: float | None = None

    @property
    def driven(self) -> bool:
        """Whether outputs may be on: something was sent since the bench was last at rest."""
        return self._driven

    @property
    def rested(self) -> float:
        """When the bench last came to rest from being driven, by `time.perf_counter`, in s."""
        return self._rested

    @property
    def last_time(self) -> float | None:
        """Bench time when somebody last asked for it, in s."""
        return self._last_time

    @property
    def last_temperature(self) -> float | None:
        """Temperature of the chuck when somebody last asked for it, in K; None without a chuck."""
        return self._last_temperature

    @property
    def last_interlock(self) -> bool | None:
        """Whether the matrices' interlock was engaged when last asked; None without a matrix."""
        return self._last_interlock

    @property
    def compliance(self) -> float | None:
        """Highest current that the last sweep allowed, in A; None before the first."""
        return self._compliance

    @property
    def connections(self) -> Int8Array | None:
        """Row of the matrix that each line is joined to, as `Switched` has it; None without one."""
        return self._station.connections if isinstance(self._station, Switched) else None

    @property
    def chip_map(self) -> ChipMap:
        """Where conductances are put down."""
        return self._chip_map

    @property
    def bench(self) -> BenchInfo:
        """What a run remembers of this bench."""
        return self._station.bench

    @property
    def geometry(self) -> Geometry:
        """Size of the chip."""
        return self._station.geometry

    @property
    def parallel_cells(self) -> int:
        """How many cells one message can serve."""
        return self._station.parallel_cells

    @property
    def known_stuck(self) -> Int8Array:
        """`StuckClass` of each cell, shape (pe, row, col)."""
        return self._station.known_stuck

    @property
    def relay_closures(self) -> int:
        """Contacts of matrices that were told to close since the station was opened."""
        return self._station.relay_closures

    @property
    def saturated(self) -> int:
        """ADC conversions that saturated since the station was opened."""
        with self._turn:
            return self._station.saturated

    @property
    def ledger(self) -> LedgerSink:
        """Where messages that can pulse are written down."""
        return self._station.ledger

    @ledger.setter
    def ledger(self, sink: LedgerSink) -> None:
        self._station.ledger = sink

    def read(self, cells: Cells, voltage: float = 0.2, averages: int = 1) -> FloatArray:
        """Measure conductances, in S, and put them on the map."""
        with self._driving():
            conductances = self._station.read(cells, voltage, averages)
        index = cells.index(self.geometry)
        self._chip_map.update(index, conductances)
        self._events.read(index, conductances)
        return conductances

    def pulse(self, cells: Cells, kind: Kind, amplitude: Value, width: Value, gate: Value) -> None:
        """Give each cell one programming pulse, and put it into the cells' history."""
        with self._driving():
            self._station.pulse(cells, kind, amplitude, width, gate)
        self._events.pulsed(cells.index(self.geometry), kind, amplitude)

    def sweep(
        self, cell: Cells, voltages: npt.ArrayLike, *, gate: float, compliance: float
    ) -> Sweep:
        """Sweep one cell; its strongest points count as pulses in its history."""
        with self._driving():
            self._compliance = compliance
            swept = self._station.sweep(cell, voltages, gate=gate, compliance=compliance)
        index = cell.index(self.geometry)
        for kind, peak in ((PulseKind.SET, np.max(voltages)), (PulseKind.RESET, -np.min(voltages))):
            if peak > 0:
                self._events.pulsed(index, kind, float(peak))
        return swept

    def stress(self, cells: Cells, voltage: float, width: float, count: int) -> None:
        """Give each cell `count` equal pulses in read polarity."""
        with self._driving():
            self._station.stress(cells, voltage, width, count)

    def mac(self, vectors: npt.ArrayLike, rows: npt.ArrayLike, plan: MacPlan) -> Int32Array:
        """Multiply input vectors with conductances, and sum."""
        with self._driving():
            return self._station.mac(vectors, rows, plan)

    def pulse_counts(self, cells: Cells) -> UInt32Array | None:
        """Return the programming pulses each cell ever received, (n,); None without counters."""
        with self._turn:
            return self._station.pulse_counts(cells)

    def set_temperature(self, kelvin: float) -> None:
        """Bring the chuck to `kelvin`."""
        with self._driving():
            self._station.set_temperature(kelvin)

    def temperature(self) -> float | None:
        """Measure the temperature of the chuck, in K; None on a bench without one."""
        with self._turn:
            self._last_temperature = self._station.temperature()
        return self._last_temperature

    def look_at_interlock(self) -> None:
        """Ask the matrices, where there are any, whether their interlock is engaged."""
        if isinstance(self._station, Switched):
            with self._turn:
                self._last_interlock = self._station.is_interlocked()

    def wait(self, seconds: float) -> None:
        """Let `seconds` of bench time pass; where that takes time, STOP and abort end the wait."""
        self._obey()
        left, end = seconds, self.now() + seconds
        while not self._abort.is_set():
            part = min(left, WAIT_SLICE * self._pace())
            with self._turn:
                self._station.wait(part)
            if part == left:
                return
            self._obey()
            left = max(end - self.now(), 0.0)

    def now(self) -> float:
        """Return the bench time, in s."""
        with self._turn:
            self._last_time = self._station.now()
        return self._last_time

    def rest(self) -> None:
        """Put every output off, and see that it is so; any thread may, between two verbs."""
        with self._turn:
            self._station.rest()
            if self._driven:
                self._rested = time.perf_counter()
            self._driven = False

    def close(self) -> None:
        """Close every connection, without touching an output."""
        with self._turn:
            self._station.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.rest()
        finally:
            self.close()

    @contextmanager
    def _driving(self) -> Iterator[None]:
        """Take a turn on the bench, unless STOP was pressed; outputs may be on from then on."""
        with self._turn:
            self._obey()
            self._driven = True
            yield

    def _obey(self) -> None:
        if self._stop.is_set():
            raise Stopped
