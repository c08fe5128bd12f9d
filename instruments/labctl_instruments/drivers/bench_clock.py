"""The clock of a simulated bench: one more instrument."""

from __future__ import annotations

from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from labctl_instruments.drivers.bench_instrument import ScpiInstrument
from labctl_instruments.drivers.exchanging import log
from labctl_instruments.errors import LostAnswerError


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
        """Let `seconds` of bench time pass; return when they have.

        If the answer is lost, the time tells how much of it is left: none is let pass twice.
        """
        until = self.time + seconds
        try:
            self.ask(f":CLOC:ADV {seconds:.17g};*OPC?")
        except LostAnswerError as error:
            left = until - self.time
            log.warning("%s; %g s are left", error, max(left, 0.0))
            if left > 1e-9 * until:
                self.advance(left)
