"""The session: one bench, its queue of runs, and everything the window shows of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.queue import Job, JobQueue, JobRequest, JobState
from labctl_gui.state.bench import BenchPhase, BenchStatus
from labctl_gui.state.cell_events import CellEvents
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.job_list import JobList
from labctl_gui.state.job_maker import JobMaker, Recording
from labctl_gui.state.keeper import BenchKeeper
from labctl_gui.state.network_run import NetworkRun
from labctl_gui.state.offers import Offers, look_around
from labctl_gui.state.orders import parse_order
from labctl_gui.state.prediction import Asked, Predictor
from labctl_gui.state.progress import ProgressMeter
from labctl_gui.state.rack_desk import RackDesk
from labctl_gui.state.reader import Reader
from labctl_gui.state.rings import RowRing
from labctl_gui.state.watched import Stopped, WatchedStation
from labctl_gui.state.worker import BenchWorker, Task

if TYPE_CHECKING:
    from labctl.engine import Control
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
        self.reader = Reader()
        self.network = NetworkRun(self.progress)
        self._goes_on = False
        self._stop = threading.Event()
        self._abort = threading.Event()
        self._bench = BenchKeeper(self._stop, self._abort)
        self._maker = JobMaker(self.queue, self.rows, self.progress, self._stop)
        self._worker = BenchWorker(
            idle=Task("looking around", self._look_when_idle, self._ignore),
            last=Task("closing the bench", self._bench.close, self._ignore),
        )
        self._worker.submit(
            Task("looking for benches and procedures", self._look_around, self._ignore, True)
        )

    @property
    def status(self) -> BenchStatus:
        """The bench at this instant."""
        status, control = self._bench.status, self._control
        if status.phase is BenchPhase.BUSY and control is not None and control.is_waiting:
            return replace(status, phase=BenchPhase.PAUSED)
        return status

    @property
    def station(self) -> WatchedStation | None:
        """The bench that is open; None if none is."""
        return self._bench.station

    @property
    def chip_map(self) -> ChipMap | None:
        """The last known conductance of each cell; None before a bench was open."""
        return self._bench.chip_map

    @property
    def events(self) -> CellEvents:
        """Reads and pulses of the cells."""
        return self._bench.events

    @property
    def rack(self) -> RackDesk:
        """Time and faults of the bench, where it is simulated."""
        return self._bench.rack

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
        self._bench.change(
            phase=BenchPhase.OPENING, name=bench, problem="", activity=f"opening {bench}"
        )
        self._worker.submit(
            Task(
                f"opening bench {bench}",
                lambda: self._bench.open(bench, seed, chip),
                self._bench.opening_failed,
                lasting=True,
            )
        )

    def lend_bench(self, use: Callable[[], bool]) -> None:
        """Rest and close the bench, let `use` have it, and open it again if that returns True.

        The queue is held meanwhile, and afterwards.
        """
        self._goes_on = False
        self._worker.submit(
            Task("lending the bench", lambda: self._bench.lend(use), self._bench.opening_failed)
        )

    def open_varied(self, variation: Variation) -> None:
        """Open a simulated bench like the one that is open, but with another chip or fault."""
        self._submit("opening a varied bench", lambda: self._open_varied(variation))

    def read_pe(self, pe: int) -> None:
        """Read all cells of one PE, once what goes on is done."""
        self.order(f"read {pe}/:/:")

    def order(self, text: str) -> None:
        """Do what was typed, once what goes on is done; the answer goes to the log."""
        self._submit(text, lambda: self._obey(text))

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
            bench=self._bench.name,
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
        seed, chip = self._bench.chip
        self.predictor.ask(Asked(procedure, dict(values), self._bench.name, seed, chip))

    @property
    def is_under_way(self) -> bool:
        """Whether a run or a network goes on, which may be paused and ended."""
        return self._control is not None

    @property
    def is_pausing(self) -> bool:
        """Whether what goes on was asked to wait."""
        control = self._control
        return control is not None and control.state == "paused"

    def pause(self) -> None:
        """Let the run wait at its next pulse boundary, the bench at rest meanwhile."""
        control = self._control
        if control is not None:
            control.pause()

    def resume(self) -> None:
        """Let a run that waits go on."""
        control = self._control
        if control is not None:
            control.resume()

    def abort(self) -> None:
        """End the run that goes on after its present step; the queue is then held."""
        control = self._control
        if control is not None:
            self._goes_on = False
            self._abort.set()
            control.abort()
            self._bench.change(phase=BenchPhase.STOPPING, activity="aborting the run")

    def stop(self) -> None:
        """Bring the bench to rest now: nothing more is driven, the run ends, the queue is held.

        A thread of its own does it as soon as the verb under way has returned: the run may be
        busy with its files just then, and come to its end later.
        """
        asked = time.perf_counter()
        self._stop.set()
        self._goes_on = False
        self._worker.clear()
        if self.status.is_open:
            self._bench.change(phase=BenchPhase.STOPPING, activity="bringing the bench to rest")
        threading.Thread(
            target=self._bench.rest_now, args=(asked,), name="stop", daemon=True
        ).start()
        self._submit("taking new orders after STOP", self._bench.come_to_rest)

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

    def _open_varied(self, variation: Variation) -> None:
        from labctl.configuration import load_configuration
        from labctl_gui.state.simulation import write_varied

        folder = load_configuration().data_folder / "benches"
        bench = write_varied(self._bench.asked().bench, variation, folder)
        self.open_bench(str(bench))

    def _obey(self, text: str) -> None:
        station = self._bench.asked()
        act = parse_order(text, station.geometry)
        self._bench.change(phase=BenchPhase.BUSY, activity=text)
        try:
            log.info("%s  →  %s", text, act(station))
        except Stopped:
            log.info("%s: stopped", text)
        finally:
            self._bench.come_to_rest()

    def _look_when_idle(self) -> None:
        """Look at the clock, and whether the time of a job has come."""
        self._bench.look()
        if self._goes_on and self.queue.waiting:
            self._submit("next job", self._run_next)

    def _run_next(self) -> None:
        from labctl.queue import QueueBusyError
        from labctl.queue.execution import bench_key

        if not self._goes_on or self.station is None:
            return
        bench = self._bench.name
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
            self._bench.come_to_rest()
        if ended is not None and ended.state not in (JobState.DONE, JobState.SKIPPED):
            self._goes_on = False
        if ended is not None and self._goes_on:
            self._submit("next job", self._run_next)

    def _job_begins(self, job: Job) -> None:
        self._bench.change(phase=BenchPhase.BUSY, activity=job.procedure)

    def _infer(self, asked: InferenceRequest) -> None:
        station = self._bench.asked()
        self._bench.change(phase=BenchPhase.BUSY, activity=f"network {asked.model}")
        self._abort.clear()
        try:
            self.network.run(asked, station)
        finally:
            self._bench.come_to_rest()

    @property
    def _control(self) -> Control | None:
        """What the run or the network that goes on may be asked; None while none does."""
        return self._maker.control or self.network.control

    def _submit(self, name: str, act: Callable[[], None]) -> None:
        self._worker.submit(Task(name, act, self._ignore))

    def _ignore(self, error: Exception) -> None:
        """Do nothing: the worker has logged it, and the status says what it means."""
