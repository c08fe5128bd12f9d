"""Wall times as people type them."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from labctl.queue.errors import QueueError
from labctl_procedures.errors import QuantityError
from labctl_procedures.quantities import parse_quantity

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def parse_start(text: str, now: datetime) -> datetime:
    """Return the wall time that a person means.

    Parameters
    ----------
    text : str
        `23:30` (the next time the clock shows it), `+2h` (from now), or a date and time as in
        ISO 8601 (`2026-11-22T03:00`, local where it names no zone).
    now : datetime
        The time now, with its zone.

    Raises
    ------
    QueueError
        If it is none of these.
    """
    text = text.strip()
    try:
        if text.startswith("+"):
            return now + timedelta(seconds=parse_quantity(text[1:], "s"))
        if _CLOCK.fullmatch(text):
            return _next(parse_clock(text), now)
        found = datetime.fromisoformat(text)
    except (QuantityError, ValueError) as error:
        raise QueueError(
            f"start at '{text}': expected 23:30, +2h, or a date and time like 2026-11-22T03:00"
        ) from error
    return found if found.tzinfo is not None else found.astimezone()


def parse_clock(text: str) -> time:
    """Return the time of day that `text` shows; ValueError if it is none."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is no time of day like 23:30")
    hour, minute, second = (int(part or 0) for part in found.groups())
    return time(hour, minute, second)


def _next(clock: time, now: datetime) -> datetime:
    # Naive, then placed: the day after a change to summer time is no 24 h away.
    local = now.astimezone().replace(tzinfo=None)
    at = datetime.combine(local.date(), clock)
    if at <= local:
        at += timedelta(days=1)
    return at.astimezone()
