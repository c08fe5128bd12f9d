"""What Keithley's switching mainframes share, in TSP."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from labctl_instruments.drivers.tsp_instrument import TspInstrument


class KeithleySwitch(TspInstrument):
    """Close and open crosspoints. Call only while everything on the rows is at 0 V."""

    def prepare(self) -> None:
        """Open everything, and break before make from now on."""
        self.execute('channel.open("allslots")')
        self.execute("channel.connectrule = channel.BREAK_BEFORE_MAKE")

    @property
    def closed(self) -> frozenset[str]:
        """Channels that are closed, by the instrument's own word."""
        answer = self.inquire('print(channel.getclose("allslots"))').strip()
        if answer in ("nil", ""):
            return frozenset()
        return frozenset(answer.replace(",", ";").split(";"))

    @property
    def forbidden(self) -> frozenset[str]:
        """Channels that must not close, by the instrument's own word."""
        answer = self.inquire('print(channel.getforbidden("allslots"))').strip()
        return frozenset() if answer in ("nil", "") else frozenset(answer.split(","))

    @property
    def is_interlocked(self) -> bool:
        """Whether the interlock is engaged: without it no relay closes."""
        return self.inquire_number("print(slot[1].interlock.state)") > 0

    def forbid(self, channels: Iterable[str]) -> None:
        """Let the instrument itself refuse to close `channels`, which are open.

        Raises
        ------
        RefusalError
            If the instrument refused.
        """
        self.execute(f'channel.setforbidden("{",".join(sorted(channels))}")')

    def closures(self, channels: Iterable[str]) -> dict[str, int]:
        """Return how often the relays of `channels` have closed in their life."""
        ordered = sorted(channels)
        if not ordered:
            return {}
        counts = [
            int(self.inquire_number(f'print(channel.getcount("{channel}"))')) for channel in ordered
        ]
        return dict(zip(ordered, counts, strict=True))

    def close_only(self, channels: Iterable[str]) -> None:
        """Close `channels` and open all others.

        Raises
        ------
        RefusalError
            If the instrument refused.
        """
        wanted = ",".join(sorted(channels))
        self.execute(
            f'channel.exclusiveclose("{wanted}")' if wanted else 'channel.open("allslots")'
        )

    def exchange_channels(self, opened: Iterable[str], closed: Iterable[str]) -> None:
        """Open some channels, then close others, in one message; the rest stay as they are."""
        self.execute(_exchange(tuple(opened), tuple(closed)))

    def output_off(self) -> None:
        """Open every crosspoint."""
        self.write('channel.open("allslots")')

    def outputs_on(self) -> tuple[str, ...]:
        """Return the channels that are closed."""
        return tuple(sorted(self.closed))


@functools.lru_cache(maxsize=256)
def _exchange(opened: tuple[str, ...], closed: tuple[str, ...]) -> str:
    """Return the command that opens some channels, then closes others."""
    lists = (("open", sorted(opened)), ("close", sorted(closed)))
    return " ".join(f'channel.{verb}("{",".join(names)}")' for verb, names in lists if names)
