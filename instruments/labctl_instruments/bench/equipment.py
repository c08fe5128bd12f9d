"""What may stand on a bench: roles, the drivers that fill them, and what can go wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from labctl_instruments.bench.wiring import LAYOUT_707B, LAYOUT_3706A, MatrixLayout

FAULT_KINDS = (
    "timeout",
    "garbage",
    "truncated",
    "late",
    "disconnect",
    "stuck-relay",
    "over-range",
    "compliance",
)
"""What can go wrong on a virtual bench."""
ROLES_OF_A_FAULT: Mapping[str, tuple[str, ...]] = {
    "stuck-relay": ("matrix",),
    "over-range": ("bit-line", "source-line", "word-line", "inhibit"),
    "compliance": ("bit-line", "source-line", "word-line", "inhibit"),
}
"""Roles of the instruments that a fault can befall; all, where it is not named."""
Role = Literal[
    "board",
    "clock",
    "bit-line",
    "source-line",
    "word-line",
    "inhibit",
    "pulser",
    "matrix",
    "chuck",
]

ROLES_OF_A_KIND: Mapping[str, tuple[str, ...]] = {
    "board": ("board",),
    "smu": ("bit-line", "source-line", "word-line", "pulser", "matrix"),
}
"""Roles that a kind of bench must fill; `matrix` may be filled more than once. Where cells have no
transistor, `inhibit` (the source-meter of the lines not selected) stands for `word-line`."""
OPTIONAL_ROLES = ("clock", "chuck")
"""Roles that a bench of any kind may fill."""
_SMUS = (
    "keithley-2450",
    "keithley-2400",
    "keithley-2636b",
    "keysight-b1500a-hrsmu",
    "keysight-b1500a-mpsmu",
)
DRIVERS_OF_A_ROLE: Mapping[str, tuple[str, ...]] = {
    "board": ("array-test-board",),
    "clock": ("bench-clock",),
    "chuck": ("thermal-chuck",),
    "bit-line": _SMUS,
    "source-line": _SMUS,
    "word-line": _SMUS,
    "inhibit": _SMUS,
    "pulser": ("keysight-81160a", "keysight-b1500a-spgu"),
    "matrix": ("keithley-707b", "keithley-3706a"),
}
"""Drivers that can fill a role."""
_SLOTS = tuple(str(slot) for slot in range(1, 11))
CHANNELS_OF_A_DRIVER: Mapping[str, tuple[str, ...]] = {
    "keithley-2636b": ("a", "b"),
    "keysight-b1500a-hrsmu": _SLOTS,
    "keysight-b1500a-mpsmu": _SLOTS,
    "keysight-b1500a-spgu": _SLOTS,
}
"""Channels of the drivers whose instruments have several, each an instrument of the file."""
MAINFRAME_OF_A_DRIVER: Mapping[str, str] = {
    driver: "keysight-b1500a" for driver in CHANNELS_OF_A_DRIVER if "b1500a" in driver
}
"""What the drivers drive modules of: those of one mainframe have one address."""
LAYOUTS: Mapping[str, MatrixLayout] = {
    "keithley-707b": LAYOUT_707B,
    "keithley-3706a": LAYOUT_3706A,
}
"""Crosspoints of the drivers that switch."""
SENSED_BY_CABLES = ("keysight-b1500a-hrsmu", "keysight-b1500a-mpsmu")
"""Drivers of source-meters that have no setting for a remote sense."""
