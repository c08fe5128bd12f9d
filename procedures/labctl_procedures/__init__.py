"""What is measured on a chip, and networks on its array.

Procedures are imported when they are first named: PyMeasure's experiment layer takes a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from labctl_procedures.catalogue import BUILT_IN

if TYPE_CHECKING:
    from labctl_procedures.differential_mac import DifferentialMAC
    from labctl_procedures.iv_sweep import IVSweep
    from labctl_procedures.procedure import ChipProcedure
    from labctl_procedures.pulse_map import PulseMap
    from labctl_procedures.read_disturb import ReadDisturb
    from labctl_procedures.retention import Retention
    from labctl_procedures.write_verify import WriteVerify

__all__ = [
    "ChipProcedure",
    "DifferentialMAC",
    "IVSweep",
    "PulseMap",
    "ReadDisturb",
    "Retention",
    "WriteVerify",
]


def __getattr__(name: str) -> object:
    """Import a procedure by name."""
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module = BUILT_IN.get(name, "labctl_procedures.procedure")
    return getattr(import_module(module), name)
