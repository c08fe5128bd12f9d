"""What a guardian wrote down beside a run file, as events of the run."""

from __future__ import annotations

import json
from pathlib import Path

from labctl.guardian.orders import record_path
from labctl_data.run_file import RecoverReport, recover

EVENT = "guardian"
"""Kind of the events."""


def recorded(path: Path) -> list[tuple[str, str]]:
    """Return kind and text of what a guardian did for the run stored at `path`; none mostly."""
    record = record_path(path)
    if not record.is_file():
        return []
    lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
    return [(EVENT, _told(line)) for line in lines if line.strip()]


def guardian_events(path: Path) -> list[tuple[str, str]]:
    """Return the same, and remove the record: whoever asks writes them into the run."""
    events = recorded(path)
    record_path(path).unlink(missing_ok=True)
    return events


def recover_run(path: Path) -> RecoverReport:
    """Close a run whose writer died; what its guardian did then are events of it.

    Raises
    ------
    RunFileError
        If the writer is alive, or the file cannot be read or replaced.
    """
    report = recover(path, notes=recorded(path))
    if report.changed:
        record_path(path).unlink(missing_ok=True)
    return report


def _told(line: str) -> str:
    """Return a line of a guardian's record in words; as it is where it cannot be understood."""
    try:
        facts = json.loads(line)
        if "left" in facts:
            return f"{facts['at']}: {facts['cause']}; left alone: {facts['left']}"
        problems = [f"{i['name']}: {i['problem']}" for i in facts["instruments"] if i["problem"]]
        ended = "; ".join(problems) or f"at rest after {facts['seconds']} s"
        return f"{facts['at']}: {facts['cause']}; {ended}"
    except (ValueError, KeyError, TypeError):
        return line
