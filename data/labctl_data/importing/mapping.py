"""The mapping: what a table is of, which column means what, and in which unit."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import pint
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labctl_data.cells import Geometry
from labctl_data.errors import TableError
from labctl_data.toml_file import tell

MEASUREMENTS = MappingProxyType(
    {
        "retention": MappingProxyType({"time": "s", "conductance": "S"}),
        "reads": MappingProxyType({"time": "s", "conductance": "S"}),
        "pulse": MappingProxyType(
            {"amplitude": "V", "width": "s", "gate": "V", "before": "S", "after": "S"}
        ),
        "iv": MappingProxyType({"voltage": "V", "current": "A"}),
        "endurance": MappingProxyType({"cycle": "", "high": "S", "low": "S"}),
        "forming": MappingProxyType({"before": "S", "after": "S"}),
        "bake": MappingProxyType({"before": "S", "after": "S"}),
    }
)
"""Measurements, each with the columns it needs and their SI units.

retention: cells written once and looked at again; time counts from the first look. reads: cells
looked at many times, left alone long before. pulse: one pulse on each cell. iv: quasi-static loops
too small to switch. endurance: cells cycled, LRS and HRS conductance of a cycle. forming, bake:
conductances before and after.
"""
CELL_COLUMNS = ("cell", "pe", "row", "column")
SEPARATORS = MappingProxyType({"tab": "\t", "comma": ",", "semicolon": ";", "space": " "})

_STRICT = ConfigDict(extra="forbid", frozen=True)


class ColumnSource(BaseModel):
    """Where a quantity stands in the table, or its one value, and the unit."""

    model_config = _STRICT

    column: Annotated[int, Field(ge=0)] | str | None = None
    """Name in the header, or number counted from 0."""
    value: float | None = None
    """The same for all rows, in place of a column."""
    unit: str | None = None
    """Any unit of the quantity: `uS`, `kohm` (turned over for a conductance), `ms`, `mV`."""
    table: Path | None = None
    """Another table of the same layout, joined by cell."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.value is None):
            raise ValueError("give either a column or a value")
        return self


class ImportedChip(BaseModel):
    """The chip that the table is of."""

    model_config = _STRICT

    wafer: str = ""
    die: str = ""
    chip: str
    rows: Annotated[int, Field(gt=0)]
    columns: Annotated[int, Field(gt=0)]
    pes: Annotated[int, Field(gt=0)] = 1

    @property
    def geometry(self) -> Geometry:
        """Its size."""
        return Geometry(self.pes, self.rows, self.columns)


class TableMapping(BaseModel):
    """What a table of another program says, in labctl's terms."""

    model_config = _STRICT

    measurement: Literal["retention", "reads", "pulse", "iv", "endurance", "forming", "bake"]
    table: Path
    """The table; relative to the mapping's folder. `.gz` is unpacked."""
    header: bool = False
    """Whether the first line names the columns."""
    separator: Literal["tab", "comma", "semicolon", "space"] = "tab"
    missing: Literal["refuse", "skip"] = "refuse"
    """What to do with rows that hold no number: refuse the table, or leave the rows out."""
    pulse: Literal["SET", "RESET"] | None = None
    """Kind of the pulses of a `pulse` table."""
    temperature: Annotated[float, Field(gt=0)] | None = None
    """Temperature of a `bake`, in K."""
    duration: Annotated[float, Field(gt=0)] | None = None
    """Duration of a `bake`, in s."""
    chip: ImportedChip
    columns: dict[str, ColumnSource]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        units = self.units
        known = {*units, *CELL_COLUMNS}
        if unknown := sorted(self.columns.keys() - known):
            raise ValueError(
                f"columns.{unknown[0]}: a {self.measurement} table has no such quantity; "
                f"there are {', '.join(sorted(known))}"
            )
        if missing := sorted(units.keys() - self.columns.keys()):
            raise ValueError(
                f"columns.{missing[0]} is missing: a {self.measurement} table needs "
                f"{', '.join(units)}"
            )
        if "cell" not in self.columns and not {"row", "column"} <= self.columns.keys():
            raise ValueError("columns.cell is missing: give cell (a number), or row and column")
        if (self.measurement == "pulse") != (self.pulse is not None):
            raise ValueError("pulse = 'SET' or 'RESET' is for a pulse table, and needed there")
        for name, unit in units.items():
            factor(name, self.columns[name].unit, unit)
        return self

    @property
    def units(self) -> dict[str, str]:
        """The quantities of the measurement and their SI units; LRS and HRS may share a column."""
        units = dict(MEASUREMENTS[self.measurement])
        if self.measurement == "endurance" and "conductance" in self.columns:
            return {"cycle": units["cycle"], "conductance": "S"}
        return units


def load_mapping(path: Path) -> TableMapping:
    """Read and check a mapping file.

    Raises
    ------
    TableError
        If it cannot be read, lacks a quantity or a unit, or a unit is of another quantity.
    """
    try:
        return TableMapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TableError(f"{path}: {error}") from error
    except ValidationError as error:
        table, problem = tell(error.errors()[0], TableMapping)
        place = f"{path.name} [{table}]" if table else path.name
        raise TableError(f"{place}: {problem}") from error


def factor(name: str, unit: str | None, si: str) -> tuple[float, bool]:
    """Return what a number in `unit` is multiplied by to be in `si`, and whether turned over.

    Raises
    ------
    ValueError
        If the unit is missing, unknown, or of another quantity.
    """
    if si == "":
        if unit not in (None, "", "1"):
            raise ValueError(f"columns.{name}: asked for a pure number, found unit '{unit}'")
        return 1.0, False
    if unit is None:
        raise ValueError(f"columns.{name}: unit is missing; it is a quantity in {si}")
    registry = _registry()
    try:
        given = registry.Quantity(1.0, unit)
    except (pint.errors.PintError, AttributeError, ValueError, TypeError) as error:
        raise ValueError(f"columns.{name}: unit '{unit}' is unknown") from error
    if given.is_compatible_with(si):
        return float(given.to(si).magnitude), False
    if si == "S" and given.is_compatible_with("ohm"):
        return 1.0 / float(given.to("ohm").magnitude), True
    raise ValueError(f"columns.{name}: asked for a quantity in {si}, found unit '{unit}'")


@cache
def _registry() -> pint.UnitRegistry[Any]:
    return pint.UnitRegistry()
