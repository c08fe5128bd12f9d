"""Keithley 2636B dual-channel source-measure unit, in TSP: one object a channel."""

from __future__ import annotations

from typing import ClassVar, Literal

from pymeasure.adapters import Adapter

from labctl_instruments.drivers.source_meter import SourceMeterDriver
from labctl_instruments.drivers.tsp_instrument import TspInstrument

Channel = Literal["a", "b"]


class Keithley2636B(SourceMeterDriver, TspInstrument):
    """Force a voltage with one channel, read its current.

    The channels of one instrument share its connection and one lock: see `other`.

    Parameters
    ----------
    adapter : Adapter
        The connection.
    name : str
        The channel's name on the bench.
    channel : {"a", "b"}
        The channel.
    """

    models: ClassVar[tuple[str, ...]] = ("MODEL 2636B",)

    def __init__(
        self, adapter: Adapter, name: str = "Keithley 2636B", channel: Channel = "a"
    ) -> None:
        super().__init__(adapter, name)
        self._smu = f"smu{channel}"

    def other(self, name: str, channel: Channel) -> Keithley2636B:
        """Return another channel of the same instrument, on the same connection and lock."""
        other = Keithley2636B(self.adapter, name, channel)
        other.dialogue = self.dialogue
        return other

    @property
    def output(self) -> bool:
        """Whether the output is on."""
        return self.inquire_exactly(f"{self._smu}.source.output") == 1

    @output.setter
    def output(self, on: bool) -> None:
        self.write(f"{self._smu}.source.output = {int(on)}")

    @property
    def source_voltage(self) -> float:
        """The forced voltage, in V."""
        return self.inquire_exactly(f"{self._smu}.source.levelv")

    @property
    def current_limit(self) -> float:
        """The compliance, in A."""
        return self.inquire_exactly(f"{self._smu}.source.limiti")

    @current_limit.setter
    def current_limit(self, current: float) -> None:
        self.execute(f"{self._smu}.source.limiti = {current:.9g}")

    @property
    def remote_sense(self) -> float:
        """Whether voltages are sensed at the ends of the leads, 1 or 0."""
        return self.inquire_exactly(f"{self._smu}.sense")

    @remote_sense.setter
    def remote_sense(self, on: float) -> None:
        self.execute(f"{self._smu}.sense = {on:.0f}")

    @property
    def limited(self) -> bool:
        """Whether the compliance holds now."""
        return self.again(self._ask_limited)

    @property
    def nplc(self) -> float:
        """The integration of a reading, in power-line cycles."""
        return self.inquire_exactly(f"{self._smu}.measure.nplc")

    @nplc.setter
    def nplc(self, cycles: float) -> None:
        self.execute(f"{self._smu}.measure.nplc = {cycles:.9g}")

    @property
    def averages(self) -> int:
        """How many readings the repeating filter averages, 1 to 100."""
        return int(self.inquire_exactly(f"{self._smu}.measure.filter.count"))

    @averages.setter
    def averages(self, count: int) -> None:
        filtered = f"{self._smu}.measure.filter"
        self.execute(
            f"{filtered}.type = {self._smu}.FILTER_REPEAT_AVG "
            f"{filtered}.count = {count:d} {filtered}.enable = {int(count > 1)}"
        )

    def _arrange(self) -> None:
        smu = self._smu
        self.execute(
            f"{smu}.source.func = {smu}.OUTPUT_DCVOLTS {smu}.source.autorangev = 1 "
            f"{smu}.source.levelv = 0 {smu}.measure.autorangei = 1 {smu}.measure.count = 1"
        )

    def read_current(self) -> float:
        """Take one reading, in A, with the settings as they are.

        Raises
        ------
        DialogueError
            If the reading is an overflow or no number.
        """
        question = f"{self._smu}.measure.i()"
        return self._checked_reading(question, self.inquire_exactly(question))

    def output_off(self) -> None:
        """Put the output off, then the level to 0 V."""
        self.write(f"{self._smu}.source.output = 0")
        self.write(f"{self._smu}.source.levelv = 0")

    def _force(self, voltage: float) -> float:
        level = f"{self._smu}.source.levelv"
        question = (
            f'{level} = {voltage:.9g} print(string.format("%.9g %d", {level}, errorqueue.count))'
        )
        answer = self.ask(question)
        try:
            found, errors = (float(part) for part in answer.split())
        except ValueError as error:
            raise self.spoilt(level, answer) from error
        if errors:
            self.refuse()
        return found

    def _ask_limited(self) -> bool:
        question = f"print({self._smu}.source.compliance)"
        answer = self.ask(question)
        if answer.strip() not in ("true", "false"):
            raise self.spoilt(question, answer)
        return answer.strip() == "true"
