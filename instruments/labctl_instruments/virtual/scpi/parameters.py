"""Parameters of commands: numbers with units, booleans, choices, strings, blocks."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from labctl_instruments.virtual.scpi.message import Token
from labctl_instruments.virtual.scpi.status import ScpiError


class Extreme(Enum):
    """What stands for a number."""

    MINIMUM = "MINimum"
    MAXIMUM = "MAXimum"
    DEFAULT = "DEFault"


class Parameter(Protocol):
    """One parameter of a command."""

    @property
    def default(self) -> object:
        """What a setting is after `*RST`."""
        ...

    @property
    def is_optional(self) -> bool:
        """Whether it may be left out."""
        ...

    def parse(self, token: Token) -> object:
        """Return the value of what was sent; ScpiError if there is none."""
        ...

    def format(self, value: object) -> str:
        """Return a value as a query answers it."""
        ...


MULTIPLIERS: Mapping[str, float] = {
    "EX": 1e18,
    "PE": 1e15,
    "T": 1e12,
    "G": 1e9,
    "MA": 1e6,
    "K": 1e3,
    "": 1.0,
    "M": 1e-3,
    "U": 1e-6,
    "N": 1e-9,
    "P": 1e-12,
    "F": 1e-15,
    "A": 1e-18,
}
"""IEEE 488.2, table 7-2. `M` is milli, but mega before OHM and HZ (7.7.3.3)."""
INFINITY = 9.9e37
"""What SCPI answers for infinity."""
NOT_A_NUMBER = 9.91e37
"""What SCPI answers for not-a-number."""

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?: *[Ee] *[+-]?\d+)?) *([A-Za-z%]*)")
_NON_DECIMAL = re.compile(r"#(?=[Hh][0-9A-Fa-f]|[Qq][0-7]+$|[Bb][01]+$)[HhQqBb]([0-9A-Fa-f]+)")
_SPECIAL_NUMBERS = {"INF": INFINITY, "INFINITY": INFINITY, "NINF": -INFINITY, "NAN": NOT_A_NUMBER}


@dataclass(frozen=True)
class Number:
    """A real number with an optional unit."""

    unit: str = ""
    """Unit that may follow, e.g. `V`; its SI multiples too."""
    minimum: float = -INFINITY
    """Lowest value taken, and what MIN stands for."""
    maximum: float = INFINITY
    """Highest value taken, and what MAX stands for."""
    default: float = 0.0
    """Value after `*RST`, and what DEF stands for."""
    is_optional: bool = False
    style: str = "%.9G"
    """How a query answers it."""

    def parse(self, token: Token) -> float:
        """Return the number in SI units; MIN, MAX and DEF are resolved."""
        if isinstance(token, memoryview) or token[:1] in "\"'(":
            raise ScpiError(-104, "expected a number")
        value = self._read(token)
        if not self.minimum <= value <= self.maximum:
            raise ScpiError(-222, f"{token} is not in {self.minimum:g}..{self.maximum:g}")
        return value

    def extreme(self, which: Extreme) -> float:
        """Return what MIN, MAX or DEF stands for."""
        return {
            Extreme.MINIMUM: self.minimum,
            Extreme.MAXIMUM: self.maximum,
            Extreme.DEFAULT: self.default,
        }[which]

    def format(self, value: object) -> str:
        """Return the number in scientific notation where needed."""
        return self.style % value

    def _read(self, token: str) -> float:
        try:
            value = float(token)
        except ValueError:
            return self._read_written(token)
        if not math.isfinite(value):  # Python's own words for them, or an exponent beyond it
            return self._read_written(token)
        if "_" in token:
            raise ScpiError(-121, f"found '{token[:40]}'")
        return value

    def _read_written(self, token: str) -> float:
        match = _NUMBER.fullmatch(token)
        if match is not None:
            value = float(match[1].replace(" ", "")) * self._scale(match[2].upper())
            if math.isinf(value):
                raise ScpiError(-123, f"found '{token[:40]}'")
            return value
        if (match := _NON_DECIMAL.fullmatch(token)) is not None:
            base = {"H": 16, "Q": 8, "B": 2}[token[1].upper()]
            return float(int(match[1][:64], base))
        return self._read_word(token.upper())

    def _read_word(self, word: str) -> float:
        if word in _SPECIAL_NUMBERS:
            return _SPECIAL_NUMBERS[word]
        for which in Extreme:
            if word in (which.value[:3], which.value.upper()):
                return self.extreme(which)
        number = -121 if word[:1] in "+-.0123456789" and word else -104 if word else -109
        raise ScpiError(number, f"expected a number, found '{word[:40]}'")

    def _scale(self, suffix: str) -> float:
        if not suffix or suffix == self.unit.upper():
            return 1.0
        if not self.unit:
            raise ScpiError(-138, f"found '{suffix[:12]}'")
        multiplier = suffix.removesuffix(self.unit.upper())
        if multiplier == suffix or multiplier not in MULTIPLIERS:
            raise ScpiError(-131, f"expected {self.unit}, found '{suffix[:12]}'")
        if multiplier == "M" and self.unit.upper() in ("OHM", "HZ"):
            return 1e6
        return MULTIPLIERS[multiplier]


@dataclass(frozen=True)
class Integer:
    """A whole number; a fraction is rounded, as IEEE 488.2 asks."""

    minimum: int = -(2**31)
    """Lowest value taken."""
    maximum: int = 2**31 - 1
    """Highest value taken."""
    default: int = 0
    """Value after `*RST`."""
    is_optional: bool = False

    def parse(self, token: Token) -> int:
        """Return the number."""
        return round(Number("", self.minimum, self.maximum, self.default).parse(token))

    def extreme(self, which: Extreme) -> int:
        """Return what MIN, MAX or DEF stands for."""
        return int(Number("", self.minimum, self.maximum, self.default).extreme(which))

    def format(self, value: object) -> str:
        """Return the digits."""
        return str(value)


@dataclass(frozen=True)
class Boolean:
    """ON, OFF, or a number that rounds to 0 or not."""

    default: bool = False
    """Value after `*RST`."""
    is_optional: bool = False

    def parse(self, token: Token) -> bool:
        """Return the truth."""
        if isinstance(token, str) and token.upper() in ("ON", "OFF"):
            return token.upper() == "ON"
        return round(Number().parse(token)) != 0

    def format(self, value: object) -> str:
        """Return 1 or 0."""
        return "1" if value else "0"


@dataclass(frozen=True)
class Choice:
    """One of several words, each in a short and a long form, bare or quoted."""

    words: tuple[str, ...]
    """As manuals write them, `VOLTage`."""
    default: str = ""
    """Short form after `*RST`."""
    is_optional: bool = False
    is_quoted: bool = False
    """Whether a query answers it in double quotes."""

    def parse(self, token: Token) -> str:
        """Return the short form, or the long one where the word has no lower case."""
        if isinstance(token, memoryview):
            raise ScpiError(-104, "expected a word, found a block")
        word = token.strip("\"'").upper()
        short = _forms(self.words).get(word)
        if short is not None:
            return short
        number = -224 if word[:1].isalpha() else -104 if word else -109
        raise ScpiError(number, f"expected {'|'.join(self.words)}, found '{word[:20]}'")

    def format(self, value: object) -> str:
        """Return the short form."""
        return f'"{value}"' if self.is_quoted else str(value)


@functools.cache
def _forms(words: tuple[str, ...]) -> dict[str, str]:
    """Return the short form of each spelling of `words`."""
    forms = {}
    for word in words:
        short = re.sub("[a-z]", "", word)
        forms[short] = forms[word.upper()] = short
    return forms


@dataclass(frozen=True)
class Text:
    """A string in either kind of quotes; a doubled quote inside stands for one."""

    default: str = ""
    """Value after `*RST`."""
    is_optional: bool = False
    is_bare_allowed: bool = False
    """Whether characters without quotes are taken too."""

    def parse(self, token: Token) -> str:
        """Return the characters."""
        if isinstance(token, memoryview):
            raise ScpiError(-104, "expected a string, found a block")
        quote = token[:1]
        if quote in ("'", '"') and len(token) > 1 and token.endswith(quote):
            return token[1:-1].replace(quote * 2, quote)
        if self.is_bare_allowed:
            return token
        raise ScpiError(-104 if token else -109, f"expected a string, found '{token[:40]}'")

    def format(self, value: object) -> str:
        """Return the string in double quotes."""
        doubled = str(value).replace('"', '""')
        return f'"{doubled}"'


@dataclass(frozen=True)
class Block:
    """An IEEE 488.2 block."""

    record: int = 1
    """Bytes of one record; the length must divide by it."""
    maximum: int = 64 * 2**20
    """Most bytes taken."""
    default: bytes = b""
    is_optional: bool = False

    def parse(self, token: Token) -> memoryview:
        """Return the payload."""
        if not isinstance(token, memoryview):
            raise ScpiError(-104 if token else -109, f"expected a block, found '{token[:40]}'")
        if len(token) > self.maximum:
            raise ScpiError(-223, f"{len(token)} bytes, at most {self.maximum}")
        if len(token) % self.record:
            raise ScpiError(-161, f"{len(token)} bytes are not records of {self.record}")
        return token

    def format(self, value: object) -> str:
        """Refuse: a block is no text."""
        raise TypeError("a block is no text")
