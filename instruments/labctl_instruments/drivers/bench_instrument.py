"""What every driver of the bench shares: whole exchanges, checked limits, errors that raise."""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument, SCPIMixin
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource

from labctl_instruments.errors import (
    DialogueError,
    InstrumentError,
    ReadBackError,
    RefusalError,
    WireError,
)
from labctl_instruments.wire.blocks import block_span, decode_array

log = logging.getLogger(__name__)

_BLOCK_FRAME = 16
"""Bytes around the payload of a block, at most."""
_MOST_ERRORS = 64
_MOST_STALE_ANSWERS = 8
_MOST_ATTEMPTS = 4


class BenchInstrument(Instrument):
    """An instrument of the bench.

    A write and the read of its answer are one exchange under one lock: two threads on one
    instrument otherwise read each other's answers. A query that is not answered in time is
    followed by a resynchronisation, so that the late answer is never taken for the next one; a
    connection that broke is opened anew. What `ask` sends is never repeated, for it may have
    pulsed; what `values` sends (PyMeasure's properties) only asks, and is asked once more.
    """

    # PyMeasure looks up each attribute three times over, for dynamic properties; ours have none.
    __getattribute__ = object.__getattribute__

    models: ClassVar[tuple[str, ...]] = ()
    """Models that this driver drives, as the second field of `*IDN?` says them."""
    roles: ClassVar[tuple[str, ...]] = ()
    """Roles that it can fill on a bench; asked of other packages' drivers only."""

    def __init__(self, adapter: Adapter, name: str, **_: Any) -> None:  # noqa: ANN401
        self.exchange_lock = threading.RLock()
        self._is_in_step = True
        self._is_explaining = False
        # What SCPIMixin passes beside the name is this same keyword.
        super().__init__(adapter, name, includeSCPI=False)

    def write(self, command: str, **kwargs: Any) -> None:  # noqa: ANN401  (PyMeasure's signature)
        """Send a command.

        Raises
        ------
        DialogueError
            If the connection broke; it is open again, the command was not repeated.
        """
        with self._exchange(command, is_query=False):
            super().write(command, **kwargs)

    def read(self, **kwargs: Any) -> str:  # noqa: ANN401  (PyMeasure's signature)
        """Read an answer, whole.

        Raises
        ------
        DialogueError
            If it ends before its line does.
        """
        answer = super().read(**kwargs)
        connection = self.adapter.connection
        if (
            isinstance(connection, MessageBasedResource)
            and connection.read_termination is None
            and not answer.endswith("\n")
        ):
            raise DialogueError(self.name, f"the answer '{answer[:40]}' is cut short")
        return answer

    def values(
        self,
        command: str,
        separator: str = ",",
        cast: Callable[[str], Any] = float,
        preprocess_reply: Callable[[str], str] | None = None,
        maxsplit: int = -1,
        **kwargs: Any,  # noqa: ANN401  (PyMeasure's signature)
    ) -> list[Any]:
        """Ask for values, and once more if the answer was lost or spoilt; see PyMeasure.

        Raises
        ------
        DialogueError
            If what is answered is not what `cast` makes, twice.
        """

        def ask() -> list[Any]:
            found = super(BenchInstrument, self).values(
                command, separator, cast, preprocess_reply, maxsplit, **kwargs
            )
            if cast is not str and any(isinstance(each, str) for each in found):
                raise DialogueError(self.name, f"'{command}' answered '{separator.join(found)}'")
            return found

        try:
            return ask()
        except DialogueError as error:
            log.warning("%s; asked again", error)
            return ask()

    def ask_number(self, command: str) -> float:
        """Send a query, once, and return the number it answers.

        Raises
        ------
        DialogueError
            If it answers no number.
        RefusalError
            If no answer came and the instrument's error queue says why.
        """
        answer = self.ask(command)
        try:
            return float(answer)
        except ValueError as error:
            raise DialogueError(self.name, f"'{command}' answered '{answer.strip()}'") from error

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query and return its answer.

        Raises
        ------
        RefusalError
            If no answer came and the instrument's error queue says why.
        DialogueError
            If no answer came.
        """
        with self._exchange(command):
            self.adapter.write(command)
            self.wait_for(query_delay)
            return self.read()

    def ask_bytes(self, message: bytes) -> str:
        """Send a message that may carry a block, line end included; return its text answer.

        Raises
        ------
        RefusalError, DialogueError
            If no answer came; see `ask`.
        """
        with self._exchange(message):
            self.write_bytes(message)
            return self.read()

    def query_array(
        self, message: bytes, dtype: npt.DTypeLike, *, expected: int = 0
    ) -> npt.NDArray[Any]:
        """Send a message, line end included; return the records in the block that answers it.

        Parameters
        ----------
        message : bytes
            The query.
        dtype : dtype
            Of one record of the answer.
        expected : int
            Records that are likely to come: they are then read in one go.

        Returns
        -------
        ndarray of shape (n,)

        Raises
        ------
        RefusalError, DialogueError
            If no answer came; see `ask`.
        BlockError
            If the answer is no whole block of such records.
        """
        with self._exchange(message):
            self.write_bytes(message)
            answer = self._read_block_message(expected * np.dtype(dtype).itemsize)
        return decode_array(answer, dtype)

    def secure(self, setting: str, value: float) -> None:
        """Set a property that guards the chip, read it back and compare.

        Raises
        ------
        ReadBackError
            If it reads back otherwise.
        """
        setattr(self, setting, value)
        found = getattr(self, setting)
        if not math.isclose(float(found), value, rel_tol=1e-6, abs_tol=1e-12):
            raise ReadBackError(self.name, setting, value, found)

    def check_identity(self) -> str:
        """Return the answer to `*IDN?`; refuse an instrument of another model.

        Raises
        ------
        DialogueError
            If another model answers.
        """
        identity = self.ask("*IDN?").strip()
        fields = identity.split(",")
        model = fields[1].strip() if len(fields) > 1 else identity
        if not self._is_mine(model):
            expected = " or ".join(self.models)
            raise DialogueError(self.name, f"expected a {expected}, '{identity}' answered")
        return identity

    def check_errors(self) -> list[Any]:
        """Empty the error queue; return [] if it was empty.

        Raises
        ------
        RefusalError
            With the errors, oldest first.
        """
        errors = self._drain_errors()
        if errors:
            raise RefusalError(self.name, errors)
        return []

    def output_off(self) -> None:
        """Isolate whatever this instrument can drive, before anything else."""

    def outputs_on(self) -> tuple[str, ...]:
        """Return the names of the outputs that are on (or crosspoints that are closed)."""
        return ()

    def shutdown(self) -> None:
        """Put the output off. It is the first thing sent, and it is sent without a query."""
        self.output_off()
        super().shutdown()

    def close(self) -> None:
        """Close the connection."""
        self.adapter.close()

    def _next_error(self) -> tuple[int, str]:
        """Take one error from the instrument's queue; number 0 if there is none."""
        raise NotImplementedError

    def _drain_errors(self) -> list[tuple[int, str]]:
        errors: list[tuple[int, str]] = []
        with self.exchange_lock:
            while len(errors) < _MOST_ERRORS:
                number, text = self._next_error()
                if number == 0:
                    break
                errors.append((number, text))
        return errors

    @contextlib.contextmanager
    def _exchange(self, asked: str | bytes, *, is_query: bool = True) -> Iterator[None]:
        """Hold the instrument for one exchange; say why if it fails."""
        with self.exchange_lock:
            if not self._is_in_step:
                self._resynchronise()
            try:
                yield
            except UnicodeDecodeError as error:
                raise DialogueError(self.name, f"'{_head(asked)}' answered no text") from error
            except OSError as error:  # pyvisa-py: of a socket to which there is no way
                raise DialogueError(self.name, f"'{_head(asked)}' not sent: {error}") from error
            except VisaIOError as error:
                if error.error_code == StatusCode.error_connection_lost:
                    self._reconnect()
                    problem = f"the connection broke at '{_head(asked)}', and is open again"
                    raise DialogueError(self.name, problem) from error
                if not is_query:
                    raise
                raise self._reason(_head(asked), error) from error

    def _reconnect(self) -> None:
        """Open the connection anew, as it was."""
        connection = self.adapter.connection
        timeout, termination = connection.timeout, connection.read_termination
        connection.close()
        connection.open()
        disable_nagle(connection)
        connection.timeout = timeout
        connection.read_termination = termination

    def _reason(self, asked: str, error: VisaIOError) -> InstrumentError:
        """Return why a query was not answered, with the dialogue in step again."""
        log.debug("%s: no answer to %r: %s", self.name, asked, error)
        unanswered = DialogueError(self.name, f"no answer to '{asked}': {error}")
        if self._is_explaining:  # the error queue is not answered either
            self._is_in_step = False
            return unanswered
        self._is_explaining = True
        try:
            self._resynchronise()
            errors = self._drain_errors()
        except (VisaIOError, DialogueError, WireError):
            return unanswered
        finally:
            self._is_explaining = False
        return RefusalError(self.name, errors) if errors else unanswered

    def _resynchronise(self) -> None:
        """Drop what is late: go on only once the instrument answers who it is."""
        self._is_in_step = False
        for attempt in range(_MOST_ATTEMPTS):
            # A socket has no device clear, and pyvisa-py's spins for ever on one that is closed.
            anew = attempt > 0 and is_socket(self.adapter.connection)
            with contextlib.suppress(VisaIOError, DialogueError, UnicodeDecodeError):
                if self._answers_to_its_name(anew=anew):
                    self._is_in_step = True
                    return
        raise DialogueError(self.name, "the dialogue is out of step: *IDN? is not answered")

    def _answers_to_its_name(self, *, anew: bool) -> bool:
        if anew:
            self._reconnect()
        elif not is_socket(self.adapter.connection):
            with contextlib.suppress(VisaIOError):
                self.adapter.connection.clear()
        super().write("*IDN?")
        return any(self._is_mine(self.read()) for _ in range(_MOST_STALE_ANSWERS))

    def _is_mine(self, identity: str) -> bool:
        return any(model in identity.upper() for model in self.models)

    def _read_block_message(self, expected: int) -> bytes:
        connection = self.adapter.connection
        if not isinstance(connection, MessageBasedResource):
            return self.adapter.read_bytes(-1)
        if connection.resource_name.upper().endswith("::SOCKET"):
            return _read_counted(connection)
        return _read_to_end(connection, max(connection.chunk_size, expected + _BLOCK_FRAME))


