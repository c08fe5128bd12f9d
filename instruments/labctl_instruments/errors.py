"""The errors of the instruments floor.

LabctlError
├── BenchError                  a bench file that cannot be read, or that contradicts itself
├── DriverError                 a driver that is unknown, or cannot be what a bench file asks
├── BenchBusyError              a bench that another process, or another station, holds
├── EnvelopeError               a request that the bench's envelope forbids; nothing was sent
├── StationError                a request that this bench cannot serve; nothing was sent
│   └── RestError               outputs or crosspoints that could not be proved to be at rest
├── WireError                   bytes that are not the message they should be
│   ├── BlockError              an IEEE 488.2 block that is not one, or is cut short
│   └── BoardMessageError       a message of the array-test board that contradicts itself
├── RackError                   a virtual bench that cannot be built, or lacks an instrument
│   ├── ServingError            a virtual bench that cannot be served
│   ├── ConnectionRefusal       a client of a served bench that is not listened to any longer
│   └── ConnectionLostError     a virtual instrument that is cut off, as its bench file plans
└── InstrumentError             an instrument that did not do as it was told
    ├── DialogueError           an answer that cannot be understood, or none
    │   ├── DeadLinkError       nothing comes from an instrument any more, not even its name
    │   └── LostAnswerError     an answer that was lost or spoilt on its way
    │       └── LostMessageError    the connection broke: perhaps the message was not heard
    ├── UncertainPulseError     a message that can pulse, of which nothing tells whether it did
    ├── RefusalError            a command that the instrument put into its error queue
    └── ReadBackError           a limit that reads back otherwise than it was set
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl_data.errors import LabctlError, TomlFileError


class BenchError(TomlFileError):
    """A bench file cannot be read, or contradicts itself."""


class DriverError(LabctlError):
    """A driver is unknown, cannot be loaded, or cannot fill a role.

    Attributes
    ----------
    driver : str
        Its name, as bench files say it.
    """

    def __init__(self, driver: str, problem: str) -> None:
        self.driver = driver
        super().__init__(f"driver '{driver}': {problem}")


class BenchBusyError(LabctlError):
    """A bench is in use: one of its instruments is held by another process, or this one.

    Attributes
    ----------
    path : Path
        The bench file that was asked for.
    address : str
        VISA resource string of the instrument.
    process : int or None
        Number of the process that holds it, where it can be known.
    """

    def __init__(self, path: Path, address: str, process: int | None) -> None:
        self.path = path
        self.address = address
        self.process = process
        holder = "another process" if process is None else f"process {process}"
        super().__init__(f"{path.name}: the bench is in use: {address} is held by {holder}")


@dataclass(frozen=True)
class Excess:
    """One request beyond an envelope."""

    asked: str
    """What was asked for, e.g. `pulse amplitude`."""
    value: float
    """The value asked for, in `unit`."""
    key: str
    """Key of the envelope that forbids it."""
    limit: float
    """The envelope's limit, in `unit`."""
    unit: str
    """SI unit of both; empty for a count."""


class EnvelopeError(LabctlError):
    """A request exceeds the bench's envelope; nothing of it was sent.

    Attributes
    ----------
    excess : Excess
        What was asked, and the limit it breaks.
    """

    def __init__(self, where: str, excess: Excess) -> None:
        self.excess = excess
        unit = f" {excess.unit}" if excess.unit else ""
        super().__init__(
            f"{where} [envelope]: {excess.asked} {excess.value:.6g}{unit} "
            f"exceeds {excess.key} = {excess.limit:.6g}{unit}"
        )


class StationError(LabctlError):
    """A bench cannot serve a request; nothing of it was sent."""


class RestError(StationError):
    """Some of a bench could not be brought to rest, or not be seen there.

    Attributes
    ----------
    faults : tuple of Exception
        What went wrong, in the order met; everything else was still tried.
    """

    def __init__(self, bench: str, faults: Sequence[Exception]) -> None:
        self.faults = tuple(faults)
        told = "; ".join(f"{type(fault).__name__}: {fault}" for fault in faults)
        super().__init__(f"{bench}: not known to be at rest: {told}")


class WireError(LabctlError, ValueError):
    """Bytes on the wire are not the message they should be."""


class BlockError(WireError):
    """An IEEE 488.2 block is malformed or cut short."""


class BoardMessageError(WireError):
    """A message of the array-test board contradicts itself."""


class RackError(LabctlError):
    """A virtual bench cannot be built, or holds no such instrument."""


class ServingError(RackError):
    """A virtual bench cannot be served as asked."""


class ConnectionRefusal(RackError):  # noqa: N818  (no error of the server's: its answer)
    """A client of a served bench broke a rule, and is hung up on."""


class ConnectionLostError(RackError):
    """The line to a virtual instrument broke: a planned fault; the message was not heard."""


class InstrumentError(LabctlError):
    """An instrument did not do as it was told.

    Attributes
    ----------
    instrument : str
        Name of the instrument.
    """

    def __init__(self, instrument: str, problem: str) -> None:
        self.instrument = instrument
        super().__init__(f"{instrument}: {problem}")


class DialogueError(InstrumentError):
    """An answer cannot be understood, or never came."""


class DeadLinkError(DialogueError):
    """Nothing comes from an instrument any more, not even its name: who asks again asks in vain."""


class LostAnswerError(DialogueError):
    """An answer was lost, or spoilt, on its way; who only asked may ask again."""


class LostMessageError(LostAnswerError):
    """The connection broke, and is open again; perhaps the message was not heard."""


class UncertainPulseError(InstrumentError):
    """A message that can pulse was perhaps not heard, or not heeded; it is not sent again."""


class RefusalError(InstrumentError):
    """The instrument refused commands.

    Attributes
    ----------
    errors : tuple of (int, str)
        Numbers and texts of its error queue, oldest first.
    """

    def __init__(self, instrument: str, errors: Sequence[tuple[int, str]]) -> None:
        self.errors = tuple(errors)
        super().__init__(instrument, "; ".join(f"{number}, {text}" for number, text in errors))


class ReadBackError(InstrumentError):
    """A setting that guards the chip reads back otherwise than it was set."""

    def __init__(self, instrument: str, setting: str, asked: object, found: object) -> None:
        self.setting = setting
        self.asked = asked
        self.found = found
        super().__init__(instrument, f"{setting} was set to {asked} and reads back {found}")
