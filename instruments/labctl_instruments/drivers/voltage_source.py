"""What source-measure units that speak SCPI share: force a voltage, read a current."""

from __future__ import annotations

from pymeasure.instruments import Instrument

from labctl_instruments.drivers.bench_instrument import ScpiInstrument
from labctl_instruments.drivers.source_meter import SourceMeterDriver


class VoltageSource(SourceMeterDriver, ScpiInstrument):
    """A SCPI source-measure unit that forces a voltage and reads a current."""

    current_limit: float
    """Compliance, in A."""
    limited: bool
    """Whether the compliance holds now."""

    output: bool = Instrument.control(
        ":OUTP?", ":OUTP %d", """Control whether the output is on (bool).""", cast=bool
    )
    source_voltage: float = Instrument.control(
        ":SOUR:VOLT?", ":SOUR:VOLT %.9g", """Control the forced voltage, in V (float)."""
    )
    source_range: float = Instrument.control(
        ":SOUR:VOLT:RANG?", ":SOUR:VOLT:RANG %.9g", """Control the source range, in V (float)."""
    )
    nplc: float = Instrument.control(
        ":SENS:CURR:NPLC?",
        ":SENS:CURR:NPLC %.9g",
        """Control the integration of a reading, in power-line cycles (float).""",
    )

    def read_current(self) -> float:
        """Take one reading, in A, with the settings as they are (`:MEAS?` would change them).

        Raises
        ------
        DialogueError
            If the reading is an overflow or no number.
        """
        return self._checked_reading(":READ?", self.inquire_number(":READ?"))

    def output_off(self) -> None:
        """Put the output off, then the level to 0 V."""
        self.write(":OUTP 0")
        self.write(":SOUR:VOLT 0")

    def _force(self, voltage: float) -> float:
        return self.ask_number(f":SOUR:VOLT {voltage:.9g};:SOUR:VOLT?")
