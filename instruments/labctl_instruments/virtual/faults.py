"""Faults at an instrument's door: what it says and hears is spoilt, and it knows nothing of it.

Faults of the hardware behind it (a relay, a source that gives less) are set off by the messages to
it too, and stay for good.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labctl_instruments.bench.virtual_tables import FaultTable
from labctl_instruments.errors import ConnectionLostError
from labctl_instruments.virtual.lua.confined import Meanwhile
from labctl_instruments.virtual.persona import Confinable, Persona

Note = Callable[[str], None]

ANSWER_KINDS = ("timeout", "garbage", "truncated", "late", "over-range")
"""Faults of answers: messages that are not answered do not count for them."""
HELD_CURRENT = 1e-9
"""What a source still delivers after the fault `compliance`, in A."""
_OVERFLOW = b"9.900000E+37"
_READING = re.compile(rb"(?i)read|fetc|meas|trac|\bT[IV] \d|\bXE\b")
_REAL_NUMBER = re.compile(rb"[+-]?\d+\.\d*(?:[eE][+-]?\d+)?|[+-]?\d+[eE][+-]?\d+")


class Hardware(Protocol):
    """What lies behind the instruments, as far as it can break."""

    def weaken(self, name: str, limit: float) -> None:
        """Let the source `name` deliver no more than `limit` A from now on."""

    def jam(self, matrix: str, channel: str, *, closed: bool) -> None:
        """Hold the contact of a relay where it is, whatever is commanded."""


class Incidence:
    """Which of the chances that a fault has are taken.

    Parameters
    ----------
    table : FaultTable
        The fault.
    """

    def __init__(self, table: FaultTable) -> None:
        key = zlib.crc32(f"{table.instrument}/{table.kind}".encode())
        self._rng = np.random.default_rng([table.seed, key])
        self._nth = table.nth
        self._probability = table.probability or 0.0
        self._chances = 0

    def next(self) -> bool:
        """Return whether the next chance is taken."""
        self._chances += 1
        if self._nth is not None:
            return self._chances == self._nth
        return bool(self._rng.random() < self._probability)

    @property
    def is_over(self) -> bool:
        """Whether no chance will be taken any more."""
        return self._nth is not None and self._chances >= self._nth

    def spoil(self, length: int) -> bytes:
        """Return `length` bytes that mean nothing, none of them ASCII."""
        return self._rng.integers(0x80, 0x100, length, dtype=np.uint8).tobytes()


@dataclass
class Fault:
    """One fault of one instrument, as planned."""

    table: FaultTable
    incidence: Incidence

    @property
    def is_of_answers(self) -> bool:
        """Whether it strikes answers, and not messages."""
        return self.table.kind in ANSWER_KINDS


class FaultyDoor:
    """An instrument whose dialogue goes wrong as planned.

    Parameters
    ----------
    inner : Persona
        The instrument.
    hardware : Hardware or None
        What breaks behind it; None where nothing can.
    note : callable
        Takes what went wrong, for the dialogue log.
    """

    def __init__(
        self,
        inner: Persona,
        hardware: Hardware | None,
        note: Note,
    ) -> None:
        self._inner = inner
        self._faults: list[Fault] = []
        self._hardware = hardware
        self._note = note
        self._late = b""
        self._is_unanswered = False

    def plan(self, fault: FaultTable) -> None:
        """Let one more thing go wrong, its chances counted from now."""
        self._faults.append(Fault(fault, Incidence(fault)))

    @property
    def planned(self) -> tuple[FaultTable, ...]:
        """What may still go wrong here."""
        return tuple(fault.table for fault in self._faults if not fault.incidence.is_over)

    def relieve(self) -> None:
        """Let nothing more go wrong; what is broken stays broken."""
        self._faults.clear()

    @property
    def message_time(self) -> float:
        """Bench time that a message takes."""
        return self._inner.message_time

    @property
    def has_blocks(self) -> bool:
        """Whether its messages may carry blocks."""
        return self._inner.has_blocks

    def exchange(self, message: bytes) -> bytes:
        """Pass a message on, and its answer back; ConnectionLostError where the plan says so."""
        self._is_unanswered = False
        for fault in self._faults:
            if not fault.is_of_answers and fault.incidence.next():
                self._break(fault.table)
        reply = self._inner.exchange(message)
        if reply:
            reply = self._pass_back(message, reply)
        late, self._late = self._late, b""
        if self._is_unanswered:
            self._late = late + reply
            return b""
        return late + reply

    def status_byte(self, *, message_available: bool = False) -> int:
        """Return the status byte."""
        return self._inner.status_byte(message_available=message_available)

    def clear(self) -> None:
        """Pass a device clear on; it ends a late answer too."""
        self._late = b""
        self._inner.clear()

    def trigger(self) -> None:
        """Pass a trigger on."""
        self._inner.trigger()

    def query_error(self, number: int) -> None:
        """Pass an error of order on; the instrument did answer what was lost on the way."""
        if not self._is_unanswered:
            self._inner.query_error(number)

    def unread(self, waiting: bytes, message: bytes) -> bytes:
        """Return what stays of an answer as the next message comes."""
        return b"" if self._is_unanswered else self._inner.unread(waiting, message)

    def confine(self, meanwhile: Meanwhile = nullcontext) -> None:
        """Confine the instrument, if it executes programs."""
        if isinstance(self._inner, Confinable):
            self._inner.confine(meanwhile)

    def be_ready(self) -> None:
        """Return once it can execute programs, if it does."""
        if isinstance(self._inner, Confinable):
            self._inner.be_ready()

    def release(self) -> None:
        """Release what confined it."""
        if isinstance(self._inner, Confinable):
            self._inner.release()

    def _break(self, table: FaultTable) -> None:
        """Break what is not an answer: the line, or what lies behind the instrument."""
        if table.kind == "disconnect":
            self._note("fault: disconnected; the message is lost")
            raise ConnectionLostError(f"{table.instrument}: the connection broke, as planned")
        if self._hardware is None:
            return
        if table.kind == "compliance":
            self._note(f"fault: the source delivers no more than {HELD_CURRENT:g} A")
            self._hardware.weaken(table.instrument, HELD_CURRENT)
        else:
            state = "closed" if table.stuck_closed else "open"
            self._note(f"fault: the relay {table.channel} sticks, {state}")
            self._hardware.jam(table.instrument, table.channel, closed=table.stuck_closed)

    def _pass_back(self, message: bytes, reply: bytes) -> bytes:
        """Return an answer as it arrives: spoilt by the first fault that strikes it, if any."""
        struck: Fault | None = None
        for fault in self._faults:
            if fault.is_of_answers and fault.incidence.next():
                is_spared = fault.table.kind == "over-range" and not _READING.search(message)
                struck = struck if struck or is_spared else fault
        if struck is None:
            return reply
        kind = struck.table.kind
        self._note(f"fault: the answer is {_TOLD[kind]}")
        self._is_unanswered = kind in ("timeout", "late")
        return _SPOILT[kind](reply, struck.incidence)


_TOLD: Mapping[str, str] = {
    "timeout": "lost",
    "garbage": "garbage",
    "truncated": "cut short",
    "late": "late",
    "over-range": "over range",
}
_SPOILT: Mapping[str, Callable[[bytes, Incidence], bytes]] = {
    "timeout": lambda reply, incidence: b"",
    "garbage": lambda reply, incidence: incidence.spoil(len(reply) - 1) + b"\n",
    "truncated": lambda reply, incidence: reply[: (len(reply) + 1) // 2],
    "late": lambda reply, incidence: reply,
    "over-range": lambda reply, incidence: _REAL_NUMBER.sub(_OVERFLOW, reply),
}
