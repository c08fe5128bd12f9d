"""Whole exchanges with an instrument: what is late or spoilt is never taken for an answer."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession, VisaIOError
from pyvisa.resources import MessageBasedResource

from labctl_instruments.drivers.connections import (
    answering_within,
    is_cut_short,
    is_socket,
    reopen,
)
from labctl_instruments.errors import (
    DeadLinkError,
    DialogueError,
    LostAnswerError,
    LostMessageError,
    RefusalError,
    WireError,
)

log = logging.getLogger(__name__)

_MOST_STALE_ANSWERS = 8
_MOST_ATTEMPTS = 4
_NAME_SECONDS = 1.5
"""Time in which an instrument says who it is, whatever it has been asked before."""
_REVIVAL_SECONDS = 4.0
"""Time after which an instrument that does not say it is given up."""
_ANSWER_SECONDS = 10.0
"""Time in which an instrument answers that is not busy."""
_NOTHING = 1.0
"""A message that takes less than this, in s, needs no patience of its own."""
Broken = UnicodeDecodeError | OSError | VisaIOError | InvalidSession

T = TypeVar("T")


class Dialogue:
    """What all share who talk over one connection.

    Attributes
    ----------
    lock : RLock
        Held for one exchange: two threads otherwise read each other's answers.
    is_in_step : bool
        Whether the next answer will be that of the next query.
    is_dead : bool
        Whether nothing came any more when it was looked at last: it is looked at once only, then.
    is_explaining : bool
        Whether the error queue is being asked why there was no answer.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.is_in_step = True
        self.is_dead = False
        self.is_explaining = False


_UNANSWERED = (VisaIOError, InvalidSession, OSError, DialogueError, UnicodeDecodeError)


