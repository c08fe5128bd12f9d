"""How a run ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl.errors import FailedError


@dataclass(frozen=True)
class RunResult:
    """What a run left behind."""

    file: Path
    """The run file."""
    status: str
    """complete, aborted or failed, as in the file."""
    rows: int
    """Rows stored."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """What the procedure summed up."""


class RunError(FailedError):
    """A run failed, or the bench could not be brought to rest after it.

    Attributes
    ----------
    result : RunResult
        What was stored all the same.
    faults : tuple of BaseException
        Everything that went wrong, in the order met.
    """

    def __init__(
        self, procedure: str, result: RunResult, faults: tuple[BaseException, ...]
    ) -> None:
        self.result = result
        self.faults = faults
        told = "; ".join(f"{fault}" or type(fault).__name__ for fault in faults)
        super().__init__(
            f"{procedure} {result.status}: {told} ({result.rows} rows in {result.file})"
        )