class ScpiInstrument(SCPIMixin, BenchInstrument):
    """An instrument that speaks SCPI."""

    def check_errors(self) -> list[Any]:
        """Empty the error queue and raise what was in it; see `BenchInstrument`."""
        return BenchInstrument.check_errors(self)

    def _next_error(self) -> tuple[int, str]:
        return parse_error(self.ask(":SYST:ERR?"))


def parse_error(answer: str) -> tuple[int, str]:
    """Return number and text of an answer `-222,"Data out of range"`; WireError if it is none."""
    number, _, text = answer.strip().partition(",")
    try:
        return int(number), text.strip().strip('"')
    except ValueError as error:
        raise WireError(f"'{answer.strip()[:40]}' is no entry of an error queue") from error


def is_socket(connection: object) -> bool:
    """Return whether an instrument is reached through a raw socket."""
    name = getattr(connection, "resource_name", None)
    return isinstance(name, str) and name.upper().endswith("::SOCKET")


def disable_nagle(connection: Any) -> None:  # noqa: ANN401  (whatever PyMeasure's adapter holds)
    """Send small messages at once; pyvisa-py refuses the VISA attribute for it."""
    with contextlib.suppress(AttributeError, KeyError, OSError):
        session = connection.visalib.sessions[connection.session]
        session.interface.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _head(asked: str | bytes) -> str:
    """Return the beginning of what was sent, for a message."""
    text = asked if isinstance(asked, str) else asked.decode("ascii", "replace")
    return text[:40].strip()


def _read_to_end(connection: MessageBasedResource, at_once: int) -> bytes:
    """Read up to END, as `read_raw` does, which copies what it has read twice."""
    parts: list[bytes] = []
    library, session = connection.visalib, connection.session
    more = StatusCode.success_max_count_read
    with connection.ignore_warning(StatusCode.success_device_not_present, more):
        while True:
            part, status = library.read(session, at_once)
            parts.append(part)
            if status != more:
                return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_counted(connection: MessageBasedResource) -> bytes:
    """Read a block from a socket, which has no END: its header says how much is to come."""
    head = connection.read_bytes(2)
    head += connection.read_bytes(max(head[1] - ord("0"), 0))
    _, length = block_span(head)
    with connection.read_termination_context(None):
        return head + connection.read_bytes(length + 1)
