"""What the bench's source-measure units share: force a voltage, read a current, go off first."""

from __future__ import annotations

from pymeasure.instruments import Instrument

from labctl_instruments.drivers.bench_instrument import ScpiInstrument
from labctl_instruments.errors import DialogueError, ReadBackError

_OVERFLOW = 9.9e37
"""IEEE 488.2 not-a-number and overflow answers are at or above this."""


class VoltageSource(ScpiInstrument):
    """A SCPI source-measure unit that forces a voltage and reads a current."""

    current_limit: float
    """Compliance, in A."""
    limited: bool
    """Whether the compliance holds now."""
    averages: int
    """How many readings the repeating filter averages, 1 to 100."""

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

    def prepare(self, *, nplc: float, current_limit: float) -> None:
        """Make a voltage source at 0 V that measures current; output off."""
        raise NotImplementedError

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
