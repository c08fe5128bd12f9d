"""Keithley 3706A system switch with six 3730 cards: TSP, channels such as `3107`."""

from __future__ import annotations

from labctl_instruments.bench.wiring import LAYOUT_3706A
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.personas.switching import SwitchModel, SwitchPersona
from labctl_instruments.virtual.probed_chip import ProbedChip
from labctl_instruments.virtual.routing import Crosspoints

MODEL = SwitchModel(
    model="3706A",
    version="01.56a",
    card="3730,6x16 High Density Matrix,01.40a,{slot}000001",
    layout=LAYOUT_3706A,
    settling=4e-3,  # [chosen, of the order of a relay's]
)


class Keithley3706APersona(SwitchPersona):
    """One mainframe; see `SwitchPersona`."""

    def __init__(
        self,
        name: str,
        crosspoints: Crosspoints,
        chip: ProbedChip,
        clock: Clock,
        *,
        serial: str = "2000001",
    ) -> None:
        super().__init__(MODEL, name, crosspoints, chip, clock, serial=serial)
