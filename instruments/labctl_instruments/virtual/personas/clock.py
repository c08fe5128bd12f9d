"""The bench's clock as an instrument: a client asks it for time, and lets time pass."""

from __future__ import annotations

from labctl_instruments.virtual.clock import Clock, ClockMode
from labctl_instruments.virtual.persona import ScpiPersona
from labctl_instruments.virtual.scpi import Choice, CommandTable, Number, ScpiEngine

LONGEST_ADVANCE = 1e10
"""Most seconds that one message can let pass: three centuries."""


class ClockPersona(ScpiPersona):
    """`CLOCk:TIME?`, `CLOCk:ADVance <s>`, `CLOCk:MODE JUMP|REAL`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        table = CommandTable(number_format="%.17G")
        table.query("CLOCk:TIME", clock.now)
        table.command("CLOCk:ADVance", clock.charge, Number("S", 0.0, LONGEST_ADVANCE))
        table.setting(
            "CLOCk:MODE", Choice(("JUMP", "REAL")), lambda: clock.mode.value, self._set_mode
        )
        self.engine = ScpiEngine(table, identity="labctl,BENCH-CLOCK,0,1.0", reset=lambda: None)

    def _set_mode(self, word: str) -> None:
        self._clock.mode = ClockMode(word)
