"""Write an imported table as a run file, so that all that reads runs reads it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, Geometry
from labctl_data.errors import CellsError, TableError
from labctl_data.importing.mapping import TableMapping, load_mapping
from labctl_data.importing.reading import FloatArray, Quantities, read_quantities
from labctl_data.run_file.layout import Column
from labctl_data.run_file.writer import RunWriter

PROCEDURE = "Import"
"""What run files of imported tables give as their procedure."""


@dataclass(frozen=True)
class ImportReport:
    """What was imported."""

    file: Path
    """The run file."""
    measurement: str
    """What the table is of."""
    rows: int
    """Rows written."""
    cells: int
    """Cells they are of."""
    skipped: int
    """Rows left out because a number was missing."""


def import_table(mapping_file: Path, output: Path, *, folder: Path | None = None) -> ImportReport:
    """Write the table that a mapping file describes as a run file.

    Parameters
    ----------
    mapping_file : Path
        The mapping.
    output : Path
        The run file; must not exist.
    folder : Path, optional
        What the mapping's tables are relative to; its own folder when not given.

    Raises
    ------
    TableError
        If the mapping or the table is not as it should be: with line and column.
    RunFileError
        If the output exists or cannot be written.
    """
    mapping = load_mapping(mapping_file)
    where = mapping_file.parent if folder is None else folder
    found = read_quantities(mapping, where)
    cells = _cells(mapping, found)
    rows = {name: found.values[name] for name in mapping.units}
    if "conductance" in rows and mapping.measurement == "endurance":
        cells, rows = _paired(cells, rows, mapping)
    _check(rows, found, mapping)
    columns = [Column(name, "", name, "i4") for name in ("pe", "row", "column")]
    columns += [
        Column(name, mapping.units.get(name, "S"), name.capitalize())
        for name in rows
        if name != "time"
    ]
    attributes = {
        "procedure": PROCEDURE,
        "parameters": mapping.model_dump(mode="json"),
        "geometry": list(mapping.chip.geometry.shape),
        "wafer": mapping.chip.wafer,
        "die": mapping.chip.die,
        "chip": mapping.chip.chip,
        "table_sha256": hashlib.sha256((where / mapping.table).read_bytes()).hexdigest(),
    }
    addresses = cells.addresses
    with RunWriter.create(output, columns=columns, attributes=attributes) as writer:
        writer.append(
            {
                "time": rows.get("time", np.zeros(len(addresses))),
                **dict(zip(("pe", "row", "column"), addresses.T, strict=True)),
                **{name: values for name, values in rows.items() if name != "time"},
            }
        )
        writer.finish()
    n_cells = len(np.unique(addresses, axis=0))
    return ImportReport(output, mapping.measurement, len(addresses), n_cells, found.skipped)


def _cells(mapping: TableMapping, found: Quantities) -> Cells:
    geometry, values = mapping.chip.geometry, found.values
    if "cell" in values:
        flat = _whole(values["cell"], "cell", mapping, found)
        inside = (flat >= 0) & (flat < geometry.n_cells)
        if not inside.all():
            row = int(np.flatnonzero(~inside)[0])
            raise TableError(
                f"{mapping.table}: line {found.line[row]}: cell {flat[row]} is not on a chip of "
                f"{geometry.n_cells} cells"
            )
        return Cells.of(np.stack(np.unravel_index(flat, geometry.shape), axis=-1))
    pe = values.get("pe", np.zeros(len(found.line)))
    parts = {"pe": pe, "row": values["row"], "column": values["column"]}
    whole = [_whole(part, name, mapping, found) for name, part in parts.items()]
    cells = Cells.of(np.stack(whole, axis=-1))
    _inside(cells, geometry, mapping)
    return cells


def _inside(cells: Cells, geometry: Geometry, mapping: TableMapping) -> None:
    try:
        cells.index(geometry)
    except CellsError as error:
        raise TableError(f"{mapping.table}: {error}") from error


def _whole(
    values: FloatArray, name: str, mapping: TableMapping, found: Quantities
) -> npt.NDArray[np.int64]:
    whole = values.astype(np.int64)
    if (whole != values).any():
        row = int(np.flatnonzero(whole != values)[0])
        raise TableError(
            f"{mapping.table}: line {found.line[row]}: {name} must be a whole number, "
            f"found {values[row]:g}"
        )
    return whole


def _check(rows: dict[str, FloatArray], found: Quantities, mapping: TableMapping) -> None:
    """Refuse what no meter gives: times before the first look, widths of nothing."""
    for name, values in rows.items():
        if name in ("time", "width", "amplitude", "cycle") and (values < 0).any():
            row = int(np.flatnonzero(values < 0)[0])
            raise TableError(
                f"{mapping.table}: line {found.line[row]}: {name} {values[row]:g} is below zero"
            )


def _paired(
    cells: Cells, rows: dict[str, FloatArray], mapping: TableMapping
) -> tuple[Cells, dict[str, FloatArray]]:
    """Return one row a cell and cycle of a table that gives LRS and HRS in rows of their own."""
    keys = np.column_stack([cells.addresses, rows["cycle"]])
    _, first, member, count = np.unique(
        keys, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    if (count != 2).any():
        raise TableError(
            f"{mapping.table}: {int(np.sum(count != 2))} cycles of a cell have not two rows, "
            "LRS and HRS"
        )
    order = np.argsort(member.ravel(), kind="stable")
    pairs = rows["conductance"][order].reshape(-1, 2)
    kept = {"cycle": rows["cycle"][first], "high": pairs.max(axis=1), "low": pairs.min(axis=1)}
    return Cells.of(cells.addresses[first]), kept
