"""Read the columns of a text table as numbers in SI units; say where a number is none."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labctl_data.errors import TableError
from labctl_data.importing.mapping import (
    CELL_COLUMNS,
    SEPARATORS,
    ColumnSource,
    TableMapping,
    factor,
)

FloatArray = npt.NDArray[np.float64]
LARGEST = 2**29
"""Longest table read, in characters after unpacking."""


@dataclass(frozen=True, eq=False)
class Quantities:
    """The quantities of a table, in SI units."""

    values: dict[str, FloatArray]
    """By name, shape (n,) each; addresses too."""
    line: npt.NDArray[np.int64]
    """Line of the table that each row stood on, counted from 1."""
    skipped: int
    """Rows left out because a number was missing."""


@dataclass(frozen=True, eq=False)
class _Lines:
    """A table as text."""

    path: Path
    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    first: int
    """Line of the first row, counted from 1."""


def read_quantities(mapping: TableMapping, folder: Path) -> Quantities:
    """Return what the mapping asks for.

    Parameters
    ----------
    mapping : TableMapping
        What to read.
    folder : Path
        What its paths are relative to.

    Raises
    ------
    TableError
        If a table or a column is missing, or a number is none: with line and column.
    """
    lines = _lines(folder / mapping.table, mapping)
    values = {
        name: _quantity(mapping, lines, name, source, folder)
        for name, source in mapping.columns.items()
    }
    sound = np.logical_and.reduce([np.isfinite(column) for column in values.values()])
    if mapping.missing == "refuse" and not sound.all():
        _refuse(lines, mapping, values, int(np.flatnonzero(~sound)[0]))
    return Quantities(
        {name: column[sound] for name, column in values.items()},
        np.arange(lines.first, lines.first + len(lines.rows))[sound],
        int(np.sum(~sound)),
    )


def _lines(path: Path, mapping: TableMapping) -> _Lines:
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as stream:
            text = stream.read(LARGEST + 1).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: cannot be read as text: {error}") from error
    if len(text) > LARGEST:
        raise TableError(f"{path}: asked for at most {LARGEST} characters, found more")
    separator = SEPARATORS[mapping.separator]
    skip = separator == " "
    rows = list(csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=skip))
    names = tuple(name.strip() for name in rows.pop(0)) if mapping.header and rows else ()
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        raise TableError(f"{path}: holds no rows")
    return _Lines(path, names, rows, 2 if mapping.header else 1)


def _quantity(
    mapping: TableMapping, lines: _Lines, name: str, source: ColumnSource, folder: Path
) -> FloatArray:
    if source.value is not None:
        numbers = np.full(len(lines.rows), source.value)
    elif source.table is not None:
        numbers = _joined(mapping, lines, source, folder / source.table)
    else:
        numbers = _column(lines, source)
    if name in CELL_COLUMNS:
        return numbers
    scale, turned = factor(name, source.unit, mapping.units[name])
    if not turned:
        return numbers * scale
    with np.errstate(divide="ignore"):
        conductance: FloatArray = scale / numbers
    return conductance


def _column(lines: _Lines, source: ColumnSource) -> FloatArray:
    place = _place(lines, source)
    values = np.empty(len(lines.rows))
    for k, row in enumerate(lines.rows):
        if place >= len(row):
            raise TableError(
                f"{lines.path}: line {lines.first + k}: column {source.column} is missing, "
                f"the line has {len(row)}"
            )
        values[k] = _number(lines, k, row[place], source)
    return values


def _number(lines: _Lines, k: int, text: str, source: ColumnSource) -> float:
    word = text.strip()
    if word.lower() in ("", "nan", "na", "none", "null"):
        return math.nan
    try:
        return float(word)
    except ValueError:
        raise TableError(
            f"{lines.path}: line {lines.first + k}, column {source.column}: "
            f"asked for a number, found '{word}'"
        ) from None


def _place(lines: _Lines, source: ColumnSource) -> int:
    if isinstance(source.column, int):
        return source.column
    if source.column not in lines.names:
        there = ", ".join(lines.names) or "no header"
        raise TableError(f"{lines.path}: column '{source.column}' is missing; there is {there}")
    return lines.names.index(source.column)


def _joined(mapping: TableMapping, lines: _Lines, source: ColumnSource, table: Path) -> FloatArray:
    """Return a column of another table, in the order of this one's cells."""
    other = _lines(table, mapping)
    cell = mapping.columns.get("cell")
    if cell is None:
        raise TableError(f"{other.path}: is joined by cell, but the mapping names no column 'cell'")
    found = dict(zip(_column(other, cell), _column(other, source), strict=True))
    wanted = _column(lines, cell)
    return np.array([found.get(each, math.nan) for each in wanted])


def _refuse(lines: _Lines, mapping: TableMapping, values: dict[str, FloatArray], row: int) -> None:
    name = next(name for name, column in values.items() if not np.isfinite(column[row]))
    source = mapping.columns[name]
    where = source.column if source.table is None else f"{source.column} of {source.table}"
    raise TableError(
        f"{lines.path}: line {lines.first + row}, column {where}: no {name} "
        "(missing = 'skip' leaves such rows out)"
    )
