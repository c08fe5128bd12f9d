"""What stands behind an open simulated bench, as far as it can be changed while it is open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from labctl_instruments.bench.equipment import FAULT_KINDS, ROLES_OF_A_FAULT
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.bench.virtual_tables import FaultTable
from labctl_instruments.errors import RackError

if TYPE_CHECKING:
    from labctl_instruments.virtual.rack import Rack


class Simulation:
    """The time and the faults of a simulated bench.

    What is asked for is done between two messages: while one is under way, the methods wait for
    its end, which on a bench in real time may take some seconds.

    Parameters
    ----------
    rack : Rack
        The virtual instruments.
    bench : BenchFile
        Names them.
    """

    def __init__(self, rack: Rack, bench: BenchFile) -> None:
        self._rack = rack
        self._bench = bench

    @property
    def victims(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the instruments that each kind of fault can befall."""
        tables = self._bench.instruments.items()
        return {
            kind: tuple(
                name for name, at in tables if at.role in ROLES_OF_A_FAULT.get(kind, (at.role,))
            )
            for kind in FAULT_KINDS
        }

    @property
    def speed(self) -> float:
        """Bench time that passes in a second of the wall's; infinite where waits pass at once."""
        return self._rack.clock.speed

    def pace(self, speed: float) -> None:
        """Let bench time pass `speed` times as fast as the wall's; infinite: at once.

        Raises
        ------
        RackError
            If it is not more than 0.
        """
        if math.isnan(speed) or speed <= 0:
            raise RackError(f"bench time {speed:g} times as fast as the wall's: expected above 0")
        with self._rack.turn:
            self._rack.clock.speed = speed
            self._rack.note("clock", f"bench time passes {speed:g} times as fast as the wall's")

    @property
    def planned(self) -> tuple[FaultTable, ...]:
        """What may still go wrong: what was planned for one chance is left out once it is taken."""
        return self._rack.faults.planned

    def plant(self, kind: str, instrument: str, **keys: object) -> None:
        """Let something go wrong from now on; see `FaultInjector.inject`.

        Raises
        ------
        RackError
            If there is no such instrument, or no such thing can befall it.
        """
        self._rack.faults.inject(kind, instrument, **keys)

    def clear(self) -> None:
        """Let nothing more go wrong; a source or relay that is broken stays broken."""
        self._rack.faults.clear()
