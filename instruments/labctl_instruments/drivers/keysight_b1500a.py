"""Keysight B1500A device analyzer, in FLEX: one object a module, several on one connection.

Whoever opens one finds the module in its slot, sees each forced level and its compliance read back
in the same message, and sets the integration with the reading: it is one for all modules.
"""

from __future__ import annotations

import re
import time
from functools import partial
from typing import ClassVar, Self

from pymeasure.adapters import Adapter

from labctl_instruments.drivers.bench_instrument import BenchInstrument, parse_error
from labctl_instruments.drivers.source_meter import SourceMeterDriver
from labctl_instruments.errors import (
    DialogueError,
    InstrumentError,
    ReadBackError,
    RefusalError,
)

MOST_CYCLES = 100
"""Most power-line cycles of one conversion (`AIT`)."""
MOST_CURRENT = 0.1
"""Most current of an HRSMU or MPSMU, in A."""
_LIMITED = 8
"""Bit of a reading's status: this channel is at its compliance."""
_OUTPUT_STEPS = 20_000
_OUTPUT_RANGES = (0.5, 2.0, 5.0, 20.0, 40.0, 100.0)
_READING = re.compile(r"(\d{3})([A-J])I([+-]\d+\.\d+E[+-]\d+)")
_FORCED = re.compile(r"DV(\d+),\d+,([^,]+),([^,;]+)")
_SHORTEST_EDGE = 8e-9
_HIGH_IMPEDANCE = 1e6
_PATIENCE = 5.0
"""Time that a train of pulses may take beyond its own, in s."""


class KeysightB1500AModule(BenchInstrument):
    """A module in a slot of a B1500A.

    Parameters
    ----------
    adapter : Adapter
        The connection to the mainframe.
    name : str
        The module's name on the bench.
    channel : str
        Its slot, `1` to `10`.
    """

    models: ClassVar[tuple[str, ...]] = ("B1500A",)
    modules: ClassVar[tuple[str, ...]]
    """Model numbers that the slot may hold."""

    def __init__(self, adapter: Adapter, name: str = "Keysight B1500A", channel: str = "1") -> None:
        super().__init__(adapter, name)
        self.slot = int(channel)

    @classmethod
    def beside(cls, other: KeysightB1500AModule, name: str, channel: str) -> Self:
        """Return another module of the mainframe of `other`, on its connection and lock."""
        made = cls(other.adapter, name, channel)
        made.dialogue = other.dialogue
        return made

    def check_identity(self) -> str:
        """Return the answer to `*IDN?`; refuse another instrument, or module in the slot.

        Raises
        ------
        DialogueError
            If something else answers, or lies in the slot.
        """
        identity = super().check_identity()
        units = self.inquire("UNT?").strip().split(";")
        found = units[self.slot - 1].partition(",")[0] if self.slot <= len(units) else ""
        if found not in self.modules:
            wanted = " or ".join(self.modules)
            raise DialogueError(self.name, f"expected a {wanted} in slot {self.slot}, is '{found}'")
        return identity

    def closed_switches(self) -> tuple[int, ...]:
        """Return the channels of the mainframe whose output switch is closed."""
        answer = self.inquire("*LRN? 0").strip()
        if not answer.startswith(("CN", "CL")):
            raise DialogueError(self.name, f"'*LRN? 0' answered '{answer}'")
        return tuple(int(channel) for channel in answer[2:].split(",") if answer[:2] == "CN")

    def execute(self, command: str) -> None:
        """Send a command and, in the same message, ask what is wrong.

        If the answer is lost it is sent once more: it is to be one that sets something.

        Raises
        ------
        RefusalError
            If the instrument refused.
        """
        error = self.again(lambda: parse_error(self.ask(f"{command};ERRX?")))
        if error[0] != 0:
            raise RefusalError(self.name, [error, *self.drain_errors()])

    def _next_error(self) -> tuple[int, str]:
        return parse_error(self.ask("ERRX?"))


