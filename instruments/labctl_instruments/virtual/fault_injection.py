"""Faults put at an open rack: from its bench file, from `labctl serve --faults`, or from a test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from labctl_instruments.bench.consistency import fault_problems
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.bench.virtual_tables import FaultTable
from labctl_instruments.errors import RackError
from labctl_instruments.virtual.faults import FaultyDoor, Hardware
from labctl_instruments.virtual.persona import Persona


@dataclass(frozen=True)
class Breakables:
    """What of a rack can break, and what it is called."""

    bench: BenchFile
    """Names the instruments."""
    hardware: Hardware | None = None
    """What lies behind them; None where nothing of it can break."""


class FaultInjector:
    """Lets things go wrong at an open rack; `rack.faults` is one.

    Parameters
    ----------
    personas : dict of str to Persona
        The rack's instruments by address. One that is to fail is put behind a `FaultyDoor` here.
    breakables : Breakables or None
        Names and hardware; without them every injection is refused.
    lock : RLock
        The rack's: no message is under way while a fault is put.
    note : callable
        Takes an address and what went wrong there, for the dialogue log.
    """

    def __init__(
        self,
        personas: dict[str, Persona],
        breakables: Breakables | None,
        lock: threading.RLock,
        note: Callable[[str, str], None],
    ) -> None:
        self._personas = personas
        self._breakables = breakables
        self._lock = lock
        self._note = note

    def inject(self, kind: str, instrument: str, **keys: object) -> None:
        """Let something go wrong from now on.

        Parameters
        ----------
        kind : str
            `timeout`, `garbage`, `truncated`, `late`, `disconnect`, `stuck-relay`, `over-range` or
            `compliance`.
        instrument : str
            Name on the bench, or resource string.
        **keys
            The other keys of `[[virtual.faults]]`: `nth` (counted from now) or `probability`,
            `seed`, `channel`, `stuck_closed`. With neither of the first two the next chance is
            taken.

        Raises
        ------
        RackError
            If there is no such instrument, or no such thing can befall it.
        """
        if "nth" not in keys and "probability" not in keys:
            keys["nth"] = 1
        try:
            fault = FaultTable.model_validate(
                {"instrument": self._named(instrument), "kind": kind, **keys}
            )
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise RackError(f"fault '{kind}' of '{instrument}': {place}: {first['msg']}") from error
        self.plan(fault)

    def plan(self, fault: FaultTable) -> None:
        """Let a fault befall its instrument; RackError if it cannot."""
        bench = self._bench()
        for problem in fault_problems(bench, fault):
            raise RackError(f"fault {problem}")
        address = bench.instruments[fault.instrument].address
        with self._lock:
            self._door(address).plan(fault)

    @property
    def planned(self) -> tuple[FaultTable, ...]:
        """What may still go wrong, instrument after instrument."""
        doors = [one for one in self._personas.values() if isinstance(one, FaultyDoor)]
        return tuple(fault for door in doors for fault in door.planned)

    def clear(self, instrument: str | None = None) -> None:
        """Let nothing more go wrong at an instrument, or at all; what is broken stays broken."""
        wanted = None if instrument is None else self._address(self._named(instrument))
        with self._lock:
            for address, persona in self._personas.items():
                if isinstance(persona, FaultyDoor) and wanted in (None, address):
                    persona.relieve()

    def _door(self, address: str) -> FaultyDoor:
        """Return the door before the instrument at `address`, hung there if there is none."""
        persona = self._personas[address]
        if not isinstance(persona, FaultyDoor):
            hardware = self._breakables.hardware if self._breakables else None
            persona = FaultyDoor(persona, hardware, lambda text: self._note(address, text))
            self._personas[address] = persona
        return persona

    def _bench(self) -> BenchFile:
        if self._breakables is None:
            raise RackError("this rack has no bench file that names its instruments")
        return self._breakables.bench

    def _address(self, name: str) -> str:
        return self._bench().instruments[name].address

    def _named(self, instrument: str) -> str:
        """Return the name of an instrument that is given by its name or its address."""
        tables = self._bench().instruments
        if instrument in tables:
            return instrument
        for name, table in tables.items():
            if table.address.upper() == instrument.upper():
                return name
        known = ", ".join(tables)
        raise RackError(f"fault of '{instrument}': no such instrument; there are {known}")
