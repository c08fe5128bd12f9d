"""The journal: the last log lines, for the window's console."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One line of the log."""

    number: int
    """Its number since the start."""
    created: float
    """Wall time, in s since 1970."""
    level: int
    """As in `logging`."""
    source: str
    """Name of the logger."""
    text: str
    """The message; a traceback, if there is one, is in `detail`."""
    detail: str = ""
    """Traceback of an error; empty otherwise."""


@dataclass(frozen=True)
class Sieve:
    """Which lines are shown."""

    level: int = logging.INFO
    """The lowest, as in `logging`."""
    words: str = ""
    """What the line, its traceback or its source must hold, in any case."""

    def passes(self, line: Line) -> bool:
        """Return whether a line is shown."""
        where = f"{line.text} {line.detail} {line.source}".lower()
        return line.level >= self.level and self.words.lower() in where


class Journal(logging.Handler):
    """A log handler that keeps the last lines, for whoever asks.

    Parameters
    ----------
    capacity : int
        How many lines are kept.
    """

    def __init__(self, capacity: int = 5_000) -> None:
        super().__init__(level=logging.INFO)
        self._lines: deque[Line] = deque(maxlen=capacity)
        self._written = 0

    @property
    def written(self) -> int:
        """Lines ever written."""
        return self._written

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record; called under the handler's lock."""
        detail = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        self._written += 1
        self._lines.append(
            Line(
                self._written,
                record.created,
                record.levelno,
                record.name,
                record.getMessage(),
                detail,
            )
        )

    def since(self, number: int) -> tuple[Line, ...]:
        """Return the kept lines that came after line `number`."""
        self.acquire()
        try:
            return tuple(line for line in self._lines if line.number > number)
        finally:
            self.release()
