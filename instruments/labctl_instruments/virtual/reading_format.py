"""How a SCPI source-meter writes its readings: as text, or as IEEE 754 numbers after `#0`."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from labctl_instruments.virtual.scpi import Choice, CommandTable, Integer

Values = Sequence[float | str]
_LETTERS = {4: "f", 8: "d"}


class ReadingFormat:
    """The settings `:FORMat`, and what they make of readings.

    Texts among the values (dates, units) are told as text whatever is set. A binary answer is not
    counted: it ends with the message.

    Parameters
    ----------
    table : CommandTable
        Where the commands go.
    widths : mapping of str to int
        Bytes of a number in each binary form, by its word: `REAL`, `SREal`.
    is_swapped : bool
        Whether numbers begin with their least byte after `*RST`.
    """

    def __init__(self, table: CommandTable, widths: Mapping[str, int], *, is_swapped: bool) -> None:
        self._widths = {_short(word): width for word, width in widths.items()}
        self._default = is_swapped
        self.reset()
        bits = Integer(32, 64, is_optional=True)
        header = ":FORMat[:DATA]"
        table.command(header, lambda word, *_: self._put(word), Choice(("ASCii", *widths)), bits)
        table.query(header, lambda: self._form)
        table.setting(
            ":FORMat:BORDer",
            Choice(("NORMal", "SWAPped")),
            lambda: "SWAP" if self._is_swapped else "NORM",
            self._put_order,
        )

    def with_precision(self, table: CommandTable) -> ReadingFormat:
        """Register how many digits a text has, and return itself."""
        table.setting(
            ":FORMat:ASCii:PRECision",
            Integer(0, 16),
            lambda: self._digits,
            lambda digits: setattr(self, "_digits", digits),
        )
        return self

    def reset(self) -> None:
        """Tell readings as text."""
        self._form = "ASC"
        self._is_swapped = self._default
        self._digits = 0

    def tell(self, values: Values) -> Values | str:
        """Return readings as a query answers them."""
        numbers = [value for value in values if not isinstance(value, str)]
        if self._form == "ASC" or len(numbers) < len(values):
            return [self._text(value) for value in values] if self._digits else values
        order = "<" if self._is_swapped else ">"
        letter = _LETTERS[self._widths[self._form]]
        return "#0" + struct.pack(f"{order}{len(numbers)}{letter}", *numbers).decode("latin-1")

    def _text(self, value: float | str) -> str:
        return value if isinstance(value, str) else f"{value:.{self._digits - 1}E}"

    def _put(self, word: str) -> None:
        self._form = word

    def _put_order(self, word: str) -> None:
        self._is_swapped = word == "SWAP"


def _short(word: str) -> str:
    """Return the short form of a word, as `Choice` tells it."""
    return "".join(letter for letter in word if not letter.islower())
