"""Keithley 3706A system switch with six 3730 cards: TSP, channels such as `3107`."""

from __future__ import annotations

from labctl_instruments.bench.wiring import LAYOUT_3706A
from labctl_instruments.virtual.personas.switching import SwitchModel

KEITHLEY_3706A = SwitchModel(
    model="3706A",
    version="01.56a",
    card="3730,6x16 High Density Matrix,01.40a,{slot}000001",
    layout=LAYOUT_3706A,
    settling=4e-3,  # [chosen, of the order of a relay's]
)