class KeysightB1500ASmu(KeysightB1500AModule, SourceMeterDriver):
    """Force a voltage with one SMU, read its current with the high-resolution converter.

    While the output switch is open the module holds neither level nor compliance: both come, and
    are read back, with the closing switch. A compliance set before is kept here until then.
    """

    modules: ClassVar[tuple[str, ...]] = ("B1517A", "B1511A", "B1511B")

    def __init__(self, adapter: Adapter, name: str = "Keysight B1500A", channel: str = "1") -> None:
        super().__init__(adapter, name, channel)
        self._limit = 1e-4
        self._cycles = 1
        self._averages = 1
        self._is_limited = False

    @property
    def output(self) -> bool:
        """Whether the output switch is closed."""
        return self.slot in self.closed_switches()

    @output.setter
    def output(self, on: bool) -> None:
        if not on:
            self.write(f"CL {self.slot}")
            return
        self.write(f"CN {self.slot}")
        self.force(0.0)

    @property
    def source_voltage(self) -> float:
        """The forced voltage, in V; 0 while the switch is open."""
        return self._forced(self.inquire(f"*LRN? {self.slot}"))[0]

    @property
    def current_limit(self) -> float:
        """The compliance, in A: the module's, or what it will be told as its switch closes."""
        return self._forced(self.inquire(f"*LRN? {self.slot}"))[1]

    @current_limit.setter
    def current_limit(self, current: float) -> None:
        if not 0.0 < current <= MOST_CURRENT:
            raise InstrumentError(
                self.name, f"a compliance of {current:g} A asked for; it has {MOST_CURRENT:g} A"
            )
        learnt = self.inquire(f"*LRN? {self.slot}")
        level, before = self._forced(learnt)
        self._limit = current
        if learnt.startswith("CL"):
            return
        try:
            self.execute(self._forcing(level))
        except RefusalError:
            self._limit = before
            raise

    @property
    def limited(self) -> bool:
        """Whether the compliance held at the last reading."""
        return self._is_limited

    @property
    def nplc(self) -> float:
        """The integration of a reading, in power-line cycles: 1 to 100, whole."""
        return float(self._cycles)

    @nplc.setter
    def nplc(self, cycles: float) -> None:
        if cycles not in range(1, MOST_CYCLES + 1):
            raise InstrumentError(
                self.name, f"{cycles:g} power-line cycles asked for; it has 1 to 100, whole"
            )
        self._cycles = int(cycles)

    @property
    def averages(self) -> int:
        """How many readings are averaged, 1 to 100."""
        return self._averages

    @averages.setter
    def averages(self, count: int) -> None:
        if not 1 <= count <= MOST_CYCLES:
            raise InstrumentError(self.name, f"{count} averages asked for; it has 1 to 100")
        self._averages = count

    def _arrange(self) -> None:
        """Choose data with their status, no time stamps, and the high-resolution converter."""
        self.execute(f"FMT 21,0;TSC 0;AZ 0;FL 0,{self.slot};AAD {self.slot},1")

    def force(self, voltage: float) -> None:
        """Force `voltage` V, and see in the same exchange that it and the compliance were taken.

        Raises
        ------
        ReadBackError
            If level or compliance reads back otherwise.
        RefusalError
            If the instrument refused.
        """
        learning = f"*LRN? {self.slot}"
        answer = self.settle(
            lambda: self.ask(f"{self._forcing(voltage)};{learning}"),
            lambda: self.inquire(learning),
            lambda learnt: self._is_forced(voltage, learnt),
        )
        found, limit = self._forced(answer)
        if not self._is_forced(voltage, answer):
            raise ReadBackError(self.name, "source voltage", voltage, found)
        if abs(limit - self._limit) > 1e-6 * self._limit:
            raise ReadBackError(self.name, "current_limit", self._limit, limit)

    def read_current(self) -> float:
        """Take one reading, in A, on an automatic range.

        Raises
        ------
        DialogueError
            If the reading is an overflow or no reading.
        """
        # The fewest equal parts that a conversion can be as long as.
        parts = next(
            n
            for n in range(1, self._averages + 1)
            if self._averages % n == 0 and self._averages // n * self._cycles <= MOST_CYCLES
        )
        cycles = self._averages // parts * self._cycles
        once = partial(self._read_once, cycles)
        return sum(self.again(once) for _ in range(parts)) / parts

    def _read_once(self, cycles: int) -> float:
        question = f"AIT 1,2,{cycles};TI {self.slot},0"
        answer = self.ask(question).strip()
        match = _READING.fullmatch(answer)
        if match is None or ord(match[2]) - ord("A") + 1 != self.slot:
            raise self.spoilt(question, answer)
        current = self._checked_reading(question, float(match[3]))
        self._is_limited = bool(int(match[1]) & _LIMITED)
        return current

    def output_off(self) -> None:
        """Open the output switch; that brings the level to 0 V."""
        self.write(f"CL {self.slot}")

    def _is_forced(self, voltage: float, learnt: str) -> bool:
        """Return whether an answer to `*LRN?` says that `voltage` V are forced."""
        step = next(span for span in _OUTPUT_RANGES if abs(voltage) <= span) / _OUTPUT_STEPS
        return learnt.startswith("DV") and abs(self._forced(learnt)[0] - voltage) <= step

    def _forcing(self, voltage: float) -> str:
        return f"DV {self.slot},0,{voltage:.9G},{self._limit:.9G}"

    def _forced(self, learnt: str) -> tuple[float, float]:
        """Return level and compliance of an answer to `*LRN?`."""
        if learnt.startswith("CL"):
            return 0.0, self._limit
        match = _FORCED.match(learnt)
        try:
            if match is not None and int(match[1]) == self.slot:
                return float(match[2]), float(match[3])
        except ValueError:
            pass
        raise DialogueError(self.name, f"'*LRN? {self.slot}' answered '{learnt.strip()}'")


