"""Keysight B1500A device analyzer: SMUs and a pulse generator in its slots, in FLEX.

Data come as the answer to the message that triggered them. In process they wait in the output
buffer, as the instrument's do, and what is asked in between is answered first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.persona import GPIB_MESSAGE_TIME
from labctl_instruments.virtual.personas.keysight_b1500a_data import FORMATS, sent
from labctl_instruments.virtual.personas.keysight_b1500a_flex import (
    BAD_CHANNEL,
    BAD_COUNT,
    BAD_VALUE,
    ERROR_TEXTS,
    NO_MODULE,
    ErrorQueue,
    FlexError,
    FlexTable,
    Numbers,
    whole,
    within,
)
from labctl_instruments.virtual.personas.keysight_b1500a_learning import learnt
from labctl_instruments.virtual.personas.keysight_b1500a_measurement import Measurement
from labctl_instruments.virtual.personas.keysight_b1500a_pulses import add_pulse_commands
from labctl_instruments.virtual.personas.keysight_b1500a_smu import SmuModule
from labctl_instruments.virtual.personas.keysight_b1500a_sources import add_source_commands
from labctl_instruments.virtual.personas.keysight_b1500a_spgu import MODEL as SPGU_MODEL
from labctl_instruments.virtual.personas.keysight_b1500a_spgu import SpguModule
from labctl_instruments.virtual.scpi.status import MASTER_SUMMARY

SLOTS = range(1, 11)
IDENTITY = "Agilent Technologies,B1500A,0,A.06.02.2023.0401"
DATA, SET_READY, ERROR = 1, 16, 32
"""Bits of its status byte."""
_CLEARS = re.compile(rb"(?i)(?:^|;)\s*(?:BC|FMT|\*RST)\b")
"""Commands that clear the output buffer."""
_KEPT: Mapping[str, tuple[int, int]] = {
    "TM": (1, 4),
    "CM": (0, 1),
    "PAD": (0, 1),
    "ERMOD": (0, 63),
}
"""Settings that are kept and do nothing more: lowest and highest value."""


class KeysightB1500APersona:
    """A B1500A whose modules hang on rows of the switch matrix.

    Parameters
    ----------
    smus : mapping of int to SmuModule
        Its SMUs by their slots.
    spgus : mapping of int to SpguModule
        Its pulse generators by their slots.
    clock : Clock
        Bench time.
    """

    message_time = GPIB_MESSAGE_TIME
    has_blocks = False

    def __init__(
        self, smus: Mapping[int, SmuModule], spgus: Mapping[int, SpguModule], clock: Clock
    ) -> None:
        self.smus = dict(sorted(smus.items()))
        self.spgus = dict(sorted(spgus.items()))
        self.clock = clock
        self.errors = ErrorQueue()
        self.measurement = Measurement(self.smus, clock)
        self.kept: dict[str, int] = {}
        self._service_enable = 0
        self._set_back()
        self._table = FlexTable()
        self._add_mainframe(self._table)
        self._add_switches(self._table)
        self._add_settings(self._table)
        self._add_readings(self._table)
        add_source_commands(self._table, self)
        add_pulse_commands(self._table, self)

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers of the commands that it understands."""
        return self._table.headers

    def exchange(self, message: bytes) -> bytes:
        """Execute a message and return what it answers and measures."""
        return self._table.execute(message, self.errors)

    def status_byte(self, *, message_available: bool = False) -> int:
        """Return the status byte: ready, whether data or errors wait, who requests service."""
        value = SET_READY | (ERROR if self.errors else 0) | (DATA if message_available else 0)
        requested = value & self._service_enable & ~SET_READY  # it is always ready: no request
        return value | (MASTER_SUMMARY if requested else 0)

    def clear(self) -> None:
        """Forget nothing: no message is kept half read, and data are sent at once."""

    def trigger(self) -> None:
        """Do nothing: a trigger of the bus starts what `XE` does, and its data had no reader."""

    def query_error(self, number: int) -> None:
        """Do nothing: FLEX has no error of order."""

    def unread(self, waiting: bytes, message: bytes) -> bytes:
        """Return the data that wait in the output buffer: all, unless the message clears it."""
        return b"" if _CLEARS.search(message) else waiting

    def smu(self, channel: float) -> SmuModule:
        """Return the SMU of a channel; FlexError where there is none. 201 is 2."""
        slot = int(channel) // 100 if channel > 100 and int(channel) % 100 == 1 else channel
        if slot not in SLOTS:
            raise FlexError(BAD_CHANNEL)
        if slot not in self.smus:
            raise FlexError(NO_MODULE)
        return self.smus[int(slot)]

    def spgu(self, channel: float) -> SpguModule:
        """Return the pulse generator of a channel such as 501; FlexError where there is none."""
        for module in self.spgus.values():
            if channel in module.channels:
                return module
        raise FlexError(NO_MODULE if int(channel) // 100 in SLOTS else BAD_CHANNEL)

    def named(self, channels: Numbers) -> list[SmuModule]:
        """Return the SMUs of some channels, all of them where none is named."""
        if len(set(channels)) != len(channels):
            raise FlexError(BAD_COUNT)
        return [self.smu(channel) for channel in channels] or list(self.smus.values())

    def _set_back(self) -> None:
        self.kept = {"TM": 1, "CM": 1, "PAD": 0, "ERMOD": 0}

    def _reset(self, _: Numbers = ()) -> None:
        """Put everything back; the errors stay (QCoDeS says so of the real one)."""
        for smu in self.smus.values():
            smu.reset()
        for spgu in self.spgus.values():
            spgu.reset()
        self.measurement.reset()
        self._set_back()

    def _add_mainframe(self, table: FlexTable) -> None:
        table.add("*IDN?", lambda _: IDENTITY)
        table.add("*RST", self._reset)
        table.add("*OPC?", lambda _: "1")
        table.add("*STB?", lambda _: str(self.status_byte()))
        table.add("*SRE", self._put_service_enable, 1)
        table.add("*SRE?", lambda _: str(self._service_enable))
        table.add("*TST?", lambda _: "0", (0, 1))
        table.add("*CAL?", lambda _: "0", (0, 1))
        table.add("UNT?", self._units, (0, 1))
        table.add("ERR?", lambda _: ",".join(map(str, self.errors.take_numbers())), (0, 1))
        table.add("ERRX?", self._next_error, (0, 1))
        table.add("EMG?", _message_of, 1)
        table.add("*LRN?", lambda numbers: learnt(self, numbers[0]), 1)
        table.add("NUB?", lambda _: "0")
        for header in ("BC", "AB", "CA"):
            table.add(header, lambda _: None, (0, 1))
        table.add("PA", self._pause, (0, 1))
        table.add("ERSSP", _port_connection, 2)

    def _add_switches(self, table: FlexTable) -> None:
        for header, on in (("CN", True), ("CNX", True), ("CL", False)):
            table.add(header, partial(self._switch, on=on), (0, 10))
        table.add("DZ", partial(self._each, SmuModule.zero), (0, 10))
        table.add("RZ", self._restore, (0, 10))

    def _add_settings(self, table: FlexTable) -> None:
        for name, (low, high) in _KEPT.items():
            table.add(name, self._keep(name, range(low, high + 1)), 1)
        table.add("ERMOD?", lambda _: str(self.kept["ERMOD"]))
        table.add("FMT", self._format, (1, 2))
        table.add("TSC", lambda numbers: self._set_time_stamp(numbers[0]), 1)
        table.add("TSR", lambda _: self.measurement.clear_timer(), (0, 1))
        table.add("TSQ", lambda _: sent([self.measurement.time(0)], self._number))

    def _add_readings(self, table: FlexTable) -> None:
        for header, quantity, is_timed in (
            ("TI", "I", False),
            ("TV", "V", False),
            ("TTI", "I", True),
            ("TTV", "V", True),
        ):
            table.add(header, partial(self._read, quantity, is_timed=is_timed), (1, 2))
        table.add("XE", lambda _: sent(self.measurement.run(), self._number))

    @property
    def _number(self) -> int:
        return self.measurement.settings.format

    def _units(self, _: Numbers) -> str:
        models = {slot: smu.kind.model for slot, smu in self.smus.items()}
        models |= dict.fromkeys(self.spgus, SPGU_MODEL)
        return ";".join(f"{models.get(slot, '0')},0" for slot in SLOTS)

    def _next_error(self, mode: Numbers) -> str:
        number = self.errors.next()
        return f"{number:+d}" if mode == (1.0,) else f'{number:+d},"{ERROR_TEXTS[number]}"'

    def _pause(self, seconds: Numbers) -> None:
        self.clock.charge(within((*seconds, 0.0)[0], 0.0, 99.9999))

    def _switch(self, channels: Numbers, *, on: bool) -> None:
        """Close or open the output switches of channels, of all where none is named."""
        if not channels:
            every = [number for spgu in self.spgus.values() for number in spgu.channels]
            channels = (*map(float, self.smus), *map(float, every))
        acts: list[Callable[[], None]] = []
        for channel in channels:  # all are found before the first is switched
            if any(channel in spgu.channels for spgu in self.spgus.values()):
                acts.append(partial(self.spgu(channel).switch, int(channel), on=on))
            else:
                acts.append(partial(self.smu(channel).switch, on=on))
        for act in acts:
            act()

    def _put_service_enable(self, numbers: Numbers) -> None:
        self._service_enable = whole(numbers[0], range(256))

    def _each(self, act: Callable[[SmuModule], None], channels: Numbers) -> None:
        """Do something to channels; where none is named, to all whose switch is closed."""
        chosen = self.named(channels)
        for smu in chosen if channels else [smu for smu in chosen if smu.is_on]:
            act(smu)

    def _restore(self, channels: Numbers) -> None:
        """Force again what DZ ended; where no channel is named, wherever it did."""
        zeroed = [smu for smu in self.smus.values() if smu.settings.before_zero is not None]
        for smu in self.named(channels) if channels or not zeroed else zeroed:
            smu.restore()

    def _keep(self, name: str, choices: range) -> Callable[[Numbers], None]:
        def keep(numbers: Numbers) -> None:
            self.kept[name] = whole(numbers[0], choices)

        return keep

    def _format(self, numbers: Numbers) -> None:
        settings = self.measurement.settings
        number = whole(numbers[0], FORMATS)
        settings.source_data = whole((*numbers, 0.0)[1], range(11))
        settings.format = number

    def _set_time_stamp(self, on: float) -> None:
        self.measurement.settings.has_time = bool(whole(on, (0, 1)))

    def _read(self, quantity: str, numbers: Numbers, *, is_timed: bool) -> bytes:
        """Take one reading at once: `TI channel,range`."""
        slot = self.smu(numbers[0]).slot
        time = [self.measurement.time(slot)] if is_timed else []
        code = int((*numbers, 0.0)[1])
        return sent([*time, self.measurement.take(slot, quantity, code)], self._number)


def _message_of(numbers: Numbers) -> str:
    if numbers[0] not in ERROR_TEXTS:
        raise FlexError(BAD_VALUE)
    return ERROR_TEXTS[int(numbers[0])]


def _port_connection(numbers: Numbers) -> None:
    """Take what a selector of SMU or pulse generator shall join; there is none here."""
    whole(numbers[0], range(4))
    whole(numbers[1], range(4))
