"""What is remembered: run files, chip files, the device model, fits and statistics."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl_data.chip_file import ChipFile, read_chip, write_chip
    from labctl_data.fit import FitResult
    from labctl_data.ledger import Ledger
    from labctl_data.run_file import Column, MapSpec, Run, RunWriter, open_run, recover, validate

_ROOMS = {
    "labctl_data.chip_file": ("ChipFile", "read_chip", "write_chip"),
    "labctl_data.fit": ("FitResult",),
    "labctl_data.ledger": ("Ledger",),
    "labctl_data.run_file": (
        "Column",
        "MapSpec",
        "Run",
        "RunWriter",
        "open_run",
        "recover",
        "validate",
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "ChipFile",
    "Column",
    "FitResult",
    "Ledger",
    "MapSpec",
    "Run",
    "RunWriter",
    "open_run",
    "read_chip",
    "recover",
    "validate",
    "write_chip",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (any public name)
    """Import a public name from its room when it is first asked for."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'labctl_data' has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)
