"""Run files: one HDF5 file a run, readable while it grows and after the writer died."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from labctl_data.run_file.layout import PULSE_COUNT, Column, Event, MapSpec, RunStatus, Segment

if TYPE_CHECKING:
    from labctl_data.run_file.reader import Run, open_run
    from labctl_data.run_file.recovery import RecoverReport, recover
    from labctl_data.run_file.resuming import resume_writer
    from labctl_data.run_file.validation import ValidationReport, validate
    from labctl_data.run_file.writer import RunWriter

# h5py costs 0.1 s; a catalogue of procedures needs columns only.
_ROOM_OF = {
    "Run": "reader",
    "open_run": "reader",
    "RecoverReport": "recovery",
    "recover": "recovery",
    "resume_writer": "resuming",
    "ValidationReport": "validation",
    "validate": "validation",
    "RunWriter": "writer",
}

__all__ = [
    "PULSE_COUNT",
    "Column",
    "Event",
    "MapSpec",
    "RecoverReport",
    "Run",
    "RunStatus",
    "RunWriter",
    "Segment",
    "ValidationReport",
    "open_run",
    "recover",
    "resume_writer",
    "validate",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (any public name)
    """Import a public name from its module when it is first asked for."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'labctl_data.run_file' has no attribute {name!r}")
    return getattr(import_module(f"labctl_data.run_file.{_ROOM_OF[name]}"), name)
