"""What source-measure units share, whatever their language: force a voltage, read a current."""

from __future__ import annotations

from typing import Any

from labctl_instruments.drivers.bench_instrument import BenchInstrument
from labctl_instruments.errors import DialogueError, ReadBackError

MOST_AVERAGES = 100
"""Readings that a filter takes at once."""
LINE_FREQUENCY = 50.0
"""The slower of the two that there are, in Hz."""
OVERFLOW = 9.9e37
"""IEEE 488.2 not-a-number and overflow answers are at or above this."""


class SourceMeterDriver(BenchInstrument):
    """A source-measure unit that forces a voltage and reads a current."""

    output: Any  # bool: a property of Python in one driver, of PyMeasure in another
    """Whether the output is on."""
    averages: Any  # int
    """How many readings the repeating filter averages, 1 to 100."""
    nplc: Any  # float
    """Integration of a reading, in power-line cycles."""
    source_voltage: Any  # float
    """The forced voltage, in V."""

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

        def step() -> None:
            self.output = False
            self._arrange()
            self.averages = 1
            self.nplc = nplc
            self.secure("current_limit", current_limit)
            self.check_errors()

        self.again(step)
        self.answers_take(MOST_AVERAGES * nplc / LINE_FREQUENCY)

    def force(self, voltage: float) -> None:
        """Force `voltage` V, and see in the same exchange that the instrument took it.

        Raises
        ------
        ReadBackError
            If it reads back another level.
        RefusalError
            If the instrument refused.
        """
        found = self.settle(
            lambda: self._force(voltage),
            lambda: float(self.source_voltage),
            lambda level: _is_level(voltage, level),
        )
        if not _is_level(voltage, found):
            raise ReadBackError(self.name, "source voltage", voltage, found)

    def _arrange(self) -> None:
        """Choose what is forced and measured, on ranges that follow."""
        raise NotImplementedError

    def outputs_on(self) -> tuple[str, ...]:
        """Return `("output",)` while the output is on."""
        return ("output",) if self.output else ()

    def _force(self, voltage: float) -> float:
        """Force `voltage` V and return, in the same exchange, the level that it reads back as."""
        raise NotImplementedError

    def _checked_reading(self, question: str, current: float) -> float:
        """Return a reading, in A; DialogueError if it is an overflow or no number."""
        if not abs(current) < OVERFLOW:
            raise DialogueError(self.name, f"'{question}' overflowed ({current:g})")
        return current


def _is_level(asked: float, found: float) -> bool:
    """Return whether a level reads back as it was asked for; both in V."""
    return abs(found - asked) <= 1e-6 * max(1.0, abs(asked))
