"""Run one procedure on one station into one file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.engine.boundary import Boundary
from labctl.engine.control import Control
from labctl.engine.ending import RunError, RunResult
from labctl.engine.progress import NoProgress, Percent, ProgressSink
from labctl.engine.provenance import attributes_of
from labctl.engine.rest import at_rest_if_it_fails, try_all
from labctl.engine.signals import StopSignals
from labctl.guardian.orders import record_path
from labctl.guardian.watch import Watch, watch_over
from labctl_data.cells import Cells
from labctl_data.errors import LabctlError
from labctl_data.run_file import PULSE_COUNT, MapSpec, RunStatus, RunWriter, open_run
from labctl_instruments.errors import DeadLinkError
from labctl_instruments.station import Station
from labctl_procedures.procedure import TIME, ChipProcedure, Rows, Snapshot

log = logging.getLogger(__name__)


def run(  # noqa: PLR0913  (the one public door; all but three arguments are options by keyword)
    procedure: ChipProcedure[Any],
    station: Station,
    path: str | os.PathLike[str],
    *,
    progress: ProgressSink | None = None,
    operator: str | None = None,
    control: Control | None = None,
    on_rows: Callable[[Rows], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> RunResult:
    """Run `procedure` on `station` and store it at `path`; leave the bench at rest.

    SIGINT, SIGTERM and SIGHUP, `control` and `should_stop` end the run at its next pulse boundary
    with the status `aborted`; a second signal does not wait. The station stays open.

    Parameters
    ----------
    procedure : ChipProcedure
        With its parameters; it serves one run.
    station : Station
        The bench.
    path : path
        The run file; nothing may be there.
    progress : ProgressSink, optional
        Is told percentages.
    operator : str, optional
        Name to keep in the file; by default the user of this process.
    control : Control, optional
        Pauses, resumes and aborts the run from another thread; events of the run tell of it.
    on_rows : callable, optional
        Takes each block of rows after it is stored: for a live plot.
    should_stop : callable, optional
        Asked at pulse boundaries; True ends the run.

    Returns
    -------
    RunResult
        Its status is `complete` or `aborted`.

    Raises
    ------
    LabctlError
        If the run would be refused: nothing was written, and nothing sent that drives.
    InstrumentError
        If an instrument fails as it is asked, before the run: there is no file, the bench is at
        rest.
    RunError
        If it was begun and failed; the file says `failed` and holds the rows so far.
    """
    procedure.station = station
    procedure.check()
    with at_rest_if_it_fails(station):
        writer = _create(procedure, station, Path(path), operator)
    return carry_out(
        procedure,
        writer,
        progress=progress,
        control=control,
        on_rows=on_rows,
        should_stop=should_stop,
    )


def carry_out(
    procedure: ChipProcedure[Any],
    writer: RunWriter,
    *,
    progress: ProgressSink | None = None,
    control: Control | None = None,
    on_rows: Callable[[Rows], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> RunResult:
    """Run a procedure that has its station into a run file that has been begun; see `run`."""
    station = procedure.station
    percent = Percent(progress or NoProgress(), type(procedure).__name__)
    with StopSignals() as signals:
        boundary = Boundary(station, writer, control or Control())
        boundary.ends_when(lambda: signals.received)
        boundary.ends_when(should_stop or (lambda: False))
        watch = watch_over(station, record_path(writer.path))
        boundary.ends_when(lambda: "the guardian is lost" if watch.is_lost() else None)
        conduct = _Conduct(procedure, writer, percent, boundary, on_rows)
        error: BaseException | None = None
        try:
            error = conduct.perform(station, watch)
        finally:
            with signals.held():
                if isinstance(error, DeadLinkError):
                    watch.call_for_rest()  # meanwhile the run, too, tries what it can
                faults = try_all(procedure.shutdown, station.rest)
                faults += try_all(partial(conduct.end_watch, watch, at_rest=not faults))
        with signals.held():
            return conduct.finish(error, faults, asked=signals.received)


def _create(
    procedure: ChipProcedure[Any], station: Station, path: Path, operator: str | None
) -> RunWriter:
    maps = [MapSpec(m.name, m.unit, station.geometry, m.long_name) for m in procedure.MAPS]
    counts, now = pulse_counts(station), station.now()
    if counts is not None:
        maps.append(MapSpec(PULSE_COUNT, "", station.geometry, "Programming pulses received"))
    writer = RunWriter.create(
        path,
        columns=procedure.COLUMNS,
        maps=maps,
        attributes=attributes_of(procedure, station, operator),
    )
    if counts is not None:
        try:
            writer.append_map(PULSE_COUNT, now, counts)
        except LabctlError:
            try_all(partial(writer.finish, RunStatus.FAILED))
            raise
    return writer


def pulse_counts(station: Station) -> npt.NDArray[np.int64] | None:
    """Return the bench's pulse counters, shape (pe, row, col); None where there are none."""
    geometry = station.geometry
    counts = station.pulse_counts(Cells.from_index(np.arange(geometry.n_cells), geometry))
    return None if counts is None else counts.astype(np.int64).reshape(geometry.shape)


