"""What a programming pulse is."""

from __future__ import annotations

from enum import IntEnum


class PulseKind(IntEnum):
    """Direction of a programming pulse; the integers are those of files and dialogues."""

    SET = 0
    """Raises the conductance: bit line at the SET voltage, source line at 0 V."""
    RESET = 1
    """Lowers the conductance: source line at the RESET voltage, bit line at 0 V."""
