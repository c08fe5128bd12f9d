"""Keysight 81160A pulse generator: pulses that an SMU is too slow to make."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter

from labctl_instruments.drivers.bench_instrument import ScpiInstrument, parse_error
from labctl_instruments.errors import (
    ReadBackError,
    RefusalError,
)

_HIGH_IMPEDANCE = 1e6
_SHORTEST = 1e-8
"""A width that fits every period: a period shorter than the width of the moment is refused."""
_CHANNELS = (1, 2)
MOST_PULSES = 1_000_000
"""Most pulses of one burst."""


class Keysight81160A(ScpiInstrument):
    """Make bursts of equal pulses from 0 V, one burst a trigger."""

    models: ClassVar[tuple[str, ...]] = ("81160A",)

    def __init__(self, adapter: Adapter, name: str = "Keysight 81160A") -> None:
        super().__init__(adapter, name)
        self._burst_seconds = 0.0

    def prepare(self, channel: int, *, voltage_limit: float) -> None:
        """Make a channel that waits for triggers at 0 V, into high impedance; output off.

        Parameters
        ----------
        channel : int
            1 or 2.
        voltage_limit : float
            Highest level, in V; the instrument refuses more. Set, read back and compared. Below 0
            the channel pulses from 0 V down, as far as that.

        Raises
        ------
        ReadBackError, RefusalError
            If the instrument did not take a setting.
        """
        self.again(lambda: self._prepare(channel, voltage_limit))

    def shape(self, channel: int, *, high: float, width: float, period: float, count: int) -> None:
        """Shape the next burst: `count` pulses of `high` V and `width` s, `period` s apart.

        Raises
        ------
        RefusalError
            If the instrument refused one of them; nothing must be triggered then.
        """
        shaping = (
            f":PULS:WIDT{channel} {_SHORTEST:.9g};:PULS:PER{channel} {period:.9g};"
            f":PULS:WIDT{channel} {width:.9g};"
            f":VOLT{channel}:{'HIGH' if high > 0 else 'LOW'} {high:.9g};"
            f":BURS{channel}:NCYC {count:d};:SYST:ERR?"
        )
        error = self.again(lambda: parse_error(self.ask(shaping)))
        if error[0] != 0:
            raise RefusalError(self.name, [error, *self.drain_errors()])
        self._burst_seconds = count * period

    def set_output(self, channel: int, *, on: bool) -> None:
        """Connect or isolate a channel."""
        self.write(f":OUTP{channel} {on:d}")

    def trigger(self, channel: int) -> None:
        """Make the shaped burst, once; return when it is over. See `once`.

        Raises
        ------
        UncertainPulseError
            If the connection broke: perhaps it never took it.
        RefusalError
            If the instrument refused.
        """
        self._start(f":TRIG{channel}")

    def trigger_all(self) -> None:
        """Make the bursts of both channels at the same time, once; see `trigger`."""
        self._start("*TRG")

    def _start(self, message: str) -> None:
        with self.busy_for(self._burst_seconds):
            self.once(
                lambda: self.ask_number(f"{message};*OPC?"), lambda: self.inquire_number("*OPC?")
            )

    def output_off(self) -> None:
        """Isolate both channels."""
        for channel in _CHANNELS:
            self.write(f":OUTP{channel} 0")

    def outputs_on(self) -> tuple[str, ...]:
        """Return the channels whose output is on, as `output 1`."""
        return tuple(
            f"output {channel}"
            for channel in _CHANNELS
            if self.inquire_number(f":OUTP{channel}?") != 0
        )

    def _prepare(self, channel: int, voltage_limit: float) -> None:
        self.write(f":OUTP{channel} 0")
        self.write(f":OUTP{channel}:LOAD {_HIGH_IMPEDANCE:.9g}")
        self.write(f":FUNC{channel} PULS;:ARM:SOUR{channel} MAN")
        self.write(f":BURS{channel}:STAT 1;:BURS{channel}:NCYC 1")
        above, rest = ("HIGH", "LOW") if voltage_limit > 0 else ("LOW", "HIGH")
        self.write(f":OUTP{channel}:POL {'NORM' if voltage_limit > 0 else 'INV'}")
        self.write(f":VOLT{channel}:{rest} 0")
        self.write(f":VOLT{channel}:LIM:{rest} 0;:VOLT{channel}:LIM:{above} {voltage_limit:.9g}")
        self.write(f":VOLT{channel}:LIM:STAT 1")
        found = self.ask_number(f":VOLT{channel}:LIM:{above}?")
        if abs(found - voltage_limit) > 1e-6:
            raise ReadBackError(self.name, f"VOLT{channel}:LIM:{above}", voltage_limit, found)
        self.check_errors()
