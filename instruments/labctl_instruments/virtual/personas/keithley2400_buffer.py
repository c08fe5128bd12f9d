"""The buffer of a Keithley 2400, and what it computes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labctl_instruments.virtual.reading_format import ReadingFormat, Values
from labctl_instruments.virtual.scpi import Choice, CommandTable, Integer, ScpiError, Status
from labctl_instruments.virtual.source_meter import Reading

FloatArray = npt.NDArray[np.float64]

NOT_MEASURED = 9.91e37
MOST_READINGS = 2500
BUFFER_FULL = 512
"""Bit of the measurement event register."""
_COMPUTED = ("VOLT", "CURR", "RES")


class Elements(Protocol):
    """What of a reading is told, and how."""

    form: ReadingFormat
    """How readings are written."""

    def keeps(self, name: str) -> bool:
        """Return whether an element is answered."""
        ...

    def elements_of(self, reading: Reading) -> list[float]:
        """Return what is answered of a reading."""
        ...

    def values_of(self, reading: Reading) -> dict[str, float]:
        """Return voltage, current and resistance of a reading."""
        ...


def _spread(rows: FloatArray) -> FloatArray:
    """Return the deviation of each column of a sample."""
    return np.asarray(np.std(rows, axis=0, ddof=1 if len(rows) > 1 else 0))


_STATISTICS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "MEAN": lambda rows: np.asarray(rows.mean(axis=0)),
    "SDEV": _spread,
    "MAX": lambda rows: np.asarray(rows.max(axis=0)),
    "MIN": lambda rows: np.asarray(rows.min(axis=0)),
    "PKPK": lambda rows: np.asarray(np.ptp(rows, axis=0)),
}


class Buffer:
    """Readings that are kept, and their statistics.

    Parameters
    ----------
    status : Status
        Where a full buffer is told.
    table : CommandTable
        Where its commands go.
    elements : Elements
        What of a reading is told.
    """

    def __init__(self, status: Status, table: CommandTable, elements: Elements) -> None:
        self._status = status
        self._elements = elements
        self._readings: list[Reading] = []
        self._points = 100
        self._is_feeding = False
        self._statistic = "MEAN"
        self._add(table)

    def stop(self) -> None:
        """Keep no more readings; those that are kept stay."""
        self._is_feeding = False

    def feed(self, reading: Reading) -> None:
        """Keep a reading, if readings are kept now."""
        if not self._is_feeding:
            return
        self._readings.append(reading)
        if len(self._readings) >= self._points:
            self._is_feeding = False
            self._status.measurement.event |= BUFFER_FULL

    def _add(self, table: CommandTable) -> None:
        table.setting(
            ":TRACe:POINts",
            Integer(1, MOST_READINGS),
            lambda: self._points,
            lambda count: setattr(self, "_points", count),
        )
        table.query(":TRACe:POINts:ACTual", lambda: len(self._readings))
        table.query(":TRACe:DATA", self._tell_buffer)
        table.command(":TRACe:CLEar", self._readings.clear)
        table.stored(":TRACe:FEED", Choice(("SENSe", "CALCulate", "CALC2"), default="SENS"))
        table.setting(
            ":TRACe:FEED:CONTrol",
            Choice(("NEXT", "NEVer")),
            lambda: "NEXT" if self._is_feeding else "NEV",
            lambda word: setattr(self, "_is_feeding", word == "NEXT"),
        )
        table.stored(":TRACe:TSTamp:FORMat", Choice(("ABSolute", "DELTa"), default="ABS"))
        table.setting(
            ":CALCulate#:FORMat",
            Choice(("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK")),
            lambda number: self._statistic,
            self._put_statistic,
        )
        table.query(":CALCulate#:DATA", lambda number: self._tell_statistic())
        register = self._status.measurement
        table.query(":STATus:MEASurement[:EVENt]", register.take_event)
        table.query(":STATus:MEASurement:CONDition", lambda: register.condition)
        table.setting(
            ":STATus:MEASurement:ENABle",
            Integer(0, 65535),
            lambda: register.enable,
            lambda value: setattr(register, "enable", value),
        )

    def _tell_buffer(self) -> Values | str:
        elements = self._elements.elements_of
        return self._elements.form.tell(
            [each for reading in self._readings for each in elements(reading)]
        )

    def _put_statistic(self, number: int, word: str) -> None:
        if number != 3:
            raise ScpiError(-114, f"CALCulate{number} computes no statistics")
        self._statistic = word

    def _tell_statistic(self) -> list[float]:
        """Return a statistic of each element that the buffer holds."""
        if not self._readings:
            raise ScpiError(-230)
        rows = np.array(
            [list(self._elements.values_of(reading).values()) for reading in self._readings]
        )
        with np.errstate(invalid="ignore", over="ignore"):
            found = _STATISTICS[self._statistic](rows)
        kept = [self._elements.keeps(name) for name in _COMPUTED]
        return [
            NOT_MEASURED if not math.isfinite(value) or abs(value) >= 1e36 else float(value)
            for value, is_kept in zip(found, kept, strict=True)
            if is_kept
        ]
