"""Parameters of procedures: PyMeasure's, which also read `58nA`, and check when they are set.

Each is a descriptor: on the class it is the PyMeasure parameter, on a procedure its value in SI.
PyMeasure alone checks a value late, and silently drops a parameter it does not know.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

import numpy as np
from pymeasure.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)

from labctl_data.cells import Cells, Geometry
from labctl_procedures.errors import ParameterError
from labctl_procedures.quantities import format_quantity, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Checked(Generic[T]):
    """Store a parameter's value on its procedure, converted and checked when it is set."""

    attribute: str
    """Name under which the parameter stands on its procedure."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> T: ...
    def __get__(self, instance: object | None, owner: type | None = None) -> Self | T:
        if instance is None:
            return self
        return self.value_on(instance)

    def __set__(self, instance: object, value: Any) -> None:  # noqa: ANN401  (text or value)
        try:
            instance.__dict__[self.attribute] = cast("Any", self).convert(value)
        except ValueError as error:
            owner = type(instance).__name__
            raise ParameterError(f"{owner}: parameter '{self.attribute}': {error}") from error

    def value_on(self, instance: object) -> T:
        """Return the value that `instance` works with."""
        return cast("T", instance.__dict__[self.attribute])


class QuantityParameter(Checked[float], FloatParameter):
    """A physical quantity; `0.2`, `"0.2 V"` and `"200mV"` are the same."""

    def convert(self, value: object) -> float:
        """Return `value` in SI; refuse what is no quantity in this unit or beyond the limits."""
        number = _number(value, self.units or "")
        _refuse_outside(number, self.minimum, self.maximum, self.units or "")
        return number


class CountParameter(Checked[int], IntegerParameter):
    """A whole number; `1000000` and `"1e6"` are the same."""

    def convert(self, value: object) -> int:
        """Return `value` as an integer; refuse a fraction, or what is beyond the limits."""
        number = _number(value, "")
        if number != int(number):
            raise ParameterError(f"{value!r} is not a whole number")
        _refuse_outside(number, self.minimum, self.maximum, "")
        return int(number)


class ChoiceParameter(Checked[str], ListParameter):
    """One of a few words."""

    def convert(self, value: object) -> str:
        """Return `value` if it is one of the choices."""
        if value not in self.choices:
            raise ParameterError(f"{value!r} is none of {', '.join(self.choices)}")
        return str(value)


class SwitchParameter(Checked[bool], BooleanParameter):
    """Yes or no; `"true"` and `"false"` at the command line."""

    def convert(self, value: object) -> bool:
        """Return `value` as a truth value."""
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        found = words.get(str(value).lower())
        if found is None:
            raise ParameterError(f"{value!r} is neither true nor false")
        return found


class QuantitiesParameter(Checked[tuple[float, ...]], Parameter):
    """A list of quantities of one unit: `"10min, 1h"`, or a sequence in SI; it may be empty."""

    def __init__(
        self,
        name: str,
        *,
        units: str,
        default: tuple[float, ...],
        limits: tuple[float, float],
        description: str,
    ) -> None:
        self.units = units
        self.minimum, self.maximum = limits
        super().__init__(name, default=default, description=description)

    def convert(self, value: object) -> tuple[float, ...]:
        """Return the quantities in SI; refuse one that is none, or beyond the limits."""
        numbers = tuple(_number(part, self.units) for part in _parts(value))
        for number in numbers:
            _refuse_outside(number, self.minimum, self.maximum, self.units)
        return numbers


class CellsParameter(Checked[Cells], Parameter):
    """A set of cells: `0/0:128/0:16`, a list, a mask file, or `Cells`.

    It is kept as text and becomes `Cells` on the chip of the procedure's station.
    """

    def convert(self, value: object) -> str:
        """Return the cells as text; what it means is known only on a chip."""
        if isinstance(value, Cells):
            return cells_text(value)
        if not isinstance(value, str) or not value.strip():
            raise ParameterError(f"{value!r} names no cells; e.g. 0/0:128/0:16")
        return value.strip()

    def value_on(self, instance: object) -> Cells:
        """Return the cells on the chip of the station that `instance` holds."""
        station = getattr(instance, "station", None)
        if station is None:
            owner = type(instance).__name__
            raise ParameterError(f"{owner}: '{self.attribute}' is known once there is a station")
        return self._on_chip(instance, station.geometry)

    def _on_chip(self, instance: object, geometry: Geometry) -> Cells:
        text = instance.__dict__[self.attribute]
        place = f"{self.attribute} on chip"
        known = instance.__dict__.get(place)
        if known is None or known[:2] != (text, geometry):
            known = (text, geometry, Cells.from_text(text, geometry))
            instance.__dict__[place] = known
        return cast("Cells", known[2])


def cells_text(cells: Cells) -> str:
    """Write cells so that `Cells.from_text` gives them back, in the same order.

    Runs of columns, then runs of rows that hold the same columns, are drawn together.
    """
    rows = _runs(cells)
    merged: list[list[int]] = []
    for pe, row, start, stop in rows:
        last = merged[-1] if merged else None
        if last is not None and last[:1] + last[2:] == [pe, row, start, stop]:
            last[2] += 1
        else:
            merged.append([pe, row, row + 1, start, stop])
    return ", ".join(f"{pe}/{_span(r0, r1)}/{_span(c0, c1)}" for pe, r0, r1, c0, c1 in merged)


def _runs(cells: Cells) -> list[list[int]]:
    """Return [pe, row, first column, last column + 1] of each run of neighbouring columns."""
    runs: list[list[int]] = []
    for pe, row, column in cells.addresses.tolist():
        if runs and runs[-1][:2] + runs[-1][3:] == [pe, row, column]:
            runs[-1][3] += 1
        else:
            runs.append([pe, row, column, column + 1])
    return runs


def _span(start: int, stop: int) -> str:
    return str(start) if stop == start + 1 else f"{start}:{stop}"


def _number(value: object, unit: str) -> float:
    if isinstance(value, str):
        return parse_quantity(value, unit)
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ParameterError(f"{value!r} is not a {'quantity in ' + unit if unit else 'number'}")
    number = float(value)
    if not math.isfinite(number):
        raise ParameterError(f"{value!r} is not a finite number")
    return number


def _refuse_outside(value: float, minimum: float, maximum: float, unit: str) -> None:
    if not minimum <= value <= maximum:
        low, high = (format_quantity(limit, unit) for limit in (minimum, maximum))
        raise ParameterError(f"{format_quantity(value, unit)} is outside {low} to {high}")


def _parts(value: object) -> Sequence[object]:
    if isinstance(value, str):
        return [part for part in value.split(",") if part.strip()]
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    return [value]
