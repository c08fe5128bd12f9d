"""Give a run whose writer died its end: whole, closed, and marked as interrupted."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py

from labctl_data.cells import Geometry
from labctl_data.errors import RunFileError
from labctl_data.ledger import LEDGER_COLUMNS
from labctl_data.run_file import layout
from labctl_data.run_file.attributes import modify_text, read_attributes, stamp
from labctl_data.run_file.building import LIBVER, build, event_table
from labctl_data.run_file.layout import MapSpec, RunStatus
from labctl_data.run_file.lock import WriterLock
from labctl_data.run_file.reader import Run, open_run
from labctl_data.run_file.tables import extend
from labctl_data.untrusted import open_untrusted

COPY_ROWS = 2**18


@dataclass(frozen=True)
class RecoverReport:
    """What `recover` found and did."""

    path: Path
    """The run file."""
    status: RunStatus
    """Its status now."""
    changed: bool
    """Whether there was anything to do."""
    rows: int
    """Rows it holds."""
    dropped: int
    """Rows cut because the writer died before all columns had them."""
    pulses: int
    """Ledger rows (message and cell) it holds."""


def recover(
    path: str | os.PathLike[str], *, notes: Sequence[tuple[str, str]] = ()
) -> RecoverReport:
    """Close a run left by a dead writer: columns of one length, ledger folded in, `interrupted`.

    The run is copied to a new file that then takes its place, so that the original is whole until
    the moment it is replaced, and nothing depends on HDF5's marks of the dead writer.

    Parameters
    ----------
    path : path
        The run file.
    notes : sequence of (str, str)
        Kind and text of what is known of the writer's death: they become events of the run.

    Raises
    ------
    RunFileError
        If the writer is alive, or the file cannot be read or replaced.
    """
    target = Path(path)
    run = open_run(target)
    try:
        lock = WriterLock(layout.lock_path(target))
    except OSError as error:
        raise RunFileError(f"{target}: cannot be recovered ({error.strerror})") from error
    with lock:
        if run.attributes["status"] != RunStatus.RUNNING:
            layout.ledger_path(target).unlink(missing_ok=True)
            return _report(run, changed=False, dropped=0)
        draft = target.with_name(target.name + ".recovered")
        draft.unlink(missing_ok=True)
        try:
            dropped = _copy(run, draft, notes)
            os.replace(draft, target)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise RunFileError(f"{target}: cannot be recovered ({error})") from error
        layout.ledger_path(target).unlink(missing_ok=True)
    return _report(run, changed=True, dropped=dropped)


def _report(run: Run, *, changed: bool, dropped: int) -> RecoverReport:
    pulses = len(run.ledger["message"])
    return RecoverReport(run.path, run.status, changed, run.rows, dropped, pulses)


def _copy(run: Run, draft: Path, notes: Sequence[tuple[str, str]]) -> int:
    own = ("schema", "schema_version", "status", "stop")
    facts = {name: value for name, value in run.attributes.items() if name not in own}
    with open_untrusted(run.path, error=RunFileError) as source:
        build(draft, run.columns, map_specs(source), facts)
        with h5py.File(draft, "r+", libver=LIBVER) as copy:
            dropped = _copy_records(source["records"], copy["records"], run.rows)
            for name in source["maps"]:
                _copy_map(source, copy, name)
            for name in ("events", "summary"):
                extend(copy[name], source[name][()])
            for kind, text in notes:
                extend(copy["events"], event_table(_last_time(run), time.time(), kind, text))
            _copy_points(source, copy)
            ledger = run.ledger
            for column in LEDGER_COLUMNS:
                extend(copy["ledger"][column.name], ledger[column.name])
            modify_text(copy, "stop", stamp(run.path.stat().st_mtime))
            modify_text(copy, "status", RunStatus.INTERRUPTED)
    return dropped


def _last_time(run: Run) -> float:
    """Return the bench time of the last row, in s; 0 without one."""
    return float(run.record(layout.TIME.name)[-1]) if run.rows else 0.0


def _copy_records(source: h5py.Group, copy: h5py.Group, rows: int) -> int:
    for name, dataset in source.items():
        for start in range(0, rows, COPY_ROWS):
            extend(copy[name], dataset[start : min(start + COPY_ROWS, rows)])
    return max(int(dataset.shape[0]) for dataset in source.values()) - rows


def _copy_points(source: h5py.File, copy: h5py.File) -> None:
    if "points" not in source:
        return
    group = source["points"]
    n = min(int(dataset.shape[0]) for dataset in group.values())
    for name, dataset in group.items():
        extend(copy["points"][name], dataset[:n])


def _copy_map(source: h5py.File, copy: h5py.File, name: str) -> None:
    values, times = source["maps"][name], source[f"{name}_time"]
    n = min(len(values), len(times))
    for k in range(n):
        extend(copy["maps"][name], values[k : k + 1])
    extend(copy[f"{name}_time"], times[:n])


def map_specs(source: h5py.File) -> list[MapSpec]:
    """Return the maps of a run file."""
    specs = []
    for name, dataset in source["maps"].items():
        facts = read_attributes(dataset)
        geometry = Geometry(*(int(size) for size in dataset.shape[1:]))
        specs.append(MapSpec(name, facts["units"], geometry, facts["long_name"]))
    return specs
