"""The data that a B1500A sends after a measurement: ASCII with status letters, and binary.

Formats and their elements: Agilent B1500A Programming Guide, edition 11, pages 1-25 to 1-53.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl_instruments.virtual.personas.keysight_b1500a_flex import CR_LF

ADC_OVERFLOW, OTHER_LIMITED, LIMITED, INVALID = 1, 4, 8, 64
"""Bits of a status, as format 21 tells them."""
FIRST_STEPS, LAST_STEP = 1, 2
"""Status of source data."""
NO_DATA = 199.999e99
"""What is sent where nothing could be measured."""
TIME_UNIT = 1e-6
"""Of a time in binary data, in s."""

HEADED_12 = (1, 5)
COMPATIBLE_13 = (21, 25)
BARE_12, BARE_13 = (2,), (12, 22)
FOUR_BYTES, EIGHT_BYTES = (3, 4), (13, 14)
FORMATS = (1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 21, 22, 25)
_ENDED_BY_COMMA = (5, 15, 25)
_ENDED_BY_END = (4, 14)
_COUNTS = {"measured": (50_000, 1_000_000), "source": (20_000, 1_000_000)}
"""Counts of a full range, in data of 4 and of 8 bytes."""
_VOLTAGE_CODES = {0.5: 5, 2.0: 11, 5.0: 50, 20.0: 12, 40.0: 13, 100.0: 14}
_FOUR_BYTE_CODES = {0.5: 8, 5.0: 9}
"""Codes of voltage ranges in 4 bytes, whose five bits cannot hold 50 [chosen]."""


@dataclass(frozen=True)
class Datum:
    """One value that a measurement yields."""

    kind: str
    """`I` or `V`, `T` for a time, `X` for a sampling number."""
    slot: int
    """Slot of the module; 0 for none."""
    value: float
    """In A, V or s."""
    status: int = 0
    """Bits; of source data `FIRST_STEPS` or `LAST_STEP`."""
    range: float = 0.0
    """Range of the meter or the source, in A or V."""
    is_source: bool = False
    """Whether it is what was forced, and not what was measured."""
    is_high_resolution: bool = False
    """Whether the high-resolution converter measured it."""


def sent(data: Sequence[Datum], number: int) -> bytes:
    """Return data as format `number` sends them, with their terminator."""
    if number in FOUR_BYTES:
        body = b"".join(_four_bytes(datum) for datum in data if datum.kind in "IV")
    elif number in EIGHT_BYTES:
        body = b"".join(_eight_bytes(datum) for datum in data)
    else:
        body = ",".join(_text(datum, number) for datum in data).encode("ascii")
    if number in _ENDED_BY_END:
        return body
    return body + (b"," if number in _ENDED_BY_COMMA else CR_LF)


def _text(datum: Datum, number: int) -> str:
    digits = 5 if number in (*HEADED_12, *BARE_12) else 6
    value = _written(datum.value, digits)
    if number in (*BARE_12, *BARE_13):
        return value
    letter = chr(ord("A") + datum.slot - 1) if datum.slot else "Z"
    if number not in COMPATIBLE_13:
        return f"{_status_letter(datum)}{letter}{datum.kind}{value}"
    kind = datum.kind.lower() if datum.is_source else datum.kind
    return f"{datum.status:03d}{letter}{kind}{value}"


def _written(value: float, digits: int) -> str:
    """Return a value with its sign and `digits` decimals; three digits where nothing was read."""
    if abs(value) >= NO_DATA:
        return f"{'-' if value < 0 else '+'}199.{'9' * (digits - 2)}E+99"
    return f"{value:+.{digits}E}"


def _status_letter(datum: Datum) -> str:
    if datum.is_source:
        return "E" if datum.status == LAST_STEP else "W"
    for bits, letter in ((INVALID | ADC_OVERFLOW, "V"), (LIMITED, "C"), (OTHER_LIMITED, "T")):
        if datum.status & bits:
            return letter
    return "N"


def _code(datum: Datum, codes: dict[float, int]) -> int:
    """Return the code of a datum's range: 11 is 1 nA, or 2 V."""
    if datum.kind == "V":
        return codes.get(datum.range, 0)
    exponent = f"{datum.range:.0E}".partition("E")[2]
    return 20 + int(exponent) if datum.range else 0


def _count(datum: Datum, place: int, bits: int) -> int:
    """Return the value in counts of its range, in two's complement."""
    if abs(datum.value) >= NO_DATA or not datum.range:
        return 0
    full = _COUNTS["source" if datum.is_source else "measured"][place]
    most = 2 ** (bits - 1) - 1
    count: int = max(-most, min(most, round(datum.value / datum.range * full)))
    return int(count % 2**bits)


def _four_bytes(datum: Datum) -> bytes:
    """Return type, parameter, range, count, status and channel in 32 bits."""
    word = (
        (not datum.is_source) << 31
        | (datum.kind == "I") << 30
        | _code(datum, _VOLTAGE_CODES | _FOUR_BYTE_CODES) << 25
        | _count(datum, 0, 17) << 8
        | _status_code(datum) << 5
        | (datum.slot or 31)
    )
    return word.to_bytes(4, "big")


def _status_code(datum: Datum) -> int:
    """Return the severest status as three bits: 1 overflow, 3 other's, 4 its own compliance."""
    if datum.is_source:
        return datum.status
    return {"N": 0, "V": 1, "T": 3, "C": 4}[_status_letter(datum)]


def _eight_bytes(datum: Datum) -> bytes:
    """Return type, parameter, range, count, status, converter and channel in 64 bits."""
    parameter = {"V": 0, "I": 1, "T": 3, "X": 6}[datum.kind]
    place = datum.is_high_resolution << 5 | (datum.slot or 31)
    if datum.kind == "T":
        head, count = parameter << 56, round(datum.value / TIME_UNIT) % 2**48
        return (head | count << 8 | place).to_bytes(8, "big")
    counted = int(datum.value) if datum.kind == "X" else _count(datum, 1, 32)
    word = (
        (not datum.is_source) << 63
        | parameter << 56
        | _code(datum, _VOLTAGE_CODES) << 48
        | counted << 16
        | datum.status << 8
        | place
    )
    return word.to_bytes(8, "big")
