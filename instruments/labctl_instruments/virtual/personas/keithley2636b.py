"""Keithley 2636B: two SMU channels and TSP; what it does in Lua is in `keithley2636b*.lua`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.lua.host import Value
from labctl_instruments.virtual.persona import GPIB_MESSAGE_TIME
from labctl_instruments.virtual.personas.source_measure_channel import (
    LINE_FREQUENCY,
    TABLES,
    SourceMeasureChannel,
)
from labctl_instruments.virtual.scpi.status import ScpiError
from labctl_instruments.virtual.tsp import TspEngine, TspPersona
from labctl_instruments.virtual.tsp_table import TspTable, kept

MODEL = "2636B"
VERSION = "3.4.2"
_FIRMWARE = [
    Path(__file__).with_name(f"{name}.lua")
    for name in ("keithley2636b", "keithley2636b_trigger", "keithley2636b_lines", "tsp_strings")
]
_ON_TRIGGER = "getmetatable(trigger).Assert()"
_CONSTANTS: Mapping[str, Value] = {
    "OUTPUT_DCAMPS": 0,
    "OUTPUT_DCVOLTS": 1,
    "OUTPUT_OFF": 0,
    "OUTPUT_ON": 1,
    "OUTPUT_HIGH_Z": 2,
    "OUTPUT_NORMAL": 0,
    "OUTPUT_ZERO": 1,
    "SENSE_LOCAL": 0,
    "SENSE_REMOTE": 1,
    "AUTORANGE_OFF": 0,
    "AUTORANGE_ON": 1,
    "AUTORANGE_FOLLOW_LIMIT": 2,
    "AUTOZERO_OFF": 0,
    "AUTOZERO_ONCE": 1,
    "AUTOZERO_AUTO": 2,
    "DELAY_AUTO": -1,
    "DELAY_OFF": 0,
    "FILTER_MOVING_AVG": 0,
    "FILTER_REPEAT_AVG": 1,
    "FILTER_MEDIAN": 2,
    "FILTER_OFF": 0,
    "FILTER_ON": 1,
    "REL_OFF": 0,
    "REL_ON": 1,
    "SETTLE_SMOOTH": 0,
    "SETTLE_FAST_RANGE": 1,
    "SETTLE_FAST_POLARITY": 2,
    "SETTLE_DIRECT_IRANGE": 3,
    "SETTLE_FAST_ALL": 128,
    "DISABLE": 0,
    "ENABLE": 1,
    "OE_NONE": 0,
    "OE_OUTPUT_OFF": 1,
}
"""Names that stand for numbers in `smuX`."""
_VOLTAGE_LIMIT, _CURRENT_LIMIT = 1, 2
"""Bits of `status.measurement.instrument.smuX`; of `status.measurement` itself too."""


class Keithley2636BPersona(TspPersona):
    """A 2636B whose channels hang on rows of the switch matrix, or on nothing.

    Parameters
    ----------
    channels : mapping of str to SourceMeasureChannel
        The channels `a` and `b`.
    clock : Clock
        Bench time.
    serial : str
        Its serial number.
    """

    message_time = GPIB_MESSAGE_TIME

    def __init__(
        self,
        channels: Mapping[str, SourceMeasureChannel],
        clock: Clock,
        *,
        serial: str = "4000001",
    ) -> None:
        self.channels = dict(channels)
        self._clock = clock
        tables = {"": self._globals(), "localnode": _node(serial)}
        for letter, channel in self.channels.items():
            tables |= _channel_tables(f"smu{letter}", channel)
        tables |= self._status_tables()
        self._engine = TspEngine(
            tables,
            identity=f"Keithley Instruments Inc., Model {MODEL}, {serial}, {VERSION}",
            reset=self._reset,
            firmware="\n".join(file.read_text(encoding="ascii") for file in _FIRMWARE),
            on_trigger=_ON_TRIGGER,
        )

    def _reset(self) -> None:
        for channel in self.channels.values():
            channel.reset()

    def _globals(self) -> TspTable:
        return TspTable(
            functions={
                "delay": lambda seconds: self._clock.charge(float(seconds)),
                "waitcomplete": lambda *_: None,
                "_now": self._clock.now,
                "_pack": _packed,
            }
        )

    def _status_tables(self) -> dict[str, TspTable]:
        """Return the status model, as far as something in it can be set or seen."""

        def limits(letter: str) -> Callable[[], float]:
            def condition() -> float:
                voltage, current = self.channels[letter].limits_held()
                return voltage * _VOLTAGE_LIMIT + current * _CURRENT_LIMIT

            return condition

        conditions = {letter: limits(letter) for letter in self.channels}

        def measurement() -> float:
            return int(conditions["a"]()) | int(conditions["b"]())

        return {
            "status.measurement": _condition(measurement),
            "status.measurement.instrument": _condition(measurement),
            **{
                f"status.measurement.instrument.smu{letter}": _condition(condition)
                for letter, condition in conditions.items()
            },
            "status.operation": _condition(lambda: 0),
            "status.operation.sweeping": _condition(lambda: 0),
            "status.operation.measuring": _condition(lambda: 0),
            "status.questionable": _condition(lambda: 0),
        }


def _condition(condition: Callable[[], float]) -> TspTable:
    return TspTable(getters={"condition": condition})


def _node(serial: str) -> TspTable:
    table = kept(prompts=0, showerrors=0, autolinefreq=True)
    table.getters["linefreq"] = lambda: LINE_FREQUENCY
    table.constants.update(
        model=MODEL, serialno=serial, revision=VERSION, description=f"Keithley {MODEL}"
    )
    return table


def _channel_tables(smu: str, channel: SourceMeasureChannel) -> dict[str, TspTable]:
    """Return the tables of one channel: `smua`, `smua.source`, `smua.measure`..."""

    def set_sense(value: float) -> None:
        if value not in (0, 1):
            raise ScpiError(-224, f"sense = {value}")
        channel.sense_at(value)

    tables = {
        smu: TspTable(
            functions={"reset": channel.reset},
            constants=dict(_CONSTANTS),
            getters={"sense": lambda: channel.sense},
            setters={"sense": set_sense},
        )
    }
    for name in TABLES:
        tables[f"{smu}.{name}"] = _attributes(channel, name)
    tables[f"{smu}.source"].getters["compliance"] = channel.is_limited
    tables[f"{smu}.measure"].functions["_read"] = lambda: _told(channel)
    return tables


def _attributes(channel: SourceMeasureChannel, table: str) -> TspTable:
    names = TABLES[table]
    return TspTable(
        getters={name: partial(channel.get, table, name) for name in names},
        setters={name: partial(channel.set, table, name) for name in names},
    )


def _told(channel: SourceMeasureChannel) -> tuple[float, float, int, float, float]:
    reading = channel.read()
    return reading.current, reading.voltage, reading.status, reading.time, reading.level


def _packed(numbers: str, width: float, byte_order: float) -> str:
    """Return numbers, parted by blanks, as IEEE 754 floats of `width` bytes; 1: little endian."""
    values = [float(number) for number in str(numbers).split()]
    letters = ("<" if byte_order == 1 else ">") + str(len(values)) + ("f" if width == 4 else "d")
    return struct.pack(letters, *values).decode("latin-1")
