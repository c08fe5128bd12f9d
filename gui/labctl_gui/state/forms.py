"""Forms: what a person has typed for a procedure, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labctl_data.cells import Cells
from labctl_data.errors import LabctlError
from labctl_instruments.station import Station
from labctl_procedures import catalogue
from labctl_procedures.catalogue import ParameterInfo
from labctl_procedures.parameters import CellsParameter
from labctl_procedures.quantities import format_quantity


@dataclass(frozen=True)
class Field:
    """One line of a form."""

    info: ParameterInfo
    """What the parameter is."""
    text: str
    """What stands in the field."""
    problem: str = ""
    """Why it is refused; empty if it is not."""

    @property
    def limits(self) -> str:
        """The limits as a person reads them: `50 mV to 500 mV`; empty without any."""
        low, high = self.info.minimum, self.info.maximum
        if low is None and high is None:
            return ""
        if low is None:
            return f"at most {quantity_text(high, self.info.unit)}"
        if high is None:
            return f"at least {quantity_text(low, self.info.unit)}"
        return f"{quantity_text(low, self.info.unit)} to {quantity_text(high, self.info.unit)}"


class ProcedureForm:
    """What a person has typed for one procedure.

    Parameters
    ----------
    procedure : str
        Name in the catalogue.
    station : Station, optional
        The bench; cells are judged by its chip and the whole form by its envelope, once it is
        there. Nothing is sent to it.
    values : mapping, optional
        Texts to begin with, by parameter; defaults for the rest.
    """

    def __init__(
        self,
        procedure: str,
        *,
        station: Station | None = None,
        values: Mapping[str, str] | None = None,
    ) -> None:
        self.procedure = procedure
        self.problem = ""
        self._station = station
        loaded = catalogue.load(procedure)
        self._declared = loaded.declared()
        self.doc = (loaded.__doc__ or "").strip().partition("\n")[0]
        self._fields = {
            info.name: Field(info, default_text(info)) for info in catalogue.parameters_of(loaded)
        }
        for name, text in (values or {}).items():
            self._judge(name, text)
        self._judge_whole()

    @property
    def fields(self) -> tuple[Field, ...]:
        """The lines, in the procedure's order."""
        return tuple(self._fields.values())

    @property
    def values(self) -> dict[str, str]:
        """What is typed, by parameter; empty fields are left to their defaults."""
        return {f.info.name: f.text for f in self.fields if f.text.strip()}

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, field by field and then as a whole; empty when it can be started."""
        fields = (f"{f.info.label}: {f.problem}" for f in self.fields if f.problem)
        return (*fields, *((self.problem,) if self.problem else ()))

    def set_text(self, name: str, text: str) -> Field:
        """Type `text` into the field `name`, judge it and the whole, and return the field."""
        self._judge(name, text)
        self._judge_whole()
        return self._fields[name]

    def set_station(self, station: Station | None) -> None:
        """Judge everything again, now by the bench that is there."""
        self._station = station
        for field in self.fields:
            self._judge(field.info.name, field.text)
        self._judge_whole()

    def _judge(self, name: str, text: str) -> None:
        info = self._fields[name].info
        self._fields[name] = Field(info, text, self._field_problem(info, text))

    def _judge_whole(self) -> None:
        self.problem = ""
        if self._station is None or any(field.problem for field in self.fields):
            return
        try:
            made = catalogue.make(self.procedure, self.values)
            made.station = self._station
            made.check()
        except LabctlError as error:
            self.problem = shortened(str(error), self.procedure)

    def _field_problem(self, info: ParameterInfo, text: str) -> str:
        if not text.strip():
            return "" if info.default is not None else "a value is needed"
        try:
            catalogue.make(self.procedure, {info.name: text})
            if self._station is not None and self._takes_cells(info.name):
                Cells.from_text(text, self._station.geometry)
        except LabctlError as error:
            return shortened(str(error), self.procedure, f"'{info.name}'", f"{info.name} '")
        return ""

    def _takes_cells(self, name: str) -> bool:
        return isinstance(self._declared[name], CellsParameter)


def shortened(message: str, *places: str) -> str:
    """Return an error message without the `places` in front that the form already shows."""
    place, colon, reason = message.partition(": ")
    if colon and any(known in place for known in places):
        return shortened(reason, *places)
    return message


def default_text(info: ParameterInfo) -> str:
    """Return a parameter's default as a person would type it."""
    return value_text(info.default, info.unit)


def value_text(value: object, unit: str) -> str:
    """Return a parameter's value as a person would type it; numbers with prefix and unit."""
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return ", ".join(value_text(part, unit) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float):
        return str(value)
    return quantity_text(value, unit)


def quantity_text(value: float | None, unit: str) -> str:
    """Return a number with its unit, short; empty for None."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) and not unit else format_quantity(value, unit)
