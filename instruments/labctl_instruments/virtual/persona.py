"""What a virtual instrument is to the rack: messages in, answers out."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Protocol, runtime_checkable

from labctl_instruments.virtual.lua.confined import Meanwhile
from labctl_instruments.virtual.scpi.engine import ScpiEngine
from labctl_instruments.virtual.scpi.status import ScpiError

QUERY_INTERRUPTED = -410
"""A message arrived while an answer waited to be read."""
GPIB_MESSAGE_TIME = 1e-3
"""Bench time that a message to a bench instrument takes [chosen], in s."""
QUERY_UNTERMINATED = -420
"""An answer was to be read where none had been asked for."""


class Persona(Protocol):
    """One virtual instrument."""

    @property
    def message_time(self) -> float:
        """Bench time that a message to it takes on the bus, in s."""
        ...

    @property
    def has_blocks(self) -> bool:
        """Whether its messages may carry IEEE 488.2 blocks, in which LF ends nothing."""
        ...

    def exchange(self, message: bytes) -> bytes:
        """Execute a message and return its answer; b"" where it asked nothing."""
        ...

    def status_byte(self, *, message_available: bool = False) -> int:
        """Return the status byte; who holds the answers says whether one waits."""
        ...

    def clear(self) -> None:
        """Stop what runs and forget half-read messages (device clear); settings stay."""
        ...

    def trigger(self) -> None:
        """Act on a group execute trigger, as on `*TRG`."""
        ...

    def query_error(self, number: int) -> None:
        """Note that the client broke the order of query and answer."""
        ...

    def unread(self, waiting: bytes, message: bytes) -> bytes:
        """Return what stays of an answer that waits to be read as the next message comes."""
        ...


@runtime_checkable
class Confinable(Protocol):
    """A virtual instrument that executes what it is sent: a program, not a command."""

    def confine(self, meanwhile: Meanwhile = nullcontext) -> None:
        """Execute in a child process from now on, under limits: the programs are strangers'.

        While that is waited for, within `meanwhile`, other instruments may go on.
        """

    def be_ready(self) -> None:
        """Return once the child process can execute."""

    def release(self) -> None:
        """End the child process."""


class ScpiPersona:
    """A virtual instrument that speaks SCPI: whatever has an engine."""

    engine: ScpiEngine
    message_time = 0.0
    has_blocks = True

    def exchange(self, message: bytes) -> bytes:
        """Execute a message and return its answer."""
        return self.engine.handle(message)

    def status_byte(self, *, message_available: bool = False) -> int:
        """Return the status byte."""
        return self.engine.status.byte(message_available=message_available)

    def clear(self) -> None:
        """Nothing runs between messages, and none is kept half read."""

    def trigger(self) -> None:
        """Act as on `*TRG`; an instrument without it queues -211."""
        self.engine.handle(b"*TRG")

    def query_error(self, number: int) -> None:
        """Queue the error."""
        self.engine.status.raise_error(ScpiError(number))

    def unread(self, waiting: bytes, message: bytes) -> bytes:
        """Return nothing: the answer is lost, and that is an error."""
        self.query_error(QUERY_INTERRUPTED)
        return b""
