"""Keithley 2400 source-measure unit (SCPI)."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from labctl_instruments.drivers.voltage_source import VoltageSource


class Keithley2400(VoltageSource):
    """Force a voltage, read a current.

    Readings come by `:READ?` alone: `:MEAS?` would put the current limit back to 105 uA.
    """

    models: ClassVar[tuple[str, ...]] = ("MODEL 2400",)

    current_limit: float = Instrument.control(
        ":SENS:CURR:PROT?",
        ":SENS:CURR:PROT %.9g",
        """Control the compliance, in A (float).""",
    )
    remote_sense: float = Instrument.control(
        ":SYST:RSEN?",
        ":SYST:RSEN %d",
        """Control whether voltages are sensed at the ends of the leads (1 or 0).""",
    )
    limited: bool = Instrument.measurement(
        ":SENS:CURR:PROT:TRIP?", """Get whether the compliance holds now (bool).""", cast=bool
    )
    averages: int = Instrument.control(
        ":SENS:AVER:COUN?",
        ":SENS:AVER:COUN %d",
        """Control how many readings the repeating filter averages, 1 to 100 (int).""",
        cast=int,
    )

    def __init__(self, adapter: Adapter, name: str = "Keithley 2400") -> None:
        super().__init__(adapter, name)

    def _arrange(self) -> None:
        self.write(":SOUR:FUNC VOLT;:SOUR:VOLT:MODE FIX;:SOUR:VOLT:RANG:AUTO 1;:SOUR:VOLT 0")
        self.write(":SOUR:CLE:AUTO 0;:ARM:COUN 1;:TRIG:COUN 1;:ARM:SOUR IMM;:TRIG:SOUR IMM")
        self.write(':SENS:FUNC:OFF:ALL;:SENS:FUNC "CURR";:SENS:CURR:RANG:AUTO 1;:FORM:ELEM CURR')
        self.write(":SENS:AVER:TCON REP;:SENS:AVER 1")