class ExchangingInstrument(Instrument):
    """An instrument that is talked to in whole exchanges.

    A write and the read of its answer are one exchange under one lock. A query whose answer is
    lost or spoilt is followed by a resynchronisation, so that a late answer is never taken for the
    next one; a connection that broke is opened anew. What `ask` sends is sent once, for it may have
    pulsed; `again` repeats what may be sent twice.
    """

    # PyMeasure looks up each attribute three times over, for dynamic properties; ours have none.
    __getattribute__ = object.__getattribute__

    models: ClassVar[tuple[str, ...]] = ()
    """Models that this driver drives, as the second field of `*IDN?` says them."""

    def __init__(self, adapter: Adapter, name: str, **_: Any) -> None:  # noqa: ANN401
        self.dialogue = Dialogue()
        # What SCPIMixin passes beside the name is this same keyword.
        super().__init__(adapter, name, includeSCPI=False)

    def answers_take(self, seconds: float) -> None:
        """Wait longer for all answers from now on, if they may take so long, in s."""
        connection = self.adapter.connection
        if seconds > _ANSWER_SECONDS / 2 and isinstance(connection, MessageBasedResource):
            connection.timeout = 1e3 * (_ANSWER_SECONDS + seconds)

    def busy_for(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Wait so much longer for each answer inside, in s: for messages that take their time."""
        if seconds < _NOTHING:
            return contextlib.nullcontext()
        return answering_within(self.adapter.connection, _ANSWER_SECONDS + seconds)

    def write(self, command: str, **kwargs: Any) -> None:  # noqa: ANN401  (PyMeasure's signature)
        """Send a command.

        Raises
        ------
        LostMessageError
            If the connection broke; it is open again, the command was not repeated.
        """
        with self.dialogue.lock:
            try:
                super().write(command, **kwargs)
            except (OSError, VisaIOError, InvalidSession) as error:
                raise self._explained(command, error, is_query=False) from error

    def read(self, **kwargs: Any) -> str:  # noqa: ANN401  (PyMeasure's signature)
        """Read an answer, whole.

        Raises
        ------
        LostAnswerError
            If it ends before its line does.
        """
        answer = super().read(**kwargs)
        if is_cut_short(self.adapter.connection, answer):
            self.dialogue.is_in_step = False
            raise LostAnswerError(self.name, f"the answer '{answer[:40]}' is cut short")
        return answer

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query, once, and return its answer.

        Raises
        ------
        RefusalError
            If no answer came and the instrument's error queue says why.
        LostAnswerError
            If no answer came, or none that can be read.
        """

        def talk() -> str:
            self.adapter.write(command)
            self.wait_for(query_delay)
            return self.read()

        return self.exchange(command, talk)

    def ask_bytes(self, message: bytes) -> str:
        """Send a message that may carry a block, line end included; return its text answer.

        Raises
        ------
        RefusalError, LostAnswerError
            If no answer came; see `ask`.
        """

        def talk() -> str:
            self.write_bytes(message)
            return self.read()

        return self.exchange(message, talk)

    def ask_number(self, command: str) -> float:
        """Send a query, once, and return the number it answers.

        Raises
        ------
        LostAnswerError
            If it answers no number.
        RefusalError
            If no answer came and the instrument's error queue says why.
        """
        answer = self.ask(command)
        try:
            return float(answer)
        except ValueError as error:
            raise self.spoilt(command, answer) from error

    def inquire(self, command: str) -> str:
        """Send a query that only asks, again while its answer is lost; return it."""
        return self.again(lambda: self.ask(command))

    def inquire_number(self, command: str) -> float:
        """Send a query that only asks, again while its answer is lost; see `ask_number`."""
        return self.again(lambda: self.ask_number(command))

    def again(self, step: Callable[[], T]) -> T:
        """Take a step, again while its answer is lost or spoilt: four times in all.

        What may be taken twice: a query; a setting with the query that tells whether it was taken,
        since a setting that is set twice is set once. What never: a message that can pulse.

        Raises
        ------
        LostAnswerError, WireError
            If the answer is lost each time.
        """
        for _ in range(_MOST_ATTEMPTS - 1):
            try:
                return step()
            except LostAnswerError as error:
                log.warning("%s; asked again", error)
            except WireError as error:  # what cannot be read may be the answer to something else
                self.dialogue.is_in_step = False
                log.warning("%s; asked again", error)
        return step()

    def exchange(self, asked: str | bytes, talk: Callable[[], T]) -> T:
        """Hold the instrument while `talk` asks and reads; say why if it fails."""
        with self.dialogue.lock:
            if not self.dialogue.is_in_step:
                self._resynchronise()
            try:
                return talk()
            except (UnicodeDecodeError, OSError, VisaIOError, InvalidSession) as error:
                raise self._explained(asked, error, is_query=True) from error

    def spoilt(self, asked: str, answer: str) -> LostAnswerError:
        """Return the error of an answer that is none to what was asked; the next is looked at."""
        self.dialogue.is_in_step = False
        return LostAnswerError(self.name, f"'{_head(asked)}' answered '{answer.strip()[:40]}'")

    def _explained(self, asked: str | bytes, error: Broken, *, is_query: bool) -> Exception:
        """Return why an exchange failed, with the dialogue in step again where that can be."""
        head = _head(asked)
        if isinstance(error, UnicodeDecodeError):
            self.dialogue.is_in_step = False
            return LostAnswerError(self.name, f"'{head}' answered no text")
        if not isinstance(error, VisaIOError):  # pyvisa-py: of a socket to which there is no way
            return DeadLinkError(self.name, f"'{head}' not sent: {error}")
        if error.error_code == StatusCode.error_connection_lost:
            return self._opened_anew(head)
        return self._reason(head, error) if is_query else error

    def _opened_anew(self, asked: str) -> DialogueError:
        """Return what became of a message at which the connection broke."""
        broke = f"the connection broke at '{asked}'"
        try:
            reopen(self.adapter.connection)
        except (OSError, VisaIOError, InvalidSession) as error:
            return DeadLinkError(self.name, f"{broke}: {error}")
        return LostMessageError(self.name, f"{broke}, and is open again")

    def _reason(self, asked: str, error: VisaIOError) -> Exception:
        """Return why a query was not answered, with the dialogue in step again."""
        log.debug("%s: no answer to %r: %s", self.name, asked, error)
        unanswered = LostAnswerError(self.name, f"no answer to '{asked}': {error}")
        if self.dialogue.is_explaining:  # the error queue is not answered either
            self.dialogue.is_in_step = False
            return unanswered
        self.dialogue.is_explaining = True
        try:
            self._resynchronise()
            errors = self.drain_errors()
        except DeadLinkError:
            return DeadLinkError(self.name, f"no answer to '{asked}', nor to *IDN?")
        except (VisaIOError, DialogueError, WireError):
            return unanswered
        finally:
            self.dialogue.is_explaining = False
        return RefusalError(self.name, errors) if errors else unanswered

    def drain_errors(self) -> list[tuple[int, str]]:
        """Take all that is in the instrument's error queue, oldest first."""
        raise NotImplementedError

    def _resynchronise(self) -> None:
        """Drop what is late: go on only once the instrument answers who it is.

        Raises
        ------
        DeadLinkError
            If it does not.
        """
        self.dialogue.is_in_step = False
        until = time.monotonic() + (0.0 if self.dialogue.is_dead else _REVIVAL_SECONDS)
        for attempt in range(_MOST_ATTEMPTS):
            # A socket has no device clear, and pyvisa-py's spins for ever on one that is closed.
            anew = self.dialogue.is_dead or (attempt > 0 and is_socket(self.adapter.connection))
            with contextlib.suppress(*_UNANSWERED):
                if self._answers_to_its_name(anew=anew):
                    self.dialogue.is_in_step, self.dialogue.is_dead = True, False
                    return
            if time.monotonic() > until:
                break
        self.dialogue.is_dead = True
        raise DeadLinkError(self.name, "*IDN? is not answered")

    def _answers_to_its_name(self, *, anew: bool) -> bool:
        if anew:
            reopen(self.adapter.connection)
        elif not is_socket(self.adapter.connection):
            with contextlib.suppress(VisaIOError):
                self.adapter.connection.clear()
        with answering_within(self.adapter.connection, _NAME_SECONDS):
            super().write("*IDN?")
            return any(self.is_mine(self.read()) for _ in range(_MOST_STALE_ANSWERS))

    def is_mine(self, identity: str) -> bool:
        """Return whether an answer to `*IDN?` is that of a model which is driven here."""
        return any(model in identity.upper() for model in self.models)


def _head(asked: str | bytes) -> str:
    """Return the beginning of what was sent, for a message."""
    text = asked if isinstance(asked, str) else asked.decode("ascii", "replace")
    return text[:40].strip()