def _as_found(result: RunResult) -> RunResult:
    """Return what a run left behind as its file says, whose end could not be stored."""
    try:
        run = open_run(result.file)
    except LabctlError:
        return replace(result, status=str(RunStatus.INTERRUPTED), rows=0)
    return replace(result, status=str(run.status), rows=run.rows)


class _Conduct:
    """One run in the making: what the procedure emits goes where it belongs."""

    def __init__(
        self,
        procedure: ChipProcedure[Any],
        writer: RunWriter,
        percent: Percent,
        boundary: Boundary,
        on_rows: Callable[[Rows], None] | None,
    ) -> None:
        self._procedure, self._writer, self._percent = procedure, writer, percent
        self._boundary, self._on_rows = boundary, on_rows
        self._stopped = False
        self._time = 0.0
        self._takers: dict[str, Callable[[Any], None]] = {
            "results": self._take_rows,
            "progress": percent.reach,
            "map": self._take_map,
            "event": self._take_event,
            "point": self._take_point,
        }

    def emit(self, topic: str, record: object) -> None:
        """Take what the procedure hands out; the signature is that of PyMeasure's Worker."""
        taker = self._takers.get(topic)
        if taker is None:
            log.warning("%s emits '%s', which nothing takes", type(self._procedure).__name__, topic)
        else:
            taker(record)

    def should_stop(self) -> bool:
        """Tell the procedure whether to end here; a run that is paused waits here."""
        self._stopped = self._stopped or self._boundary.must_end()
        return self._stopped

    def perform(self, station: Station, watch: Watch) -> BaseException | None:
        """Run the procedure to its end, and return what ended it early, if anything did."""
        before, self._time = station.ledger, station.now()
        station.ledger = self._writer.ledger
        # As PyMeasure's Worker does: the procedure is told its runner's two functions.
        vars(self._procedure).update(emit=self.emit, should_stop=self.should_stop)
        self._procedure.status = self._procedure.RUNNING
        try:
            watch.start()
            self._procedure.startup()
            self._procedure.execute()
        except BaseException as error:  # noqa: BLE001  (the boundary: recorded in `finish`)
            return error
        finally:
            station.ledger = before
        return None

    def end_watch(self, watch: Watch, *, at_rest: bool) -> None:
        """Let the guardian go, and keep what it has to tell."""
        for note in watch.finish(at_rest=at_rest):
            self._take_event(("guardian", note))

    def finish(
        self, error: BaseException | None, faults: Sequence[Exception], *, asked: str | None
    ) -> RunResult:
        """Write down how it ended, close the file, and raise what must be raised."""
        summary: dict[str, Any] = {}
        faults = (*faults, *try_all(lambda: summary.update(self._procedure.summary())))
        if isinstance(error, Exception):
            faults = (error, *faults)
        status = self._status(error, faults)
        if status == RunStatus.ABORTED:
            self._take_event(("stopped", asked or self._boundary.reason or "asked to stop"))
        for fault in faults:
            try_all(partial(self._take_event, ("fault", f"{type(fault).__name__}: {fault}")))
        result = RunResult(self._writer.path, str(status), self._writer.rows, summary)
        unstored = try_all(lambda: self._writer.finish(status, summary))
        self._percent.finish()
        if unstored:
            faults, result = (*faults, *unstored), _as_found(result)
        if error is not None and not isinstance(error, Exception):
            raise error  # the second signal, or the end of the program: stored, not swallowed
        if faults:
            raise RunError(type(self._procedure).__name__, result, faults) from faults[0]
        return result

    def _status(self, error: BaseException | None, faults: Sequence[Exception]) -> RunStatus:
        procedure = self._procedure
        if faults:
            status, procedure.status = RunStatus.FAILED, procedure.FAILED
        elif self._stopped or error is not None:
            status, procedure.status = RunStatus.ABORTED, procedure.ABORTED
        else:
            status, procedure.status = RunStatus.COMPLETE, procedure.FINISHED
        return status

    def _take_rows(self, rows: Rows) -> None:
        self._time = float(np.max(rows[TIME.header]))
        self._writer.append(rows)
        if self._on_rows is not None:
            self._on_rows(rows)

    def _take_map(self, snapshot: Snapshot) -> None:
        self._writer.append_map(snapshot.name, snapshot.time, snapshot.values)

    def _take_point(self, number: int) -> None:
        if not self._stopped:  # told to stop within it, it may have been cut short
            self._writer.point_done(number)

    def _take_event(self, event: tuple[str, str]) -> None:
        self._writer.event(max(self._time, self._boundary.time), *event)
