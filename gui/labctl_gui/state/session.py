"""The session: one bench, its queue of runs, and everything the window shows of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl_data.cells import Cells
from labctl_data.errors import LabctlError
from labctl_data.run_file import Column
from labctl_gui.state.bench import BenchPhase, BenchStatus, Outputs
from labctl_gui.state.cell_events import CellEvents
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.opened import OpenedRun, open_run_file
from labctl_gui.state.progress import ProgressMeter
from labctl_gui.state.rings import RowRing
from labctl_gui.state.runs import QueuedRun, RunQueue, RunStatus
from labctl_gui.state.watched import Stopped, WatchedStation
from labctl_gui.state.worker import BenchWorker, Task
from labctl_instruments.errors import StationError

if TYPE_CHECKING:
    from labctl.engine import RunResult

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Recording:
    """The run whose rows are in the ring."""

    procedure: str
    """Name in the catalogue."""
    columns: Mapping[str, Column]
    """Columns of the rows, by name."""


class Session:
    """One operator's sitting at one bench.

    Nothing here waits: what takes time is given to the bench worker, and what came of it is in
    `status`, `queue`, `chip_map`, `events` and `rows`, which any thread may look at.

    Parameters
    ----------
    folder : Path, optional
        Where run files go; by default the user's data folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.queue = RunQueue()
        self.rows = RowRing()
        self.progress = ProgressMeter()
        self.procedures: tuple[str, ...] = ()
        self.benches: tuple[str, ...] = ()
        self.station: WatchedStation | None = None
        self.chip_map: ChipMap | None = None
        self.events = CellEvents()
        self.recording: Recording | None = None
        self.opened: OpenedRun | None = None
        self._folder = folder
        self._status = BenchStatus()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._stop_asked = 0.0
        self._abort = threading.Event()
        self._worker = BenchWorker(
            idle=Task("looking at the clock", self._look_at_clock, self._ignore),
            last=Task("closing the bench", self._close_station, self._ignore),
        )
        self._worker.submit(
            Task("looking for benches and procedures", self._look_around, self._ignore, True)
        )

    @property
    def status(self) -> BenchStatus:
        """The bench at this instant."""
        status, station = self._status, self.station
        if station is None:
            return status
        outputs = Outputs.DRIVEN if station.driven else Outputs.RESTING
        return replace(status, outputs=outputs, time=station.last_time)

    def open_bench(self, bench: str, *, seed: int | None = None, chip: Path | None = None) -> None:
        """Open a bench in place of the one that is open."""
        self._change(phase=BenchPhase.OPENING, name=bench, problem="", activity=f"opening {bench}")
        self._worker.submit(
            Task(
                f"opening bench {bench}",
                lambda: self._open_station(bench, seed, chip),
                self._opening_failed,
                lasting=True,
            )
        )

    def read_pe(self, pe: int) -> None:
        """Read all cells of one PE, once what goes on is done."""
        self._submit(f"reading PE {pe}", lambda: self._read_pe(pe))

    def start(self, procedure: str, values: Mapping[str, str]) -> QueuedRun:
        """Put a run into the queue and let the queue go on."""
        run = self.queue.add(procedure, values)
        self.go_on()
        return run

    def go_on(self) -> None:
        """Let a held queue go on with its next run."""
        self.queue.hold(False)
        self._submit("next run", self._run_next)

    def abort(self) -> None:
        """End the run that goes on after its present step; the queue is then held."""
        if self.queue.running is not None:
            self.queue.hold(True)
            self._abort.set()
            self._change(phase=BenchPhase.STOPPING, activity="aborting the run")
            self._submit("coming to rest after the abort", self._come_to_rest)

    def stop(self) -> None:
        """Bring the bench to rest now: nothing more is driven, the run ends, the queue is held.

        A thread of its own does it as soon as the verb under way has returned: the run may be
        busy with its files just then, and come to its end later.
        """
        self._stop_asked = time.perf_counter()
        self._stop.set()
        self.queue.hold(True)
        self._worker.clear()
        if self.status.is_open:
            self._change(phase=BenchPhase.STOPPING, activity="bringing the bench to rest")
        threading.Thread(target=self._rest_now, name="stop", daemon=True).start()
        self._submit("taking new orders after STOP", self._come_to_rest)

    def open_file(self, path: Path) -> None:
        """Show a run file in place of the live bench, once it is read."""
        threading.Thread(target=self._open_file, args=(path,), name="reader", daemon=True).start()

    def show_live(self) -> None:
        """Show the live bench again."""
        self.opened = None

    def settled(self, timeout: float) -> bool:
        """Wait until the worker has nothing more to do; return whether it came to that.

        Parameters
        ----------
        timeout : float
            How long to wait, in s.
        """
        return self._worker.settled(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """End the run, bring the bench to rest and close it; return whether it is done.

        Parameters
        ----------
        timeout : float
            How long to wait for it, in s.
        """
        self._stop.set()
        self.queue.hold(True)
        return self._worker.end(timeout)

    # What follows runs on the bench thread.

    def _look_around(self) -> None:
        from labctl_instruments import shipped_benches

        self.benches = shipped_benches()
        from labctl_procedures import catalogue  # with PyMeasure: 1.5 s that nobody waits for

        found = []
        for name in catalogue.names():
            try:
                # Made once here, before anybody else may: the first procedures of two threads at
                # a time find PyMeasure's registry of units half built.
                catalogue.make(name)
                found.append(name)
            except LabctlError as error:
                log.error("procedure %s is left out: %s", name, error)  # noqa: TRY400  (one line)
        self.procedures = tuple(found)

    def _open_station(self, bench: str, seed: int | None, chip: Path | None) -> None:
        from labctl_instruments import load_bench, open_bench

        load_bench(bench)  # a file that is wrong is refused while the bench before is still open
        self._close_station()
        station = open_bench(bench, seed=seed, chip=chip)
        self.chip_map = ChipMap(station.geometry)
        self.station = WatchedStation(
            station, self.chip_map, self.events, stop=self._stop, abort=self._abort
        )
        log.info("bench %s is open", bench)
        self.station.rest()
        self._change(phase=BenchPhase.READY, info=station.bench, activity="")
        self._look_at_clock()

    def _opening_failed(self, error: Exception) -> None:
        if self.station is None:
            self._change(phase=BenchPhase.FAILED, info=None, problem=str(error), activity="")
        else:
            name = self.station.bench.name
            self._change(phase=BenchPhase.READY, name=name, problem=str(error), activity="")

    def _close_station(self) -> None:
        station, self.station = self.station, None
        if station is None:
            return
        try:
            station.rest()
        finally:
            station.close()
            self._change(phase=BenchPhase.CLOSED, info=None, outputs=Outputs.UNKNOWN)

    def _read_pe(self, pe: int) -> None:
        station = self._asked_station()
        self._change(phase=BenchPhase.BUSY, activity=f"reading PE {pe}")
        _, rows, columns = station.geometry.shape
        first = pe * rows * columns
        cells = Cells.from_index(np.arange(first, first + rows * columns), station.geometry)
        try:
            for block in cells.blocks(station.parallel_cells):
                station.read(block)
        except Stopped:
            log.info("reading PE %d: stopped", pe)
        finally:
            self._come_to_rest()

    def _run_next(self) -> None:
        if self.queue.held or self.queue.running is not None or not self.queue.waiting:
            return
        self._run(self.queue.waiting[0])
        if not self.queue.held:
            self._submit("next run", self._run_next)

    def _run(self, run: QueuedRun) -> None:
        station = self._asked_station()
        self._abort.clear()
        self.queue.change(run.number, status=RunStatus.RUNNING)
        self._change(phase=BenchPhase.BUSY, activity=run.procedure)
        try:
            result = self._measure(run, station)
        except Stopped:
            self._run_ended(run, RunStatus.ABORTED, rows=self.rows.version[1], message="STOP")
        except Exception as error:
            self._run_ended(run, RunStatus.FAILED, message=str(error))
            raise
        else:
            ended = {"path": result.file, "rows": result.rows, "summary": result.summary}
            self._run_ended(run, RunStatus(result.status), **ended)
        finally:
            self.progress.finish()
            self._come_to_rest()

    def _measure(self, run: QueuedRun, station: WatchedStation) -> RunResult:
        from labctl.configuration import dated_path, load_configuration
        from labctl.engine import run as run_procedure
        from labctl_procedures import catalogue

        settings = load_configuration()
        procedure = catalogue.make(run.procedure, run.values)
        headers = {column.header: column.name for column in procedure.COLUMNS}
        self.rows.clear()
        self.recording = Recording(run.procedure, {c.name: c for c in procedure.COLUMNS})
        folder = self._folder or settings.data_folder
        folder.mkdir(parents=True, exist_ok=True)
        path = run.path or dated_path(folder, run.procedure, ".h5", datetime.now().astimezone())
        self.queue.change(run.number, path=path)
        return run_procedure(
            procedure,
            station,
            path,
            progress=self.progress,
            operator=settings.operator,
            on_rows=lambda rows: self.rows.extend({headers.get(k, k): v for k, v in rows.items()}),
            should_stop=self._is_told_to_end,
        )

    def _is_told_to_end(self) -> bool:
        return self._stop.is_set() or self._abort.is_set()

    def _run_ended(self, run: QueuedRun, status: RunStatus, **changes: object) -> None:
        if status is not RunStatus.COMPLETE:
            self.queue.hold(True)
        self.queue.change(run.number, status=status, **changes)
        log.info("run %d, %s: %s", run.number, run.procedure, status.value)

    def _come_to_rest(self) -> None:
        """Rest, and only then take new orders; a rest that fails leaves the bench failed."""
        station = self.station
        if station is None:
            self._stop.clear()
            return
        try:
            station.rest()
        except LabctlError as error:
            self._change(phase=BenchPhase.FAILED, problem=str(error), activity="")
            raise
        self._stop.clear()
        self._change(phase=BenchPhase.READY, problem="", activity="")
        self._look_at_clock()

    def _rest_now(self) -> None:
        station = self.station
        if station is None:
            return
        try:
            station.rest()
        except Exception as error:
            log.exception("STOP: the bench could not be brought to rest; switch it off by hand")
            self._change(phase=BenchPhase.FAILED, problem=str(error), activity="")
            return
        latency = max(station.rested - self._stop_asked, 0.0)
        log.warning("STOP: the bench was at rest %.1f ms later", 1e3 * latency)

    def _look_at_clock(self) -> None:
        if self.station is not None:
            self.station.now()

    def _asked_station(self) -> WatchedStation:
        if self.station is None:
            raise StationError("no bench is open; open one first")
        return self.station

    def _open_file(self, path: Path) -> None:
        try:
            self.opened = open_run_file(path)
        except (LabctlError, OSError) as error:
            log.error("opening %s: %s", path, error)  # noqa: TRY400  (its one line says it all)

    def _submit(self, name: str, act: Callable[[], None]) -> None:
        self._worker.submit(Task(name, act, self._ignore))

    def _ignore(self, error: Exception) -> None:
        """Do nothing: the worker has logged it, and the status says what it means."""

    def _change(self, **changes: Any) -> None:  # noqa: ANN401  (fields of BenchStatus)
        with self._lock:
            self._status = replace(self._status, **changes)
