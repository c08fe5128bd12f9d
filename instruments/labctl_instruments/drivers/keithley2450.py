"""Keithley 2450 source-measure unit, in its own SCPI command set (not the 2400's)."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from labctl_instruments.drivers.bench_instrument import ScpiInstrument
from labctl_instruments.errors import DialogueError, ReadBackError

_OVERFLOW = 9.9e37
"""IEEE 488.2 not-a-number and overflow answers are at or above this."""


class Keithley2450(ScpiInstrument):
    """Force a voltage, read a current."""

    models: ClassVar[tuple[str, ...]] = ("MODEL 2450",)

    output: bool = Instrument.control(
        ":OUTP?", ":OUTP %d", """Control whether the output is on (bool).""", cast=bool
    )
    source_voltage: float = Instrument.control(
        ":SOUR:VOLT?", ":SOUR:VOLT %.9g", """Control the forced voltage, in V (float)."""
    )
    source_range: float = Instrument.control(
        ":SOUR:VOLT:RANG?", ":SOUR:VOLT:RANG %.9g", """Control the source range, in V (float)."""
    )
    current_limit: float = Instrument.control(
        ":SOUR:VOLT:ILIM?",
        ":SOUR:VOLT:ILIM %.9g",
        """Control the compliance, in A (float).""",
    )
    limited: bool = Instrument.measurement(
        ":SOUR:VOLT:ILIM:TRIP?", """Get whether the compliance holds now (bool).""", cast=bool
    )
    nplc: float = Instrument.control(
        ":SENS:CURR:NPLC?",
        ":SENS:CURR:NPLC %.9g",
        """Control the integration of a reading, in power-line cycles (float).""",
    )
    averages: int = Instrument.control(
        ":SENS:CURR:AVER:COUN?",
        ":SENS:CURR:AVER:COUN %d",
        """Control how many readings the repeating filter averages, 1 to 100 (int).""",
        cast=int,
    )

    def __init__(self, adapter: Adapter, name: str = "Keithley 2450") -> None:
        super().__init__(adapter, name)

    def prepare(self, *, nplc: float, current_limit: float) -> None:
        """Make a voltage source at 0 V that measures current; output off.

        Parameters
        ----------
        nplc : float
            Integration of a reading, in power-line cycles.
        current_limit : float
            Compliance, in A; set, read back and compared.

        Raises
        ------
        ReadBackError, RefusalError
            If the instrument did not take a setting.
        """
        self.write(":OUTP 0")
        self.write(':SOUR:FUNC VOLT;:SENS:FUNC "CURR";:SOUR:VOLT 0')
        self.write(":SENS:CURR:RANG:AUTO 1;:SENS:CURR:AVER:TCON REP;:SENS:CURR:AVER 1")
        self.averages = 1
        self.nplc = nplc
        self.secure("current_limit", current_limit)
        self.check_errors()

    def force(self, voltage: float) -> None:
        """Force `voltage` V, and see in the same exchange that the instrument took it.

        Raises
        ------
        ReadBackError
            If it reads back another level.
        """
        found = self.ask_number(f":SOUR:VOLT {voltage:.9g};:SOUR:VOLT?")
        if abs(found - voltage) > 1e-6 * max(1.0, abs(voltage)):
            raise ReadBackError(self.name, "source voltage", voltage, found)

    def read_current(self) -> float:
        """Take one reading, in A, with the settings as they are (`:MEAS?` would change them).

        Raises
        ------
        DialogueError
            If the reading is an overflow or no number.
        """
        current = self.ask_number(":READ?")
        if not abs(current) < _OVERFLOW:
            raise DialogueError(self.name, f"':READ?' overflowed ({current:g})")
        return current

    def output_off(self) -> None:
        """Put the output off, then the level to 0 V."""
        self.write(":OUTP 0")
        self.write(":SOUR:VOLT 0")

    def outputs_on(self) -> tuple[str, ...]:
        """Return `("output",)` while the output is on."""
        return ("output",) if self.output else ()
