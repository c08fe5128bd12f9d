"""Go on with a run that was interrupted, aborted or failed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labctl.engine.control import Control
from labctl.engine.ending import RunResult
from labctl.engine.progress import ProgressSink
from labctl.engine.rest import at_rest_if_it_fails
from labctl.engine.runner import carry_out, pulse_counts
from labctl.engine.settling import Settlement, settle
from labctl.errors import NotResumableError
from labctl.guardian.record import guardian_events
from labctl_data.run_file import PULSE_COUNT, Run, RunStatus, open_run, recover, resume_writer
from labctl_instruments.station import Station
from labctl_procedures import catalogue
from labctl_procedures.procedure import ChipProcedure, Rows
from labctl_procedures.stored import Stored


def resume(
    path: str | os.PathLike[str],
    station: Station,
    *,
    progress: ProgressSink | None = None,
    control: Control | None = None,
    on_rows: Callable[[Rows], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> RunResult:
    """Go on with the run stored at `path`, on the bench that holds its chip.

    Procedure and parameters are the file's. What is stored stays and is not measured again; a point
    that was begun starts with a read. No pulse is given twice: the last message of the ledger, the
    only uncertain one, is settled by the bench's pulse counters where it has them.

    Parameters
    ----------
    path : path
        The run file; a run whose writer died is recovered first.
    station : Station
        The bench, with the chip as the run left it.
    progress, control, on_rows, should_stop
        As for `run`.

    Returns
    -------
    RunResult
        Rows are those of the whole run.

    Raises
    ------
    NotResumableError
        If the run is complete, or the chip is not as the run left it.
    LabctlError
        If the file cannot be used, or the run would be refused.
    RunError
        If it was begun and failed again.
    """
    run = _recovered(Path(path))
    procedure = _procedure_of(run, station)
    with at_rest_if_it_fails(station):
        counts, now = pulse_counts(station), station.now()
    settlement = settle(run, counts, station.geometry)
    undelivered = settlement.message if settlement.delivered is False else None
    procedure.take_up(Stored(run, station.geometry, undelivered))
    writer = resume_writer(run.path, undelivered=undelivered)
    if counts is not None and PULSE_COUNT in run.maps:
        writer.append_map(PULSE_COUNT, now, counts)
    for kind, text in (*guardian_events(run.path), *_events(run, procedure, settlement)):
        writer.event(now, kind, text)
    return carry_out(
        procedure,
        writer,
        progress=progress,
        control=control,
        on_rows=on_rows,
        should_stop=should_stop,
    )


def _recovered(path: Path) -> Run:
    run = open_run(path)
    if run.status == RunStatus.COMPLETE:
        raise NotResumableError(f"{path}: the run is complete; there is nothing to resume")
    recover(path)
    return run


def _procedure_of(run: Run, station: Station) -> ChipProcedure[Any]:
    """Return the file's procedure on the station, once it is known to fit both."""
    procedure = catalogue.make(run.procedure, run.parameters)
    expected = {column.name for column in procedure.COLUMNS}
    found = {column.name for column in run.columns}
    if expected != found:
        raise NotResumableError(
            f"{run.path}: {run.procedure} has columns {sorted(expected)} today, "
            f"the file {sorted(found)}"
        )
    shape = tuple(run.attributes.get("geometry", ()))
    if shape != station.geometry.shape:
        raise NotResumableError(
            f"{run.path}: the run was on a chip of {shape} (pe, row, col), "
            f"the bench holds one of {station.geometry.shape}"
        )
    procedure.station = station
    procedure.check()
    return procedure


def _events(
    run: Run, procedure: ChipProcedure[Any], settlement: Settlement
) -> list[tuple[str, str]]:
    kinds = {True: "delivered", False: "undelivered", None: "uncertain"}
    finished = len(run.points)
    planned = sum(1 for _ in procedure.points())
    half_done = len(next(iter(procedure.half_done.values()), ()))
    events = [
        (
            "resumed",
            f"segment {len(run.segments) + 1}: {finished} of {planned} points are finished, "
            f"{half_done} rows are of one that was begun; the run had been {run.status}",
        )
    ]
    if settlement.message is not None:
        events.append((kinds[settlement.delivered], settlement.text))
    return events
