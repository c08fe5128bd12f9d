"""What was said on a virtual bench, with bench time: the evidence for claims about safety."""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

KEPT_ENTRIES = 50_000
"""Exchanges that are kept in memory unless the log is told otherwise."""
LONGEST_MESSAGE = 256
"""Bytes of a message that are kept whole; of a longer one the first of them."""
SUMMED = 2**16
"""Bytes of a query, and of an answer, that go into its CRC-32; of a command, which may pulse, all
do."""
KEPT_EVENTS = 10_000
"""Events that are kept; later ones are counted."""


class Direction(Enum):
    """Which way a message went."""

    TO_INSTRUMENT = ">"
    FROM_INSTRUMENT = "<"
    EVENT = "!"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One message, or one event that no message tells."""

    time: float
    """Bench time, in s: for an answer the time when it was given."""
    address: str
    """Resource string of the instrument; of an event, what it happened to."""
    direction: Direction
    message: bytes
    """The bytes; of a long message the first `LONGEST_MESSAGE`, its length and its CRC-32 (of a
    query's and an answer's first `SUMMED` bytes)."""


Exchange = tuple[float, str, bytes, float, bytes]
"""Time, address and message of a request; time and bytes of its answer."""


class DialogueLog:
    """An append-only log of exchanges and events.

    Parameters
    ----------
    capacity : int or None
        Exchanges kept in memory, the newest; None keeps all.
    spill : Path or None
        A file to which every entry is written as a line of JSON too.
    """

    def __init__(self, capacity: int | None = KEPT_ENTRIES, spill: Path | None = None) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=capacity)
        self._events: list[LogEntry] = []
        self._spill = spill.open("a", encoding="utf-8") if spill else None
        self.n_exchanges = 0
        self.n_events = 0

    def exchange(
        self, asked: float, address: str, message: bytes, told: float, reply: bytes
    ) -> None:
        """Append one exchange: bench times in s, the bytes sent, the bytes answered (or none)."""
        if len(message) + len(reply) > LONGEST_MESSAGE:
            summed = SUMMED if _is_query(message) else None
            message, reply = abbreviate(message, summed=summed), abbreviate(reply, summed=SUMMED)
        record = (asked, address, message, told, reply)
        self._exchanges.append(record)
        self.n_exchanges += 1
        if self._spill is not None:
            for entry in _entries(record):
                self._write(entry)

    def event(self, time: float, subject: str, text: str) -> None:
        """Append what happened to `subject` at bench time `time`, in s."""
        entry = LogEntry(time, subject, Direction.EVENT, text.encode())
        self.n_events += 1
        if len(self._events) < KEPT_EVENTS:
            self._events.append(entry)
        if self._spill is not None:
            self._write(entry)

    @property
    def events(self) -> list[LogEntry]:
        """The events kept, oldest first."""
        return list(self._events)

    def __iter__(self) -> Iterator[LogEntry]:
        """Yield the messages kept, oldest first; answers follow what was asked."""
        for record in list(self._exchanges):
            yield from _entries(record)

    def __len__(self) -> int:
        """Return the number of exchanges kept."""
        return len(self._exchanges)

    def messages(self, address: str | None = None) -> list[bytes]:
        """Return what was sent to one instrument, or to all, oldest first."""
        return [
            entry.message
            for entry in self
            if entry.direction is Direction.TO_INSTRUMENT and address in (None, entry.address)
        ]

    def close(self) -> None:
        """Close the spill file."""
        if self._spill is not None:
            self._spill.close()
            self._spill = None

    def _write(self, entry: LogEntry) -> None:
        line = {
            "time": entry.time,
            "address": entry.address,
            "direction": entry.direction.value,
            "message": entry.message.decode("latin-1"),
        }
        if self._spill is not None:
            self._spill.write(json.dumps(line) + "\n")


def abbreviate(message: bytes, *, summed: int | None = None) -> bytes:
    """Return a message, or of a long one the beginning, its length and its CRC-32.

    That is the checksum of the whole, or of its first `summed` bytes.
    """
    if len(message) <= LONGEST_MESSAGE:
        return message
    head = message[:LONGEST_MESSAGE]
    checksum = zlib.crc32(memoryview(message)[:summed])
    return b"%b...<%d bytes, crc32 %08x>" % (head, len(message), checksum)


def _is_query(message: bytes) -> bool:
    """Tell whether the first header of a message asks."""
    return message[:LONGEST_MESSAGE].partition(b" ")[0].endswith(b"?")


def _entries(record: Exchange) -> Iterator[LogEntry]:
    asked, address, message, told, reply = record
    yield LogEntry(asked, address, Direction.TO_INSTRUMENT, message)
    if reply:
        yield LogEntry(told, address, Direction.FROM_INSTRUMENT, reply)
