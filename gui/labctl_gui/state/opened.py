"""A finished run file, opened to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.pulse import PulseKind
from labctl_data.run_file import Column
from labctl_gui.state.cell_events import NO_TRACE, READ, CellTrace
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.rings import Table

IntArray = npt.NDArray[np.int64]

_ADDRESSED = {"pe", "row", "column", "conductance"}


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """What the window shows of a run file."""

    path: Path
    """The file."""
    procedure: str
    """Name of what was measured."""
    status: str
    """complete, aborted, failed, interrupted or running."""
    table: Table
    """Its rows."""
    columns: Mapping[str, Column]
    """What the columns are."""
    chip_map: ChipMap | None
    """The last known conductance of each cell; None where the file tells of none."""
    facts: Mapping[str, str]
    """Parameters and provenance, as text."""

    def trace(self, cell: tuple[int, int, int]) -> CellTrace:
        """Return the life of the cell (pe, row, column) during the run."""
        if not self.table.keys() >= _ADDRESSED:
            return NO_TRACE
        matches = [self.table[n] == v for n, v in zip(("pe", "row", "column"), cell, strict=True)]
        return trace_of_rows(self.table, np.flatnonzero(np.logical_and.reduce(matches)))


def trace_of_rows(table: Table, rows: IntArray) -> CellTrace:
    """Return what the rows numbered `rows`, of one cell, tell of its life."""
    conductances = np.asarray(table["conductance"], np.float64)[rows]
    kinds = np.asarray(table["kind"], np.int64)[rows] if "kind" in table else None
    pulsed = np.full(len(rows), READ) if kinds is None else np.where(kinds < 0, READ, kinds)
    amplitude = table.get("amplitude")
    return CellTrace(
        np.cumsum((pulsed == PulseKind.SET) | (pulsed == PulseKind.RESET)),
        conductances,
        pulsed,
        np.full(len(rows), np.nan)
        if amplitude is None
        else np.asarray(amplitude, np.float64)[rows],
    )


def open_run_file(path: Path) -> OpenedRun:
    """Read a run file whole.

    Raises
    ------
    RunFileError
        If it is not one, or is damaged.
    """
    from labctl_data.run_file import open_run  # h5py: 0.1 s that the window need not wait for

    run = open_run(path)
    facts = run.attributes
    table = run.records()
    return OpenedRun(
        path=path,
        procedure=run.procedure,
        status=str(run.status),
        table=table,
        columns={column.name: column for column in run.columns},
        chip_map=_last_map(table, facts.get("geometry")),
        facts={name: str(value) for name, value in facts.items()},
    )


def _last_map(table: Table, geometry: object) -> ChipMap | None:
    """Return the last conductance that the rows tell of each cell."""
    if not isinstance(geometry, list) or not table.keys() >= _ADDRESSED:
        return None
    chip_map = ChipMap(Geometry(*(int(size) for size in geometry)))
    address = tuple(np.asarray(table[name], np.int64) for name in ("pe", "row", "column"))
    index = np.ravel_multi_index(address, chip_map.geometry.shape)
    # Of several rows of one cell the last one counts; fancy assignment does not promise that.
    latest = np.zeros(chip_map.geometry.n_cells, np.int64)
    np.maximum.at(latest, index, np.arange(1, len(index) + 1))
    known = np.flatnonzero(latest)
    conductances = np.asarray(table["conductance"], np.float64)
    chip_map.update(known, conductances[latest[known] - 1])
    aim_at(chip_map, table)
    return chip_map


def aim_at(chip_map: ChipMap, rows: Mapping[str, npt.ArrayLike]) -> None:
    """Put the targets that rows tell of on the map; nothing where they tell of none.

    Parameters
    ----------
    chip_map : ChipMap
        The map.
    rows : mapping of str to array_like of shape (n,) or scalar
        Columns by name, targets in S.
    """
    if not rows.keys() >= {"pe", "row", "column", "target"}:
        return
    named = [np.asarray(rows[name]) for name in ("pe", "row", "column", "target")]
    pe, row, column, target = (np.atleast_1d(part) for part in np.broadcast_arrays(*named))
    address = tuple(part.astype(np.int64) for part in (pe, row, column))
    index = np.ravel_multi_index(address, chip_map.geometry.shape)
    chip_map.aim(np.asarray(index, np.int64), target.astype(np.float64))
