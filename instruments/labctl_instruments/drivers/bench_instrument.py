"""What every driver of the bench shares: checked limits, errors that raise, rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt
from pymeasure.instruments import SCPIMixin

from labctl_instruments.drivers.connections import read_block
from labctl_instruments.drivers.exchanging import ExchangingInstrument, log
from labctl_instruments.errors import (
    BlockError,
    DialogueError,
    LostAnswerError,
    LostMessageError,
    ReadBackError,
    RefusalError,
    UncertainPulseError,
    WireError,
)
from labctl_instruments.wire.blocks import decode_array

_MOST_ERRORS = 64
_LOST_ERROR = (0, "an error, the answer that told which is lost")

T = TypeVar("T")


class BenchInstrument(ExchangingInstrument):
    """An instrument of the bench; see `ExchangingInstrument` for how it is talked to."""

    roles: ClassVar[tuple[str, ...]] = ()
    """Roles that it can fill on a bench; asked of other packages' drivers only."""

    def values(
        self,
        command: str,
        separator: str = ",",
        cast: Callable[[str], Any] = float,
        preprocess_reply: Callable[[str], str] | None = None,
        maxsplit: int = -1,
        **kwargs: Any,  # noqa: ANN401  (PyMeasure's signature)
    ) -> list[Any]:
        """Ask for values, and once more while the answer is lost or spoilt; see PyMeasure.

        Raises
        ------
        LostAnswerError
            If what is answered is not what `cast` makes, each time.
        """

        def ask() -> list[Any]:
            found = super(BenchInstrument, self).values(
                command, separator, cast, preprocess_reply, maxsplit, **kwargs
            )
            if cast is not str and any(isinstance(each, str) for each in found):
                raise self.spoilt(command, separator.join(found))
            return found

        return self.again(ask)

    def query_array(
        self, message: bytes, dtype: npt.DTypeLike, *, expected: int = 0
    ) -> npt.NDArray[Any]:
        """Send a message, once, line end included; return the records in the block it answers.

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
        RefusalError, LostAnswerError
            If no answer came, or none that is a whole block of such records; see `ask`.
        """

        def talk() -> bytes:
            self.write_bytes(message)
            return read_block(self.adapter, expected * np.dtype(dtype).itemsize)

        answer = self.exchange(message, talk)
        try:
            return decode_array(answer, dtype)
        except BlockError as error:
            asked = message[:12].decode("ascii", "replace")
            raise self.spoilt(asked, answer[:40].decode("ascii", "replace")) from error

    def settle(
        self, set_and_ask: Callable[[], T], ask: Callable[[], T], took: Callable[[T], bool]
    ) -> T:
        """Set something, and return what it reads back as.

        If the answer is lost, only what asks is sent again; the setting is sent a second time only
        where that shows that it was not taken. So a level that acts on a cell acts once.
        """
        try:
            return set_and_ask()
        except LostAnswerError as error:
            log.warning("%s; read back", error)
        found = ask()
        return found if took(found) else set_and_ask()

    def once(self, start: Callable[[], T], look: Callable[[], T]) -> T:
        """Start pulses, once; if the answer is lost, only look what became of them.

        The instrument took the whole message, and does in order what it takes: when it answers to
        `look`, it has done it.

        Raises
        ------
        UncertainPulseError
            If the connection broke: perhaps it never took it.
        """
        try:
            return start()
        except LostMessageError as error:
            raise UncertainPulseError(self.name, f"perhaps no pulse was given: {error}") from error
        except LostAnswerError as error:
            log.warning("%s; what pulses is not repeated", error)
            return look()

    def secure(self, setting: str, value: float) -> None:
        """Set a property that guards the chip, read it back and compare.

        Raises
        ------
        ReadBackError
            If it reads back otherwise.
        """

        def step() -> float:
            setattr(self, setting, value)
            return float(getattr(self, setting))

        found = self.again(step)
        if not math.isclose(found, value, rel_tol=1e-6, abs_tol=1e-12):
            raise ReadBackError(self.name, setting, value, found)

    def check_identity(self) -> str:
        """Return the answer to `*IDN?`; refuse an instrument of another model.

        Raises
        ------
        DialogueError
            If another model answers.
        """
        identity = self.inquire("*IDN?").strip()
        fields = identity.split(",")
        model = fields[1].strip() if len(fields) > 1 else identity
        if not self.is_mine(model):
            expected = " or ".join(self.models)
            raise DialogueError(self.name, f"expected a {expected}, '{identity}' answered")
        return identity

    def check_errors(self) -> list[Any]:
        """Empty the error queue; return [] if it was empty.

        Raises
        ------
        RefusalError
            With the errors, oldest first.
        LostAnswerError
            If an answer is lost, and with it perhaps an error: what was set is to be set again.
        """
        errors = self.drain_errors()
        if errors:
            raise RefusalError(self.name, errors)
        return []

    def refuse(self) -> NoReturn:
        """Raise the RefusalError of what is known to wait in the error queue."""
        try:
            self.check_errors()
        except (LostAnswerError, WireError) as error:
            raise RefusalError(self.name, [_LOST_ERROR]) from error
        raise RefusalError(self.name, [_LOST_ERROR])

    def drain_errors(self) -> list[tuple[int, str]]:
        """Take all that is in the instrument's error queue, oldest first."""
        errors: list[tuple[int, str]] = []
        with self.dialogue.lock:
            while len(errors) < _MOST_ERRORS:
                try:
                    number, text = self._next_error()
                except WireError:  # what cannot be read may be the answer to something else
                    self.dialogue.is_in_step = False
                    raise
                if number == 0:
                    break
                errors.append((number, text))
        return errors

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
