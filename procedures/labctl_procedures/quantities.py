"""Quantities as people write them: `58nA`, `0.2 V`, `10min`."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from labctl_procedures.errors import QuantityError

PREFIXES = {
    "T": 1e12,
    "G": 1e9,
    "M": 1e6,
    "k": 1e3,
    "": 1.0,
    "m": 1e-3,
    "u": 1e-6,
    "µ": 1e-6,
    "μ": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
}
"""Factors of the prefixes read; both signs that look like a mu are micro."""

DURATIONS = {"min": 60.0, "h": 3600.0, "d": 86400.0}
"""Units of time beyond the second, in s."""

_QUANTITY = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf)", re.IGNORECASE)
_WRITTEN = {12: "T", 9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "u", -9: "n", -12: "p", -15: "f"}


def parse_quantity(text: str, unit: str) -> float:
    """Read a quantity and return it in SI.

    Parameters
    ----------
    text : str
        A number, alone (then in SI) or with a prefix and the unit: `58nA`, `5.8e-8`, `0.2 V`.
        Times may also end in `min`, `h` or `d`.
    unit : str
        The SI unit asked for; empty for a plain number.

    Returns
    -------
    float
        The value, in `unit`.

    Raises
    ------
    QuantityError
        If the text is no number, or is in another unit.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None and _NOT_FINITE.match(text.strip()):
        raise QuantityError(f"'{text}' is not a finite number")
    if match is None:
        raise QuantityError(f"'{text}' is not a {'quantity in ' + unit if unit else 'number'}")
    number, suffix = match.groups()
    factor = _factor(suffix.strip(), unit, text)
    if not math.isfinite(float(number) * factor):
        raise QuantityError(f"'{text}' is not a finite number")
    # In decimal: 100 uA is 1e-4 A exactly, which 100 * 1e-6 in binary is not.
    return float(Decimal(number) * Decimal(str(factor)))


def format_quantity(value: float, unit: str, *, digits: int = 6) -> str:
    """Write a quantity with the prefix a person would use: `58 nA`, `10 min`.

    Parameters
    ----------
    value : float
        In `unit`.
    unit : str
        An SI unit; empty writes a plain number.
    digits : int
        Significant digits at most.
    """
    if not unit:
        return f"{value:.{digits}g}"
    if unit == "s" and abs(value) >= DURATIONS["min"]:
        return _format_duration(value, digits)
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    rounded = float(f"{value:.{digits}g}")
    exponent = 3 * math.floor(math.log10(abs(rounded)) / 3 + 1e-12)
    exponent = min(max(exponent, -15), 12)
    return f"{rounded / 10.0**exponent:.{digits}g} {_WRITTEN[exponent]}{unit}"


def _factor(suffix: str, unit: str, text: str) -> float:
    if suffix in ("", unit):
        return 1.0
    if unit == "s" and suffix in DURATIONS:
        return DURATIONS[suffix]
    prefix = suffix.removesuffix(unit)
    if not unit or prefix == suffix or prefix not in PREFIXES:
        asked = f"in {unit}" if unit else "a plain number"
        raise QuantityError(f"'{text}' is not {asked}: found '{suffix}' after the number")
    return PREFIXES[prefix]


def _format_duration(seconds: float, digits: int) -> str:
    """Write a time of a minute or more in the largest unit that keeps it short."""
    for name in ("d", "h", "min"):
        text = f"{seconds / DURATIONS[name]:.{digits}g}"
        if abs(seconds) >= DURATIONS[name] and float(text) * DURATIONS[name] == seconds:
            return f"{text} {name}"
    return f"{seconds:.{digits}g} s"
