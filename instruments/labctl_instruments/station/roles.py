"""What a driver must do to fill a role on an SMU bench; other people's drivers are held to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from labctl_instruments.station.bound import Quieted


class SourceMeter(Quieted, Protocol):
    """What forces a voltage and reads a current: an instrument, or a channel of one."""

    def check_identity(self) -> str:
        """Return the answer to `*IDN?`; refuse an instrument of another model."""
        ...

    def check_errors(self) -> list[Any]:
        """Empty the error queue; RefusalError with what was in it."""
        ...

    def again(self, step: Callable[[], None]) -> None:
        """Take a step that may be taken twice, and once more while an answer is lost."""

    @property
    def output(self) -> bool:
        """Whether the output is on."""
        ...

    @output.setter
    def output(self, on: bool) -> None: ...

    @property
    def averages(self) -> int:
        """Readings that are averaged into one, 1 to 100."""
        ...

    @averages.setter
    def averages(self, count: int) -> None: ...

    @property
    def limited(self) -> bool:
        """Whether the compliance holds now."""
        ...

    def prepare(self, *, nplc: float, current_limit: float) -> None:
        """Make a voltage source at 0 V that measures current; output off."""
        ...

    def secure(self, setting: str, value: float) -> None:
        """Set `current_limit` (A), read it back and compare; ReadBackError if it differs.

        The same for `remote_sense` (1 or 0), where a bench measures with four wires.
        """
        ...

    def force(self, voltage: float) -> None:
        """Force a voltage, in V; ReadBackError if it reads back otherwise."""
        ...

    def read_current(self) -> float:
        """Take one reading, in A; DialogueError if it is none."""
        ...


class PulseSource(Quieted, Protocol):
    """What makes short pulses, each channel on a row of the matrix."""

    def check_identity(self) -> str:
        """Return the answer to `*IDN?`; refuse an instrument of another model."""
        ...

    def check_errors(self) -> list[Any]:
        """Empty the error queue; RefusalError with what was in it."""
        ...

    def again(self, step: Callable[[], None]) -> None:
        """Take a step that may be taken twice, and once more while an answer is lost."""

    def prepare(self, channel: int, *, voltage_limit: float) -> None:
        """Make triggered pulses from 0 V that no message can bring above a limit, in V.

        A negative limit makes pulses below 0 V.
        """
        ...

    def shape(self, channel: int, *, high: float, width: float, period: float, count: int) -> None:
        """Shape the next burst: level in V, times in s."""
        ...

    def set_output(self, channel: int, *, on: bool) -> None:
        """Put an output on or off."""
        ...

    def trigger(self, channel: int) -> None:
        """Give the burst, once, and wait until it is over."""
        ...

    def trigger_all(self) -> None:
        """Give the bursts of all channels that are on, at the same time, once, and wait."""
        ...
