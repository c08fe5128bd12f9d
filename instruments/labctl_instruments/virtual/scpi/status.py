"""The status model of IEEE 488.2 and the error queue of SCPI 1999 (volume 2, chapter 21)."""

from __future__ import annotations

from collections import deque

ERROR_TEXTS = {
    -100: "Command error",
    -101: "Invalid character",
    -102: "Syntax error",
    -103: "Invalid separator",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -110: "Command header error",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -121: "Invalid character in number",
    -123: "Exponent too large",
    -131: "Invalid suffix",
    -138: "Suffix not allowed",
    -141: "Invalid character data",
    -151: "Invalid string data",
    -161: "Invalid block data",
    -200: "Execution error",
    -211: "Trigger ignored",
    -214: "Trigger deadlock",
    -213: "Init ignored",
    -221: "Settings conflict",
    -222: "Data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -285: "Program syntax error",
    -286: "Program runtime error",
    -310: "System error",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
}
"""Texts of the standard errors that are raised here."""

OPERATION_COMPLETE = 1
QUERY_ERROR = 4
DEVICE_ERROR = 8
EXECUTION_ERROR = 16
COMMAND_ERROR = 32
POWER_ON = 128

MEASUREMENT_SUMMARY = 1
ERROR_WAITING = 4
QUESTIONABLE_SUMMARY = 8
MESSAGE_AVAILABLE = 16
EVENT_SUMMARY = 32
MASTER_SUMMARY = 64
OPERATION_SUMMARY = 128


class ScpiError(Exception):
    """What an instrument puts into its error queue instead of doing as it was told.

    It never leaves the virtual bench: a client meets it by asking for the error queue.

    Attributes
    ----------
    number : int
        Standard number, or a positive one of the instrument's own.
    detail : str
        What was found, appended to the standard text.
    """

    def __init__(self, number: int, detail: str = "") -> None:
        self.number = number
        self.detail = detail
        super().__init__(f"{number}, {self.text}")

    @property
    def text(self) -> str:
        """The standard text, and the detail after a semicolon; ASCII, as IEEE 488.2 wants it."""
        standard = ERROR_TEXTS.get(self.number, "")
        text = f"{standard};{self.detail}" if standard and self.detail else standard or self.detail
        return text.encode("ascii", "replace").decode("ascii")

    @property
    def is_command_error(self) -> bool:
        """Whether the message could not be understood, so that its rest is not either."""
        return -200 < self.number <= -100


class EventRegister:
    """Condition, event and enable of one SCPI register (OPERation or QUEStionable)."""

    def __init__(self) -> None:
        self.condition = 0
        self.event = 0
        self.enable = 0

    def set_condition(self, bit: int, *, on: bool) -> None:
        """Set or clear a condition bit; its rise is an event."""
        if on and not self.condition & bit:
            self.event |= bit
        self.condition = self.condition | bit if on else self.condition & ~bit

    def take_event(self) -> int:
        """Return the events and forget them."""
        event, self.event = self.event, 0
        return event


class Status:
    """Event status, service request and error queue of one instrument.

    Parameters
    ----------
    depth : int
        Errors that the queue holds; one more turns its last entry into -350.
    """

    def __init__(self, depth: int = 32) -> None:
        self.event_status = POWER_ON
        self.event_enable = 0
        self.service_enable = 0
        self.operation = EventRegister()
        self.questionable = EventRegister()
        self.measurement = EventRegister()
        self._depth = depth
        self._errors: deque[tuple[int, str]] = deque()

    def raise_error(self, error: ScpiError) -> None:
        """Queue an error and set its event bit."""
        self.event_status |= _event_bit(error.number)
        if len(self._errors) < self._depth:
            self._errors.append((error.number, error.text))
        else:
            self._errors[-1] = (-350, ERROR_TEXTS[-350])

    def next_error(self) -> tuple[int, str]:
        """Return the oldest error and forget it; (0, "No error") when there is none."""
        return self._errors.popleft() if self._errors else (0, "No error")

    @property
    def errors_waiting(self) -> int:
        """How many errors are queued."""
        return len(self._errors)

    def take_event_status(self) -> int:
        """Return the event status register and clear it."""
        value, self.event_status = self.event_status, 0
        return value

    def byte(self, *, message_available: bool = False) -> int:
        """Return the status byte, master summary in bit 6."""
        value = ERROR_WAITING if self._errors else 0
        if self.measurement.event & self.measurement.enable:
            value |= MEASUREMENT_SUMMARY
        if self.questionable.event & self.questionable.enable:
            value |= QUESTIONABLE_SUMMARY
        if message_available:
            value |= MESSAGE_AVAILABLE
        if self.event_status & self.event_enable:
            value |= EVENT_SUMMARY
        if self.operation.event & self.operation.enable:
            value |= OPERATION_SUMMARY
        return value | MASTER_SUMMARY if value & self.service_enable else value

    def clear(self) -> None:
        """Forget errors and events; enables stay (`*CLS`)."""
        self._errors.clear()
        self.event_status = 0
        self.operation.event = self.questionable.event = self.measurement.event = 0

    def preset(self) -> None:
        """Clear the enables of the SCPI registers (`STATus:PRESet`)."""
        self.operation.enable = self.questionable.enable = self.measurement.enable = 0


def _event_bit(number: int) -> int:
    bands = ((-499, QUERY_ERROR), (-399, DEVICE_ERROR), (-299, EXECUTION_ERROR))
    for lowest, bit in bands:
        if lowest <= number < lowest + 100:
            return bit
    return COMMAND_ERROR if -200 < number <= -100 else DEVICE_ERROR
