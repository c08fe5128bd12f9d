"""The SCPI commands by which a Keithley 2450 reads, keeps readings, and sweeps."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np

from labctl_instruments.virtual.personas.keithley2450_buffers import (
    DEFAULT_BUFFERS,
    MOST_READINGS,
    UNITS,
    BufferedReadings,
    curved,
    stepped,
)
from labctl_instruments.virtual.reading_format import ReadingFormat, Values
from labctl_instruments.virtual.scpi import (
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiError,
    Text,
)

_ELEMENTS = (
    "DATE",
    "FORMatted",
    "FRACtional",
    "READing",
    "RELative",
    "SEConds",
    "SOURce",
    "SOURFORMatted",
    "SOURSTATus",
    "SOURUNIT",
    "STATus",
    "TIME",
    "TSTamp",
    "UNIT",
)
_STYLES = ("STANdard", "COMPact", "FULL", "WRITable", "FULLWRITable")


class ReadingCommands:
    """Registers the commands, and answers them.

    Parameters
    ----------
    buffers : BufferedReadings
        The instrument's readings.
    form : ReadingFormat
        How they are written.
    table : CommandTable
        Where the commands go.
    """

    def __init__(self, buffers: BufferedReadings, form: ReadingFormat, table: CommandTable) -> None:
        self._buffers = buffers
        self._tell = form.tell
        self._add_readings(table)
        self._add_buffers(table)
        self._add_triggers(table)
        for name, word in (("VOLT", "VOLTage"), ("CURR", "CURRent")):
            self._add_sweeps(table, name, word)

    def _add_readings(self, table: CommandTable) -> None:
        buffer = Text(is_optional=True, is_bare_allowed=True)
        elements = [Choice(_ELEMENTS, is_optional=True)] * len(_ELEMENTS)
        table.query(":READ", self._answer_reading, buffer, *elements)
        table.query(":FETCh", self._answer_last, buffer, *elements)
        table.query(":MEASure", self._answer_reading, buffer, *elements)
        for name, word in (("CURR", "CURRent"), ("VOLT", "VOLTage"), ("RES", "RESistance")):
            table.query(
                f":MEASure:{word}[:DC]",
                lambda *arguments, name=name: self._answer_function(name, arguments),
                buffer,
                *elements,
            )
        table.command("*TRG", lambda: self._buffers.read("defbuffer1"))
        table.setting(
            "[:SENSe[1]]:COUNt",
            Integer(1, 300_000, 1),
            lambda: self._buffers.readings_at_once,
            lambda count: setattr(self._buffers, "readings_at_once", count),
        )

    def _add_buffers(self, table: CommandTable) -> None:
        name = Text(is_optional=True, is_bare_allowed=True)
        named = Text(is_bare_allowed=True)
        style = Choice(_STYLES, is_optional=True)
        table.command(
            ":TRACe:MAKE",
            lambda name, size, *_: self._buffers.make(name, size),
            named,
            Integer(10, 6_875_000),
            style,
        )
        table.command(":TRACe:DELete", self._buffers.delete, named)
        table.command(":TRACe:POINts", self._buffers.resize, Integer(10, 6_875_000), name)
        table.query(":TRACe:POINts", lambda *args: self._buffers.buffer(*args).maxlen or 0, name)
        table.command(":TRACe:CLEar", lambda *args: self._buffers.buffer(*args).clear(), name)
        table.query(":TRACe:ACTual", lambda *args: len(self._buffers.buffer(*args)), name)
        table.query(
            ":TRACe:ACTual:STARt", lambda *args: min(len(self._buffers.buffer(*args)), 1), name
        )
        table.query(":TRACe:ACTual:END", lambda *args: len(self._buffers.buffer(*args)), name)
        table.command(
            ":TRACe:TRIGger", lambda *args: self._buffers.read(*args or DEFAULT_BUFFERS[:1]), name
        )
        index = Integer(1, 6_875_000, is_optional=True)
        elements = [Choice(_ELEMENTS, is_optional=True)] * len(_ELEMENTS)
        table.query(":TRACe:DATA", self._tell_data, index, index, name, *elements)
        table.stored(":TRACe:FILL:MODE", Choice(("CONTinuous", "ONCE"), default="CONT"))
        for word, statistic in _STATISTICS.items():
            table.query(
                f":TRACe:STATistics:{word}",
                lambda *args, statistic=statistic: self._tell_statistic(statistic, args),
                name,
            )
        table.command(":TRACe:STATistics:CLEar", lambda *_: None, name)
        table.ignored(":TRACe:FEED", ":TRACe:FEED:CONTrol", ":STATus:MEASurement:ENABle")

    def _add_triggers(self, table: CommandTable) -> None:
        buffer = Text(is_optional=True, is_bare_allowed=True)
        table.command(":INITiate[:IMMediate]", self._buffers.initiate)
        table.command(":ABORt", lambda: None)
        table.query(":TRIGger:STATe", lambda: "IDLE;IDLE;0")
        words = Text(is_bare_allowed=True)
        count = Integer(1, MOST_READINGS, is_optional=True)
        delay = Number("S", 0.0, 10_000.0, is_optional=True)
        table.command(":TRIGger:LOAD", self._buffers.load, words, count, delay, buffer)

    def _add_sweeps(self, table: CommandTable, name: str, word: str) -> None:
        level = Number(
            UNITS[name],
            -self._buffers.meter.model.highest[name],
            self._buffers.meter.model.highest[name],
        )
        points = Integer(2, MOST_READINGS)
        step = Number(UNITS[name])
        rest = (
            Number("S", -1.0, 10_000.0, is_optional=True),
            Integer(0, MOST_READINGS, is_optional=True),
            Choice(("AUTO", "BEST", "FIXed"), is_optional=True),
            Boolean(is_optional=True),
            Boolean(is_optional=True),
            Text(is_optional=True, is_bare_allowed=True),
        )
        head = f":SOURce[1]:SWEep:{word}"
        table.command(
            f"{head}:LINear",
            lambda start, stop, n, *how: self._buffers.load_sweep(
                name, np.linspace(start, stop, n), how
            ),
            *(level, level, points),
            *rest,
        )
        table.command(
            f"{head}:LINear:STEP",
            lambda start, stop, by, *how: self._buffers.load_sweep(
                name, stepped(start, stop, by), how
            ),
            *(level, level, step),
            *rest,
        )
        table.command(
            f"{head}:LOGarithmic",
            lambda start, stop, n, *how: self._buffers.load_sweep(
                name, curved(start, stop, n), how
            ),
            *(level, level, points),
            *rest,
        )
        table.command(f"{head}:LIST", lambda *how: self._buffers.load_list(name, how), *_LIST)
        several = Number(UNITS[name], level.minimum, level.maximum, is_optional=True)
        header = f":SOURce[1]:LIST:{word}"
        table.command(
            header, lambda *levels: self._buffers.put_list(name, levels), level, *[several] * 99
        )
        table.query(header, lambda: list(self._buffers.levels(name)))
        table.query(f"{header}:POINts", lambda: len(self._buffers.levels(name)))
        table.command(
            f"{header}:APPend",
            lambda *levels: self._buffers.put_list(name, self._buffers.levels(name) + levels),
            level,
            *[several] * 99,
        )

    def _answer_reading(self, *arguments: str) -> Values | str:
        name, *elements = arguments or ("defbuffer1",)
        entry = self._buffers.read(name)
        return self._tell([entry.element(element) for element in elements or ("READ",)])

    def _answer_last(self, *arguments: str) -> Values | str:
        name, *elements = arguments or ("defbuffer1",)
        buffer = self._buffers.buffer(name)
        if not buffer:
            raise ScpiError(-230, f"buffer '{name}' is empty")
        return self._tell([buffer[-1].element(element) for element in elements or ("READ",)])

    def _answer_function(self, name: str, arguments: tuple[str, ...]) -> Values | str:
        self._buffers.meter.settings.sense = name
        return self._answer_reading(*arguments)

    def _tell_data(self, *arguments: int | str) -> Values | str:
        """Answer a part of a buffer; all of the first one where PyMeasure names no part."""
        numbers = [part for part in arguments if isinstance(part, int)]
        name, *elements = [part for part in arguments if isinstance(part, str)] or ["defbuffer1"]
        entries = list(self._buffers.buffer(name))
        first, last = numbers if len(numbers) == 2 else (1, len(entries))
        if not 1 <= first <= last <= len(entries):
            raise ScpiError(-222, f"readings {first} to {last} of {len(entries)}")
        chosen = entries[first - 1 : last]
        told = elements or ("READ",)
        return self._tell([entry.element(element) for entry in chosen for element in told])

    def _tell_statistic(
        self, statistic: Callable[[Sequence[float]], float], arguments: tuple[str, ...]
    ) -> float:
        values = [entry.value for entry in self._buffers.buffer(*arguments)]
        return float(statistic(values)) if values else 0.0


_LIST = (
    Integer(1, 100, is_optional=True),
    Number("S", -1.0, 10_000.0, is_optional=True),
    Integer(0, MOST_READINGS, is_optional=True),
    Boolean(is_optional=True),
    Text(is_optional=True, is_bare_allowed=True),
)
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "AVERage": statistics.fmean,
    "MAXimum": max,
    "MINimum": min,
    "STDDev": lambda values: statistics.stdev(values) if len(values) > 1 else 0.0,
}
