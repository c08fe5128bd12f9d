"""Keithley 2636B dual-channel source-measure unit, in TSP: one object a channel."""

from __future__ import annotations

from typing import ClassVar, Literal

from pymeasure.adapters import Adapter

from labctl_instruments.drivers.source_meter import SourceMeterDriver
from labctl_instruments.drivers.tsp_instrument import TspInstrument
from labctl_instruments.errors import DialogueError

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
        other.exchange_lock = self.exchange_lock
        return other

    @property
    def output(self) -> bool:
        """Whether the output is on."""
        return self.ask_exactly(f"{self._smu}.source.output") == 1

    @output.setter
    def output(self, on: bool) -> None:
        self.write(f"{self._smu}.source.output = {int(on)}")

    @property
    def source_voltage(self) -> float:
        """The forced voltage, in V."""
        return self.ask_exactly(f"{self._smu}.source.levelv")

    @property
    def current_limit(self) -> float:
        """The compliance, in A."""
        return self.ask_exactly(f"{self._smu}.source.limiti")

    @current_limit.setter
    def current_limit(self, current: float) -> None:
        self.execute(f"{self._smu}.source.limiti = {current:.9g}")

    @property
    def limited(self) -> bool:
        """Whether the compliance holds now.

        Raises
        ------
        DialogueError
            If the answer is neither yes nor no.
        """
        question = f"print({self._smu}.source.compliance)"
        answer = self.ask(question).strip()
        if answer not in ("true", "false"):
            raise DialogueError(self.name, f"'{question}' answered '{answer}'")
        return answer == "true"

    @property
    def nplc(self) -> float:
        """The integration of a reading, in power-line cycles."""
        return self.ask_exactly(f"{self._smu}.measure.nplc")

    @nplc.setter
    def nplc(self, cycles: float) -> None:
        self.execute(f"{self._smu}.measure.nplc = {cycles:.9g}")

    @property
    def averages(self) -> int:
        """How many readings the repeating filter averages, 1 to 100."""
        return int(self.ask_exactly(f"{self._smu}.measure.filter.count"))

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

    def force(self, voltage: float) -> None:
        """Force `voltage` V, and see in the same exchange that the instrument took it.

        Raises
        ------
        ReadBackError
            If it reads back another level.
        RefusalError
            If the instrument refused.
        """
        level = f"{self._smu}.source.levelv"
        answer = self.ask(
            f'{level} = {voltage:.9g} print(string.format("%.9g %d", {level}, errorqueue.count))'
        )
        try:
            found, errors = (float(part) for part in answer.split())
        except ValueError as error:
            raise DialogueError(self.name, f"'{level}' answered '{answer.strip()}'") from error
        if errors:
            self.check_errors()
        self._check_level(voltage, found)

    def read_current(self) -> float:
        """Take one reading, in A, with the settings as they are.

        Raises
        ------
        DialogueError
            If the reading is an overflow or no number.
        """
        question = f"{self._smu}.measure.i()"
        return self._checked_reading(question, self.ask_exactly(question))

    def output_off(self) -> None:
        """Put the output off, then the level to 0 V."""
        self.write(f"{self._smu}.source.output = 0")
        self.write(f"{self._smu}.source.levelv = 0")
