"""Keithley 2450 source-measure unit, in its own SCPI command set (not the 2400's)."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from labctl_instruments.drivers.voltage_source import VoltageSource


class Keithley2450(VoltageSource):
    """Force a voltage, read a current."""

    models: ClassVar[tuple[str, ...]] = ("MODEL 2450",)

    current_limit: float = Instrument.control(
        ":SOUR:VOLT:ILIM?",
        ":SOUR:VOLT:ILIM %.9g",
        """Control the compliance, in A (float).""",
    )
    remote_sense: float = Instrument.control(
        ":SENS:CURR:RSEN?",
        ":SENS:CURR:RSEN %d",
        """Control whether voltages are sensed at the ends of the leads (1 or 0).""",
    )
    limited: bool = Instrument.measurement(
        ":SOUR:VOLT:ILIM:TRIP?", """Get whether the compliance holds now (bool).""", cast=bool
    )
    averages: int = Instrument.control(
        ":SENS:CURR:AVER:COUN?",
        ":SENS:CURR:AVER:COUN %d",
        """Control how many readings the repeating filter averages, 1 to 100 (int).""",
        cast=int,
    )

    def __init__(self, adapter: Adapter, name: str = "Keithley 2450") -> None:
        super().__init__(adapter, name)

    def _arrange(self) -> None:
        self.write(':SOUR:FUNC VOLT;:SENS:FUNC "CURR";:SOUR:VOLT 0')
        self.write(":SENS:CURR:RANG:AUTO 1;:SENS:CURR:AVER:TCON REP;:SENS:CURR:AVER 1")
