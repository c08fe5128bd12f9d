"""Keithley 707B switching mainframe, in TSP; channels are slot, row, column: `3A07`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from pymeasure.adapters import Adapter

from labctl_instruments.drivers.bench_instrument import BenchInstrument
from labctl_instruments.errors import WireError


class Keithley707B(BenchInstrument):
    """Close and open crosspoints. Call only while everything on the rows is at 0 V."""

    models: ClassVar[tuple[str, ...]] = ("MODEL 707B",)

    def __init__(self, adapter: Adapter, name: str = "Keithley 707B") -> None:
        super().__init__(adapter, name)

    def prepare(self) -> None:
        """Open everything, and break before make from now on."""
        self._execute('channel.open("allslots")')
        self._execute("channel.connectrule = channel.BREAK_BEFORE_MAKE")

    @property
    def closed(self) -> frozenset[str]:
        """Channels that are closed, by the instrument's own word."""
        answer = self.ask('print(channel.getclose("allslots"))').strip()
        if answer in ("nil", ""):
            return frozenset()
        return frozenset(answer.replace(",", ";").split(";"))

    def close_only(self, channels: Iterable[str]) -> None:
        """Close `channels` and open all others.

        Raises
        ------
        RefusalError
            If the instrument refused.
        """
        wanted = ",".join(sorted(channels))
        self._execute(
            f'channel.exclusiveclose("{wanted}")' if wanted else 'channel.open("allslots")'
        )

    def exchange_channels(self, opened: Iterable[str], closed: Iterable[str]) -> None:
        """Open some channels, then close others, in one message; the rest stay as they are."""
        commands = []
        for verb, channels in (("open", sorted(opened)), ("close", sorted(closed))):
            if channels:
                commands.append(f'channel.{verb}("{",".join(channels)}")')
        self._execute(" ".join(commands))

    def output_off(self) -> None:
        """Open every crosspoint."""
        self.write('channel.open("allslots")')

    def outputs_on(self) -> tuple[str, ...]:
        """Return the channels that are closed."""
        return tuple(sorted(self.closed))

    def check_errors(self) -> list[Any]:
        """Empty the error queue and raise what was in it; see `BenchInstrument`."""
        return super().check_errors()

    def _execute(self, command: str) -> None:
        """Send a command and, in the same message, ask how many errors wait."""
        if self.ask_number(f"{command} print(errorqueue.count)"):
            self.check_errors()

    def _next_error(self) -> tuple[int, str]:
        answer = self.ask("print(errorqueue.next())").strip()
        number, _, rest = answer.partition("\t")
        try:
            return int(float(number)), rest.partition("\t")[0]
        except ValueError as error:
            raise WireError(f"'{answer[:40]}' is no entry of an error queue") from error
