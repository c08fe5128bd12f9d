"""The clock of a simulated bench: one more instrument."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from labctl_instruments.drivers.bench_instrument import ScpiInstrument


class BenchClock(ScpiInstrument):
    """Tell bench time, and let it pass."""

    models: ClassVar[tuple[str, ...]] = ("BENCH-CLOCK",)

    time: float = Instrument.measurement(":CLOC:TIME?", """Get the bench time, in s (float).""")

    mode: str = Instrument.control(
        ":CLOC:MODE?",
        ":CLOC:MODE %s",
        """Control how time passes: `JUMP` at once, `REAL` with the wall's clock (str).""",
        cast=str,
    )

    def __init__(self, adapter: Adapter, name: str = "bench clock") -> None:
        super().__init__(adapter, name)

    def advance(self, seconds: float) -> None:
        """Let `seconds` of bench time pass; return when they have."""
        self.ask(f":CLOC:ADV {seconds:.17g};*OPC?")
