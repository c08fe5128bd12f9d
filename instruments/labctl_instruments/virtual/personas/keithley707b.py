"""Keithley 707B switching mainframe with six 7174A cards: TSP, channels such as `3A07`."""

from __future__ import annotations

from labctl_instruments.bench.wiring import LAYOUT_707B
from labctl_instruments.virtual.personas.switching import SwitchModel

KEITHLEY_707B = SwitchModel(
    model="707B",
    version="01.40a",
    card="7174A,8x12 Low Current Matrix,01.00a,{slot}000001",
    layout=LAYOUT_707B,
    settling=3e-3,  # [chosen, of the order of a relay's]
)
