"""Run files in a folder: finding, describing, exporting them."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl_data.errors import LabctlError, NotARunFileError
from labctl_data.run_file import Run, open_run

EXPORT_ROWS = 65_536


@dataclass(frozen=True)
class RunLine:
    """One run file in a list."""

    file: Path
    """The file."""
    procedure: str
    """Name of the procedure; empty where the file cannot be read."""
    status: str
    """Its status, or why it cannot be read."""
    rows: int
    """Rows it holds."""
    started: str
    """When it started, ISO 8601."""
    chip: str
    """Wafer, die and chip."""


def find_runs(folder: Path) -> list[RunLine]:
    """Return the run files of a folder and its subfolders, oldest first; others are left out."""
    paths = sorted(folder.rglob("*.h5"))
    return sorted(filter(None, map(_line, paths)), key=lambda line: line.started)


def _line(path: Path) -> RunLine | None:
    try:
        run = open_run(path)
        return RunLine(
            path,
            run.procedure,
            run.status,
            run.rows,
            str(run.attributes.get("start", "")),
            chip_of(run),
        )
    except NotARunFileError:
        return None
    except LabctlError as error:
        return RunLine(path, "", str(error).removeprefix(f"{path}: "), 0, "", "")


def chip_of(run: Run) -> str:
    """Return wafer, die and chip of a run in one line."""
    attributes = run.attributes
    return " ".join(str(attributes.get(key, "")) for key in ("wafer", "die", "chip")).strip()


def preset_of(run: Run) -> str:
    """Return the device preset behind the simulated bench of a run; empty where there is none."""
    attributes = run.attributes
    if attributes.get("chip_file"):
        return ""
    try:
        bench = tomllib.loads(str(attributes.get("bench_toml", "")))
    except tomllib.TOMLDecodeError:
        return ""
    virtual = bench.get("virtual", {})
    return str(virtual.get("preset", "")) if isinstance(virtual, dict) else ""


def describe_run(file: Path) -> dict[str, Any]:
    """Return what a run file holds, as facts by name."""
    run = open_run(file)
    attributes = run.attributes
    told = {"status", "procedure", "parameters"}
    return {
        "file": file,
        "status": run.status,
        "rows": run.rows,
        "procedure": run.procedure,
        "parameters": run.parameters,
        "columns": [
            {"name": c.name, "unit": c.unit, "long_name": c.long_name} for c in run.columns
        ],
        "maps": list(run.maps),
        "events": [
            {"time": event.time, "kind": event.kind, "text": event.text} for event in run.events
        ],
        "summary": run.summary,
        "attributes": {k: v for k, v in attributes.items() if k not in told},
    }


def export_csv(file: Path, path: Path) -> int:
    """Write a run's records as CSV, headed by names and units; return the number of rows."""
    run = open_run(file)
    columns, rows = run.columns, run.rows
    with path.open("x", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink)
        writer.writerow(column.header for column in columns)
        for start in range(0, rows, EXPORT_ROWS):
            stop = min(start + EXPORT_ROWS, rows)
            table = [run.record(c.name, start=start, stop=stop).tolist() for c in columns]
            writer.writerows(zip(*table, strict=True))
    return rows
