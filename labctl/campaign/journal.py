"""The campaign's own record: what happened when, one line of JSON each, written as it happens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One thing that happened."""

    at: datetime
    """Wall time at which it was written."""
    time: float
    """Bench time since the campaign began, in s."""
    kind: str
    """began, waiting, ended, failed, skipped, suspended, went-on, resumed, stopped, finished,
    notified or unheard."""
    text: str
    """What there is to tell."""
    step: int | None = None
    """Number of the step it is about; None for the campaign as a whole."""


class Journal:
    """Append entries to a file; each is there for good once `write` returns.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _end_half_line(path)

    def write(self, time: float, kind: str, text: str, step: int | None = None) -> Entry:
        """Write down what happened at bench time `time`, in s since the campaign began."""
        entry = Entry(datetime.now(UTC), time, kind, text, step)
        line = {"at": entry.at.isoformat(), "time": time, "kind": kind, "text": text, "step": step}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return entry


def read_journal(path: Path) -> list[Entry]:
    """Return all entries; a line that a kill cut short is left out."""
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            facts = json.loads(line)
            at = datetime.fromisoformat(facts["at"])
            entries.append(Entry(at, facts["time"], facts["kind"], facts["text"], facts["step"]))
        except (ValueError, KeyError, TypeError):
            continue
    return entries


def _end_half_line(path: Path) -> None:
    if path.is_file() and not path.read_bytes().endswith(b"\n") and path.stat().st_size:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
