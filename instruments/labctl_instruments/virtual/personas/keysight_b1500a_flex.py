"""FLEX as a B1500A hears it: headers, numbers, errors; with no module in it.

A message is commands parted by semicolons, a command is a header and numbers parted by commas. An
error ends its message: what stands after it is not executed.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

UNDEFINED_COMMAND = 100
BAD_NUMBER = 102
BAD_VALUE = 120
BAD_CHANNEL = 121
BAD_COUNT = 122
BAD_COMPLIANCE = 123
BAD_RANGE = 124
NO_MODULE = 153
SWITCH_IS_OFF = 200
INTERLOCK_OPEN = 202
NOTHING_TO_RESTORE = 205
NO_SWEEP_SOURCE = 214
ERROR_TEXTS: Mapping[int, str] = {
    0: "No Error.",
    UNDEFINED_COMMAND: "Undefined GPIB command.",
    BAD_NUMBER: "Incorrect numeric data syntax.",
    BAD_VALUE: "Incorrect parameter value.",
    BAD_CHANNEL: "Channel number must be 1 to 10.",
    BAD_COUNT: "Number of channels must be corrected.",
    BAD_COMPLIANCE: "Compliance must be set correctly.",
    BAD_RANGE: "Incorrect range value for this channel.",
    NO_MODULE: "Module does not exist in the slot.",
    SWITCH_IS_OFF: "Channel output switch must be ON.",
    INTERLOCK_OPEN: "Interlock circuit must be closed.",
    NOTHING_TO_RESTORE: "DZ must be sent before RZ.",
    NO_SWEEP_SOURCE: "Sweep source must be set.",
}
"""Texts of the errors that are raised here. Numbers 100, 121, 122 and 200 are read in public
programs for these instruments; the others are as its programming guide is remembered [chosen]."""
MOST_ERRORS = 30
"""Errors that the queue holds (programming guide, ERRX?)."""
ERRORS_OF_ERR = 4
"""Error numbers that one `ERR?` answers."""
CR_LF = b"\r\n"

_COMMAND = re.compile(r"\s*(\*?[A-Za-z]+\??)\s*(.*?)\s*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

Numbers = tuple[float, ...]


class FlexError(Exception):
    """What the instrument puts into its error queue; it never leaves the virtual bench.

    Attributes
    ----------
    number : int
        Its number.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"{number}, {ERROR_TEXTS[number]}")


class ErrorQueue:
    """The errors that wait to be asked for."""

    def __init__(self) -> None:
        self._numbers: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._numbers)

    def put(self, error: FlexError) -> None:
        """Queue an error; one that finds no place is lost."""
        if len(self._numbers) < MOST_ERRORS:
            self._numbers.append(error.number)

    def next(self) -> int:
        """Take the oldest number; 0 without one."""
        return self._numbers.popleft() if self._numbers else 0

    def take_numbers(self) -> list[int]:
        """Return the four oldest numbers, 0 where there is none, and clear the queue (`ERR?`)."""
        found = [*self._numbers, *[0] * ERRORS_OF_ERR][:ERRORS_OF_ERR]
        self._numbers.clear()
        return found


Action = Callable[[Numbers], bytes | str | None]
"""What a command does: a query returns text, a measurement bytes with their own end."""


@dataclass(frozen=True)
class Command:
    """One command of the instrument."""

    action: Action
    """What it does with its numbers."""
    fewest: int = 0
    """Numbers that it needs."""
    most: int = 0
    """Numbers that it takes."""


class FlexTable:
    """The commands that are understood, by their headers."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}

    def add(self, header: str, action: Action, numbers: int | tuple[int, int] = 0) -> None:
        """Register a command, with how many numbers it takes, or from how many to how many."""
        fewest, most = (numbers, numbers) if isinstance(numbers, int) else numbers
        self._commands[header] = Command(action, fewest, most)

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers that are understood."""
        return tuple(self._commands)

    def execute(self, message: bytes, errors: ErrorQueue) -> bytes:
        """Execute a message, or several lines; return what they answer. An error ends a line."""
        lines = message.decode("latin-1").split("\n")
        return b"".join([self._execute_line(line.strip("\0\r "), errors) for line in lines])

    def _execute_line(self, line: str, errors: ErrorQueue) -> bytes:
        answers: list[bytes] = []
        try:
            for part in line.split(";"):
                if part.strip():
                    answers.append(self._execute_one(part))
        except FlexError as error:
            errors.put(error)
        return b"".join(answers)

    def _execute_one(self, text: str) -> bytes:
        match = _COMMAND.fullmatch(text)
        command = self._commands.get(match[1].upper()) if match else None
        if match is None or command is None:
            raise FlexError(UNDEFINED_COMMAND)
        numbers = _numbers(match[2])
        if not command.fewest <= len(numbers) <= command.most:
            raise FlexError(BAD_VALUE)
        answer = command.action(numbers)
        if isinstance(answer, str):
            return answer.encode("latin-1") + CR_LF
        return answer or b""


def _numbers(text: str) -> Numbers:
    """Return the numbers of a command; error 102 where one is none."""
    if not text:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise FlexError(BAD_NUMBER)
    numbers = tuple(float(part) for part in parts)
    if not all(math.isfinite(number) for number in numbers):
        raise FlexError(BAD_NUMBER)
    return numbers


def whole(number: float, choices: Sequence[int] | range) -> int:
    """Return a number that must be one of some integers; error 120 if it is not."""
    if number not in choices:
        raise FlexError(BAD_VALUE)
    return int(number)


def within(number: float, low: float, high: float) -> float:
    """Return a number that must lie in a range; error 120 if it does not."""
    if not low <= number <= high:
        raise FlexError(BAD_VALUE)
    return number


def told(number: float) -> str:
    """Return a number as `*LRN?` tells it."""
    return f"{number:.9G}"
