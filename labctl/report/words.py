"""Numbers as a person reads them."""

from __future__ import annotations

import math

from labctl_procedures.quantities import format_quantity

_UNITS = (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


def percent(share: float) -> str:
    """Return a share (0-1) in per cent, with the digits that tell it from 100 %."""
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    digits = 2 if share > 0.99 else 1
    return f"{100 * share:.{digits}f} %"


def count(number: int) -> str:
    """Return a whole number with its thousands parted."""
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, length in _UNITS:
        if seconds >= 1.5 * length or (length == 1 and seconds >= 0.9995):
            number = f"{seconds / length:.3g}"
            return f"{number} {unit.removesuffix('s')}" if number == "1" else f"{number} {unit}"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} \u00b5s"


def size(n_bytes: int) -> str:
    """Return a file's size in the unit that suits it."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes} bytes"


def quantity(value: float, unit: str) -> str:
    """Return a quantity to three digits, with an engineering prefix: `581 nS`."""
    if value == 0:
        return f"0 {unit}"
    digits = 2 - math.floor(math.log10(abs(value)))
    text = format_quantity(round(value, digits), unit)
    return text.replace(f" u{unit}", f" \u00b5{unit}").replace("-", "\u2212")


def signed(value: float, unit: str) -> str:
    """Return a quantity with its sign always shown."""
    return ("+" if value >= 0 else "") + quantity(value, unit)
