"""The bench keeper: opens the bench, knows what state it is in, brings it to rest, closes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from labctl_data.errors import LabctlError
from labctl_gui.state.bench import BenchPhase, BenchStatus, Outputs
from labctl_gui.state.cell_events import CellEvents
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.rack_desk import RackDesk
from labctl_gui.state.watched import WatchedStation
from labctl_instruments.errors import StationError

log = logging.getLogger(__name__)


class BenchKeeper:
    """Keeps one bench at a time.

    `status`, `chip_map` and `events` may be looked at by any thread; all that is done with the
    bench is done by the bench thread, but for `rest_now`.

    Parameters
    ----------
    stop : threading.Event
        Set by STOP: every verb of the station is refused. Cleared when the bench is at rest.
    abort : threading.Event
        Set to end a run: long waits of the station are cut short.
    """

    def __init__(self, stop: threading.Event, abort: threading.Event) -> None:
        self.station: WatchedStation | None = None
        self.chip_map: ChipMap | None = None
        self.events = CellEvents()
        self.rack = RackDesk()
        self.chip: tuple[int | None, Path | None] = (None, None)
        """Seed and chip file that were asked for, instead of the bench file's."""
        self._opened_as = ""
        self._status = BenchStatus()
        self._lock = threading.Lock()
        self._stop, self._abort = stop, abort

    @property
    def name(self) -> str:
        """Name or path of the bench, as it was opened."""
        return self._status.name

    @property
    def status(self) -> BenchStatus:
        """The bench at this instant."""
        status, station = self._status, self.station
        if station is None:
            return status
        return replace(
            status,
            outputs=Outputs.DRIVEN if station.driven else Outputs.RESTING,
            time=station.last_time,
            temperature=station.last_temperature,
            interlock=station.last_interlock,
            compliance=station.compliance,
            connections=station.connections,
        )

    def change(self, **changes: Any) -> None:  # noqa: ANN401  (fields of BenchStatus)
        """Note what the bench is doing, as fields of `BenchStatus`."""
        with self._lock:
            self._status = replace(self._status, **changes)

    def open(self, bench: str, seed: int | None, chip: Path | None) -> None:
        """Open a bench in place of the one that is open.

        Raises
        ------
        LabctlError
            If its file is wrong: the bench before is then still open; or it does not answer.
        """
        from labctl_instruments import load_bench, open_bench
        from labctl_instruments.bench.opening import simulation_behind

        load_bench(bench)
        self.close()
        station = open_bench(bench, seed=seed, chip=chip)
        file = load_bench(bench)
        tables = file.instruments.items()
        instruments = tuple((name, table.driver, table.address) for name, table in tables)
        self.chip_map = ChipMap(station.geometry, station.known_stuck != 0)
        simulation = simulation_behind(station)
        self.rack.take(simulation)
        self.station = WatchedStation(
            station,
            self.chip_map,
            self.events,
            stop=self._stop,
            abort=self._abort,
            pace=lambda: 1.0 if simulation is None else simulation.speed,
        )
        log.info("bench %s is open", bench)
        self.station.rest()
        self.chip, self._opened_as = (seed, chip), bench
        self.change(info=station.bench, instruments=instruments)
        self.look()
        self.change(phase=BenchPhase.READY, activity="")

    def opening_failed(self, error: Exception) -> None:
        """Note that a bench could not be opened; the one before may still be."""
        if self.station is None:
            self.change(phase=BenchPhase.FAILED, info=None, problem=str(error), activity="")
        else:
            self.change(
                phase=BenchPhase.READY, name=self._opened_as, problem=str(error), activity=""
            )

    def lend(self, use: Callable[[], bool]) -> None:
        """Rest and close the bench, let `use` have it, and open it again if that returns True."""
        was_open, (seed, chip) = self.station is not None, self.chip
        self.close()
        self.change(phase=BenchPhase.BUSY, problem="", activity="a campaign has the bench")
        if not use():
            return
        self._stop.clear()  # a STOP meanwhile was meant for who had the bench, and has ended it
        self.change(phase=BenchPhase.CLOSED, activity="")
        if was_open:
            self.open(self._opened_as, seed, chip)

    def close(self) -> None:
        """Rest the bench and close it."""
        station, self.station = self.station, None
        if station is None:
            return
        self.rack.take(None)
        try:
            station.rest()
        finally:
            station.close()
            self.change(phase=BenchPhase.CLOSED, info=None, outputs=Outputs.UNKNOWN)

    def come_to_rest(self) -> None:
        """Rest, and only then take new orders; a bench that does not answer is failed."""
        station = self.station
        if station is None:
            self._stop.clear()
            return
        try:
            station.rest()
            self._stop.clear()
            self.look()
        except LabctlError as error:
            self.change(phase=BenchPhase.FAILED, problem=str(error), activity="")
            raise
        self.change(phase=BenchPhase.READY, problem="", activity="")

    def rest_now(self, asked: float) -> None:
        """Rest as soon as the verb under way has returned; called by a thread of its own.

        Parameters
        ----------
        asked : float
            When STOP was pressed, by `time.perf_counter`, in s.
        """
        station = self.station
        if station is None:
            return
        try:
            station.rest()
        except Exception as error:
            log.exception("STOP: the bench could not be brought to rest; switch it off by hand")
            self.change(phase=BenchPhase.FAILED, problem=str(error), activity="")
            return
        latency = max(station.rested - asked, 0.0)
        log.warning("STOP: the bench was at rest %.1f ms later", 1e3 * latency)

    def look(self) -> None:
        """Look at clock, chuck and interlock."""
        if self.station is not None:
            self.station.now()
            self.station.temperature()
            self.station.look_at_interlock()

    def asked(self) -> WatchedStation:
        """Return the bench that is open; StationError if none is."""
        if self.station is None:
            raise StationError("no bench is open; open one first")
        return self.station