class KeysightB1500ASpgu(KeysightB1500AModule):
    """Make bursts of equal pulses from 0 V with a pulse generator module, one burst a trigger."""

    modules: ClassVar[tuple[str, ...]] = ("B1525A",)

    def __init__(self, adapter: Adapter, name: str = "Keysight B1500A", channel: str = "5") -> None:
        super().__init__(adapter, name, channel)
        self._highest = 0.0
        self._duration = 0.0

    def prepare(self, channel: int, *, voltage_limit: float) -> None:
        """Make a channel that starts at 0 V, into high impedance; output off.

        Parameters
        ----------
        channel : int
            1 or 2.
        voltage_limit : float
            Highest level, in V; of either sign. The module has no limit of its own: `shape`
            refuses more.

        Raises
        ------
        ReadBackError, RefusalError
            If the instrument did not take a setting.
        """
        number = self._number(channel)
        self.write(f"CL {number}")
        self._highest = abs(voltage_limit)
        self.execute(
            f"SIM 0;SPRM 1,1;SER {number},{_HIGH_IMPEDANCE:.9G};SPM {number},1;SPV {number},1,0,0"
        )
        found = self.inquire_number(f"SER? {number}")
        if abs(found - _HIGH_IMPEDANCE) > 1.0:
            raise ReadBackError(self.name, "load impedance", _HIGH_IMPEDANCE, found)

    def shape(self, channel: int, *, high: float, width: float, period: float, count: int) -> None:
        """Shape the next burst: `count` pulses of `high` V and `width` s, `period` s apart.

        Raises
        ------
        InstrumentError
            If the level is beyond the limit, or the instrument refused; nothing must be
            triggered then.
        """
        if not abs(high) <= self._highest:
            raise InstrumentError(
                self.name, f"a level of {high:g} V asked for; the limit is {self._highest:g} V"
            )
        number = self._number(channel)
        self._duration = count * period
        self.execute(
            f"SPRM 1,{count:d};SPPER {period:.9G};"
            f"SPT {number},1,0,{width:.9G},{_SHORTEST_EDGE:.9G};"
            f"SPV {number},1,0,{high:.9G};SPUPD {number}"
        )

    def set_output(self, channel: int, *, on: bool) -> None:
        """Connect or isolate a channel."""
        self.write(f"{'CN' if on else 'CL'} {self._number(channel)}")

    def trigger(self, channel: int) -> None:
        """Make the shaped burst, once; return when it is over. See `once`.

        Raises
        ------
        DialogueError
            If it is not over long after it should be.
        UncertainPulseError
            If the connection broke: perhaps it never took it.
        RefusalError
            If the instrument refused.
        """
        is_running = self.once(
            lambda: self.ask_number("SRP;SPST?"), lambda: self.inquire_number("SPST?")
        )
        until = time.monotonic() + self._duration + _PATIENCE
        while is_running:
            if time.monotonic() > until:
                raise DialogueError(self.name, f"a burst of {self._duration:g} s does not end")
            is_running = self.inquire_number("SPST?")

    def trigger_all(self) -> None:
        """Make the bursts of both channels at the same time: a start is the module's anyway."""
        self.trigger(1)

    def output_off(self) -> None:
        """Isolate both channels, then stop what runs."""
        self.write(f"CL {self._number(1)},{self._number(2)}")
        self.write("SPP")

    def outputs_on(self) -> tuple[str, ...]:
        """Return the channels whose output is on, as `output 1`."""
        closed = self.closed_switches()
        return tuple(f"output {place}" for place in (1, 2) if self._number(place) in closed)

    def _number(self, channel: int) -> int:
        """Return the FLEX number of a channel: 501 is the first of slot 5."""
        return 100 * self.slot + channel
