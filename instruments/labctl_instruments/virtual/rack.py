"""The rack: every virtual instrument of a bench, one chip, one clock, one lock."""

from __future__ import annotations

import threading
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from labctl_instruments.errors import RackError
from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.dialogue_log import DialogueLog
from labctl_instruments.virtual.fault_injection import Breakables, FaultInjector
from labctl_instruments.virtual.persona import Confinable, Persona


class Rack:
    """A virtual bench: the instruments at their addresses, and what is between them.

    Parameters
    ----------
    chip : object
        The simulated chip behind the instruments.
    clock : Clock
        The bench's time.
    personas : mapping of str to Persona
        Instruments by resource string.
    log : DialogueLog, optional
        Where every exchange goes.
    breakables : Breakables, optional
        What of it can break, by which names.
    """

    def __init__(
        self,
        chip: Any,  # noqa: ANN401  (the rack only hands it on)
        clock: Clock,
        personas: Mapping[str, Persona],
        log: DialogueLog | None = None,
        breakables: Breakables | None = None,
    ) -> None:
        self.chip = chip
        self.clock = clock
        self.log = DialogueLog() if log is None else log
        self.token = f"rack-{uuid.uuid4().hex[:12]}"
        self._personas = dict(personas)
        self._lock = threading.RLock()
        self._endings: list[Callable[[], None]] = []
        journal = self.log
        self.faults = FaultInjector(
            self._personas,
            breakables,
            self._lock,
            lambda address, text: journal.event(clock.now(), address, text),
        )
        """Lets things go wrong here."""

    def on_close(self, ending: Callable[[], None]) -> None:
        """Call `ending` once, when the rack is closed."""
        self._endings.append(ending)

    def close(self) -> None:
        """Save what is to be saved; the rack answers on, for clients that are late."""
        with self._lock:
            while self._endings:
                self._endings.pop()()

    def confine(self) -> None:
        """Execute no stranger's program in this process: for a bench that is served."""
        with self._lock:
            confined = [one for one in self._personas.values() if isinstance(one, Confinable)]
            for persona in confined:
                persona.confine(self._unlocked)
                self.on_close(persona.release)
            for persona in confined:  # their processes have begun side by side
                persona.be_ready()

    @contextmanager
    def _unlocked(self) -> Iterator[None]:
        """Let other instruments go on while one of them waits for a program to end."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    @property
    def turn(self) -> threading.RLock:
        """What is held while a message is under way; whoever holds it finds nothing half done."""
        return self._lock

    def note(self, subject: str, text: str) -> None:
        """Write an event into the log, at the bench time it has."""
        with self._lock:
            self.log.event(self.clock.now(), subject, text)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Resource strings of the instruments."""
        return tuple(self._personas)

    def put(self, address: str, persona: Persona) -> None:
        """Put one more instrument on the bench; managers that are opened from now on find it.

        Raises
        ------
        RackError
            If there is one at that address.
        """
        with self._lock:
            if address in self._personas:
                raise RackError(f"a virtual instrument is at '{address}' already")
            self._personas[address] = persona

    def persona(self, address: str) -> Persona:
        """Return the instrument at `address`; RackError if there is none."""
        try:
            return self._personas[address]
        except KeyError:
            known = ", ".join(self._personas)
            raise RackError(f"no virtual instrument at '{address}'; there are {known}") from None

    def exchange(self, address: str, message: bytes) -> bytes:
        """Send a message to an instrument and return its answer; b"" where it asked nothing.

        Raises
        ------
        RackError
            If no instrument is at `address`.
        """
        persona = self._personas.get(address) or self.persona(address)
        clock = self.clock
        with self._lock:
            asked = clock.now()
            if persona.message_time:
                clock.charge(persona.message_time)
            reply = persona.exchange(message)
            self.log.exchange(asked, address, message, clock.now(), reply)
        return reply

    def status_byte(self, address: str, *, message_available: bool = False) -> int:
        """Return the status byte of an instrument, an answer of which waits or not."""
        with self._lock:
            return self.persona(address).status_byte(message_available=message_available)

    def clear(self, address: str) -> None:
        """Send a device clear."""
        with self._lock:
            self.persona(address).clear()
            self.log.event(self.clock.now(), address, "device clear")

    def trigger(self, address: str) -> None:
        """Send a group execute trigger."""
        with self._lock:
            self.log.event(self.clock.now(), address, "group execute trigger")
            self.persona(address).trigger()

    def unread(self, address: str, waiting: bytes, message: bytes) -> bytes:
        """Return what stays of an instrument's answer, not read yet, as `message` comes."""
        with self._lock:
            return self.persona(address).unread(waiting, message)

    def query_error(self, address: str, number: int) -> None:
        """Tell an instrument that its client read too early, or wrote instead of reading."""
        with self._lock:
            self.persona(address).query_error(number)


_racks: weakref.WeakValueDictionary[str, Rack] = weakref.WeakValueDictionary()


def register(rack: Rack) -> None:
    """Make a rack reachable as `token@labctl`, for as long as somebody holds it."""
    _racks[rack.token] = rack


def registered(token: str) -> Rack | None:
    """Return the rack of that token; None if there is none, or nobody holds it any more."""
    return _racks.get(token)
