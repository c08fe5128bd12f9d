"""One run file as the catalogue knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl_data.errors import LabctlError, NotARunFileError
from labctl_data.run_file import open_run

RUNNING = "running"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known of one run file, and what people wrote beside it."""

    file: Path
    """The file."""
    procedure: str = ""
    """What was measured; empty where the file cannot be read."""
    status: str = ""
    """complete, aborted, failed, interrupted or running; empty where the file cannot be read."""
    rows: int = 0
    """Rows it holds."""
    started: str = ""
    """When it started, ISO 8601."""
    bench: str = ""
    """Name of the bench."""
    wafer: str = ""
    """Wafer of the chip."""
    die: str = ""
    """Die of the chip."""
    chip: str = ""
    """Chip."""
    operator: str = ""
    """Who measured it."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the procedure."""
    problem: str = ""
    """Why the file cannot be read; empty where it can."""
    tags: tuple[str, ...] = ()
    """Words by which people find it again, in order."""
    note: str = ""
    """What people have to say of it."""

    @property
    def words(self) -> str:
        """All that a search looks through, in small letters."""
        parameters = " ".join(f"{key}={value}" for key, value in self.parameters.items())
        parts = (self.file.name, self.procedure, self.status, self.started, self.bench)
        chip = (self.wafer, self.die, self.chip, self.operator)
        return " ".join((*parts, *chip, parameters, *self.tags, self.note, self.problem)).lower()


def read_entry(file: Path) -> Entry | None:
    """Return what a file says of itself; None where it is another kind of file, or has gone."""
    try:
        run = open_run(file)
        facts, status, rows = run.attributes, run.status, run.rows
    except NotARunFileError:
        return None
    except LabctlError as error:
        if not file.exists():
            return None
        return Entry(file=file, problem=str(error).removeprefix(f"{file}: "))
    told: dict[str, Any] = {
        key: str(facts.get(key, "")) for key in ("bench", "wafer", "die", "chip", "operator")
    }
    return Entry(
        file=file,
        procedure=str(facts.get("procedure", "")),
        status=str(status),
        rows=rows,
        started=str(facts.get("start", "")),
        parameters=_plain(facts.get("parameters", {})),
        **told,
    )


def _plain(parameters: object) -> dict[str, Any]:
    """Return parameters as JSON gives them back, whatever the file held."""
    plain = json.loads(json.dumps(parameters, default=str))
    return plain if isinstance(plain, dict) else {}
