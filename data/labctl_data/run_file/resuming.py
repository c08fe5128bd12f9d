"""Open a run that ended early for more rows: what is stored stays, and a new segment begins."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import h5py

from labctl_data.errors import RunFileError
from labctl_data.run_file import layout
from labctl_data.run_file.attributes import (
    modify_text,
    stamp,
    to_json,
    write_attribute,
)
from labctl_data.run_file.building import LIBVER
from labctl_data.run_file.layout import PULSE_COUNT, RunStatus, Segment
from labctl_data.run_file.lock import WriterLock
from labctl_data.run_file.reader import Run, open_run
from labctl_data.run_file.recovery import map_specs, recover
from labctl_data.run_file.writer import RunWriter


def resume_writer(
    path: str | os.PathLike[str],
    *,
    undelivered: int | None = None,
    clock: Callable[[], float] = time.time,
) -> RunWriter:
    """Return the writer of a run that was interrupted, aborted or failed, to go on with it.

    A run that nobody closed is recovered first. The file is copied, prepared and put in its place:
    a kill at any moment leaves one that opens.

    Parameters
    ----------
    path : path
        The run file.
    undelivered : int, optional
        The last message of the ledger, if it is known never to have arrived.
    clock : callable
        Returns the wall time, in s since 1970.

    Raises
    ------
    RunFileError
        If it is no run file, is complete, is being written, or cannot be replaced.
    """
    target = Path(path)
    recover(target)
    run = open_run(target)
    if run.status == RunStatus.COMPLETE:
        raise RunFileError(f"{target}: the run is complete; there is nothing to resume")
    lock = WriterLock(layout.lock_path(target))
    try:
        segment = _next_segment(run, stamp(clock()), undelivered)
        specs = _prepare(run, segment)
        return RunWriter(target, lock, run.columns, specs, clock, segment.messages)
    except OSError as error:
        lock.close()
        raise RunFileError(f"{target}: cannot be resumed ({error})") from error
    except BaseException:
        lock.close()
        raise


def _next_segment(run: Run, start: str, undelivered: int | None) -> Segment:
    messages = run.ledger["message"]
    return Segment(
        start=start,
        rows=run.rows,
        messages=int(messages[-1]) + 1 if len(messages) else 0,
        ledger_rows=len(messages),
        counts=len(run.map(PULSE_COUNT)[0]) if PULSE_COUNT in run.maps else 0,
        undelivered=undelivered,
    )


def _prepare(run: Run, segment: Segment) -> list[layout.MapSpec]:
    """Begin a segment in a copy of the file, and put the copy in the file's place."""
    draft = run.path.with_name(run.path.name + ".resumed")
    segments = [asdict(each) for each in (*run.segments, segment)]
    try:
        shutil.copyfile(run.path, draft)
        with h5py.File(draft, "r+", libver=LIBVER) as file:
            if "points" not in file:
                raise RunFileError(f"{run.path}: was written before runs could be resumed")
            write_attribute(file, "segments", to_json(segments))
            file["summary"].resize((0,))
            modify_text(file, "stop", "")
            modify_text(file, "status", RunStatus.RUNNING)
            specs = map_specs(file)
        os.replace(draft, run.path)
    finally:
        draft.unlink(missing_ok=True)
    return specs
