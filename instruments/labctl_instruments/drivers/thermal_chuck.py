"""A thermal chuck on a Keithley 2510 TEC SourceMeter."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from labctl_instruments.drivers.bench_instrument import ScpiInstrument

_ZERO_CELSIUS = 273.15


class ThermalChuck(ScpiInstrument):
    """Hold a temperature. The instrument counts in degrees Celsius; kelvin are ours."""

    models: ClassVar[tuple[str, ...]] = ("MODEL 2510",)

    output: bool = Instrument.control(
        ":OUTP?", ":OUTP %d", """Control whether the chuck is held (bool).""", cast=bool
    )
    set_point: float = Instrument.control(
        ":SOUR:TEMP?",
        ":SOUR:TEMP %.9g",
        """Control the set point, in K (float).""",
        get_process=lambda degrees: degrees + _ZERO_CELSIUS,
        set_process=lambda kelvin: kelvin - _ZERO_CELSIUS,
    )
    temperature_limit: float = Instrument.control(
        ":SOUR:TEMP:PROT:HIGH?",
        ":SOUR:TEMP:PROT:HIGH %.9g",
        """Control the set point beyond which it refuses, in K (float).""",
        get_process=lambda degrees: degrees + _ZERO_CELSIUS,
        set_process=lambda kelvin: kelvin - _ZERO_CELSIUS,
    )
    temperature: float = Instrument.measurement(
        ":MEAS:TEMP?",
        """Measure the temperature of the chuck, in K (float).""",
        get_process=lambda degrees: degrees + _ZERO_CELSIUS,
    )

    def __init__(self, adapter: Adapter, name: str = "thermal chuck") -> None:
        super().__init__(adapter, name)

    def hold(self, kelvin: float) -> None:
        """Go to a temperature, in K, and hold it; the way there takes its time.

        Raises
        ------
        RefusalError
            If the instrument refused the set point.
        ReadBackError
            If it reads back otherwise.
        """

        def step() -> None:
            self.set_point = kelvin
            self.check_errors()
            self.secure("set_point", kelvin)
            self.output = True
            self.check_errors()

        self.again(step)

    def output_off(self) -> None:
        """Hold no temperature: the chuck goes to that of the room by itself."""
        self.write(":OUTP 0")

    def outputs_on(self) -> tuple[str, ...]:
        """Return `("output",)` while a temperature is held."""
        return ("output",) if self.output else ()
