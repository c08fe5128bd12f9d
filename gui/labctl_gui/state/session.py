"""The session: one bench, its queue of runs, and everything the window shows of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.queue import Job, JobQueue, JobRequest, JobState
from labctl_data.cells import Cells
from labctl_data.errors import LabctlError
from labctl_gui.state.bench import BenchPhase, BenchStatus, Outputs
from labctl_gui.state.cell_events import CellEvents
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.job_list import JobList
from labctl_gui.state.job_maker import JobMaker, Recording
from labctl_gui.state.network_run import NetworkRun
from labctl_gui.state.offers import Offers, look_around
from labctl_gui.state.prediction import Asked, Predictor
from labctl_gui.state.progress import ProgressMeter
from labctl_gui.state.rack_desk import RackDesk
from labctl_gui.state.reader import Reader
from labctl_gui.state.rings import RowRing
from labctl_gui.state.watched import Stopped, WatchedStation
from labctl_gui.state.worker import BenchWorker, Task
from labctl_instruments.errors import StationError

if TYPE_CHECKING:
    from labctl.inference import InferenceRequest
    from labctl_gui.state.simulation import Variation

log = logging.getLogger(__name__)


class Session:
    """One operator's sitting at one bench.

    Nothing here waits: what takes time is given to the bench worker, and what came of it is in
    `status`, `queue`, `chip_map`, `events` and `rows`, which any thread may look at.

    Parameters
    ----------
    queue : Path, optional
        Database of the queue; by default the user's, which other programs share.
    """

    def __init__(self, queue: Path | None = None) -> None:
        self.queue = JobList(queue)
        self.predictor = Predictor()
        self.rows = RowRing()
        self.progress = ProgressMeter()
        self.offers = Offers()
        self.station: WatchedStation | None = None
        self.chip_map: ChipMap | None = None
        self.events = CellEvents()
        self.reader = Reader()
        self.network = NetworkRun(self.progress)
        self.rack = RackDesk()
        self._chip: tuple[int | None, Path | None] = (None, None)
        self._opened_as = ""
        self._goes_on = False
        self._status = BenchStatus()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._stop_asked = 0.0
        self._abort = threading.Event()
        self._maker = JobMaker(self.queue, self.rows, self.progress, self._stop)
        self._worker = BenchWorker(
            idle=Task("looking around", self._look_when_idle, self._ignore),
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
        control = self._maker.control
        if status.phase is BenchPhase.BUSY and control is not None and control.is_waiting:
            status = replace(status, phase=BenchPhase.PAUSED)
        return replace(
            status,
            outputs=outputs,
            time=station.last_time,
            temperature=station.last_temperature,
            interlock=station.last_interlock,
            compliance=station.compliance,
            connections=station.connections,
        )

    @property
    def recording(self) -> Recording | None:
        """The run whose rows are in the ring."""
        return self._maker.recording

    @property
    def held(self) -> bool:
        """Whether this window starts no job by itself: after an abort, a failure or STOP."""
        return not self._goes_on or self.queue.is_held

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

    def lend_bench(self, use: Callable[[], bool]) -> None:
        """Rest and close the bench, let `use` have it, and open it again if that returns True.

        The queue is held meanwhile, and afterwards.
        """
        self._goes_on = False
        self._worker.submit(
            Task("lending the bench", lambda: self._lend(use), self._opening_failed)
        )

    def open_varied(self, variation: Variation) -> None:
        """Open a simulated bench like the one that is open, but with another chip or fault."""
        self._submit("opening a varied bench", lambda: self._open_varied(variation))

    def read_pe(self, pe: int) -> None:
        """Read all cells of one PE, once what goes on is done."""
        self._submit(f"reading PE {pe}", lambda: self._read_pe(pe))

    def start(
        self, procedure: str, values: Mapping[str, str], *, start_at: datetime | None = None
    ) -> None:
        """Put a run into the queue and let the queue go on.

        In a queue that is held it is put before all that wait: it is what the operator wants now.
        """
        request = self.request(procedure, values, start_at=start_at)
        self.queue.add(request, first=not self._goes_on and start_at is None)
        self.go_on()

    def request(
        self, procedure: str, values: Mapping[str, str], *, start_at: datetime | None = None
    ) -> JobRequest:
        """Return what the queue is asked for, on the bench that is open."""
        from labctl.configuration import load_configuration

        return JobRequest(
            procedure=procedure,
            bench=self._status.name,
            parameters=dict(values),
            start_at=start_at,
            owner=load_configuration().operator,
        )

    def go_on(self) -> None:
        """Let the queue go on with its next job."""
        self._goes_on = True

        def released(queue: JobQueue) -> None:
            if queue.is_held:
                queue.release()
            self._submit("next job", self._run_next)

        self.queue.change("letting the queue go on", released)

    def predict(self, procedure: str, values: Mapping[str, str]) -> None:
        """Find out beside the bench what a run would take."""
        seed, chip = self._chip
        self.predictor.ask(Asked(procedure, dict(values), self._status.name, seed, chip))

    @property
    def is_pausing(self) -> bool:
        """Whether the run that goes on was asked to wait."""
        control = self._maker.control
        return control is not None and control.state == "paused"

    def pause(self) -> None:
        """Let the run wait at its next pulse boundary, the bench at rest meanwhile."""
        control = self._maker.control
        if control is not None:
            control.pause()

    def resume(self) -> None:
        """Let a run that waits go on."""
        control = self._maker.control
        if control is not None:
            control.resume()

    def abort(self) -> None:
        """End the run that goes on after its present step; the queue is then held."""
        control = self._maker.control
        if control is not None:
            self._goes_on = False
            self._abort.set()
            control.abort()
            self._change(phase=BenchPhase.STOPPING, activity="aborting the run")

    def stop(self) -> None:
        """Bring the bench to rest now: nothing more is driven, the run ends, the queue is held.

        A thread of its own does it as soon as the verb under way has returned: the run may be
        busy with its files just then, and come to its end later.
        """
        self._stop_asked = time.perf_counter()
        self._stop.set()
        self._goes_on = False
        self._worker.clear()
        if self.status.is_open:
            self._change(phase=BenchPhase.STOPPING, activity="bringing the bench to rest")
        threading.Thread(target=self._rest_now, name="stop", daemon=True).start()
        self._submit("taking new orders after STOP", self._come_to_rest)

    def start_inference(self, asked: InferenceRequest) -> None:
        """Run a network on the array, once what goes on is done."""
        self._submit(f"running the network {asked.model}", lambda: self._infer(asked))

    def settled(self, timeout: float) -> bool:
        """Wait until the worker has nothing more to do; return whether it came to that.

        Parameters
        ----------
        timeout : float
            How long to wait, in s.
        """
        settlers = (self.queue, self._worker, self.queue)
        return all(one.settled(timeout) for one in settlers)

    def close(self, timeout: float = 5.0) -> bool:
        """End the run, bring the bench to rest and close it; return whether it is done.

        Parameters
        ----------
        timeout : float
            How long to wait for it, in s.
        """
        self._stop.set()
        self._goes_on = False
        self.predictor.forget()
        self.rack.close()
        ended = self._worker.end(timeout)
        return self.queue.close(timeout) and ended

    # What follows runs on the bench thread.

    def _look_around(self) -> None:
        for offers in look_around():
            self.offers = offers

    def _open_station(self, bench: str, seed: int | None, chip: Path | None) -> None:
        from labctl_instruments import load_bench, open_bench
        from labctl_instruments.bench.opening import simulation_behind

        load_bench(bench)  # a file that is wrong is refused while the bench before is still open
        self._close_station()
        station = open_bench(bench, seed=seed, chip=chip)
        file = load_bench(bench)
        tables = file.instruments.items()
        instruments = tuple((name, table.driver, table.address) for name, table in tables)
        self.chip_map = ChipMap(station.geometry, station.known_stuck != 0)
        self.station = WatchedStation(
            station, self.chip_map, self.events, stop=self._stop, abort=self._abort
        )
        self.rack.take(simulation_behind(station))
        log.info("bench %s is open", bench)
        self.station.rest()
        self._chip, self._opened_as = (seed, chip), bench
        self._change(info=station.bench, instruments=instruments)
        self._look_at_clock()
        self._change(phase=BenchPhase.READY, activity="")

    def _lend(self, use: Callable[[], bool]) -> None:
        was_open, (seed, chip) = self.station is not None, self._chip
        self._close_station()
        self._change(phase=BenchPhase.BUSY, problem="", activity="a campaign has the bench")
        if not use():
            return
        self._stop.clear()  # a STOP meanwhile was meant for who had the bench, and has ended it
        self._change(phase=BenchPhase.CLOSED, activity="")
        if was_open:
            self._open_station(self._opened_as, seed, chip)

    def _open_varied(self, variation: Variation) -> None:
        from labctl.configuration import load_configuration
        from labctl_gui.state.simulation import write_varied

        folder = load_configuration().data_folder / "benches"
        bench = write_varied(self._asked_station().bench, variation, folder)
        self.open_bench(str(bench))

    def _opening_failed(self, error: Exception) -> None:
        if self.station is None:
            self._change(phase=BenchPhase.FAILED, info=None, problem=str(error), activity="")
        else:
            self._change(
                phase=BenchPhase.READY, name=self._opened_as, problem=str(error), activity=""
            )

    def _close_station(self) -> None:
        station, self.station = self.station, None
        if station is None:
            return
        self.rack.take(None)
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

    def _look_when_idle(self) -> None:
        """Look at the clock, and whether the time of a job has come."""
        self._look_at_clock()
        if self._goes_on and self.queue.waiting:
            self._submit("next job", self._run_next)

    def _run_next(self) -> None:
        from labctl.queue import QueueBusyError
        from labctl.queue.execution import bench_key

        if not self._goes_on or self.station is None:
            return
        bench = self._status.name
        job = self.queue.due(bench_key(bench))
        if job is None:
            return
        self._abort.clear()
        try:
            ended = self._maker.make(bench, self.station, self._job_begins)
        except QueueBusyError:
            self._goes_on = False
            raise
        finally:
            self._come_to_rest()
        if ended is not None and ended.state not in (JobState.DONE, JobState.SKIPPED):
            self._goes_on = False
        if ended is not None and self._goes_on:
            self._submit("next job", self._run_next)

    def _job_begins(self, job: Job) -> None:
        self._change(phase=BenchPhase.BUSY, activity=job.procedure)

    def _infer(self, asked: InferenceRequest) -> None:
        station = self._asked_station()
        self._change(phase=BenchPhase.BUSY, activity=f"network {asked.model}")
        self._abort.clear()
        try:
            self.network.run(asked, station)
        finally:
            self._come_to_rest()

    def _come_to_rest(self) -> None:
        """Rest, and only then take new orders; a bench that does not answer is failed."""
        station = self.station
        if station is None:
            self._stop.clear()
            return
        try:
            station.rest()
            self._stop.clear()
            self._look_at_clock()
        except LabctlError as error:
            self._change(phase=BenchPhase.FAILED, problem=str(error), activity="")
            raise
        self._change(phase=BenchPhase.READY, problem="", activity="")

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
            self.station.temperature()
            self.station.look_at_interlock()

    def _asked_station(self) -> WatchedStation:
        if self.station is None:
            raise StationError("no bench is open; open one first")
        return self.station

    def _submit(self, name: str, act: Callable[[], None]) -> None:
        self._worker.submit(Task(name, act, self._ignore))

    def _ignore(self, error: Exception) -> None:
        """Do nothing: the worker has logged it, and the status says what it means."""

    def _change(self, **changes: Any) -> None:  # noqa: ANN401  (fields of BenchStatus)
        with self._lock:
            self._status = replace(self._status, **changes)
