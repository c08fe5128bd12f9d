"""Times of day in which no job is begun."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from labctl.queue.times import parse_clock


def seconds_of_quiet(hours: Sequence[str], now: datetime) -> float:
    """Return how long it stays quiet from `now`, in s; 0.0 where it is not quiet.

    Parameters
    ----------
    hours : sequence of str
        Spans like `22:00-06:00`; one that ends before it begins goes over midnight.
    now : datetime
        Local time.
    """
    end = now
    while (later := max((_end_of(span, end) for span in hours), default=end)) > end:
        end = later  # spans may follow on each other
        if end - now > timedelta(days=2):
            break
    return (end - now).total_seconds()


def _end_of(span: str, now: datetime) -> datetime:
    """Return when a span ends that holds at `now`; `now` where it does not."""
    first, _, last = span.partition("-")
    for day in (now - timedelta(days=1), now):
        begin = datetime.combine(day.date(), parse_clock(first), now.tzinfo)
        end = datetime.combine(day.date(), parse_clock(last), now.tzinfo)
        if end <= begin:
            end += timedelta(days=1)
        if begin <= now < end:
            return end
    return now
