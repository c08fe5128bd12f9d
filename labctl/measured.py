"""What run files say, as arrays: one table a procedure, for reports and comparisons."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.errors import ReportError
from labctl_data.run_file import Run

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

STILL = 1e-3
"""Part of the time since the write within which cells do not relax: 0.0004 decades."""
FRESH, MAP = 2, 3
"""Stages of a row of WriteVerify: the read that judges a finished write; a later map."""


@dataclass(frozen=True, eq=False)
class MapRead:
    """One read of all written cells."""

    after: float
    """Time since the end of the last write, in s."""
    conductance: FloatArray
    """In the order of `Written.map_targets`, shape (m,), in S."""


@dataclass(frozen=True, eq=False)
class Written:
    """What a run of WriteVerify came to."""

    targets: FloatArray
    """Target of each write, shape (n,), in S."""
    pulses: FloatArray
    """Pulses each write took, shape (n,)."""
    fresh: FloatArray
    """Averaged read right after each cell's own write, shape (n,), in S."""
    map_targets: FloatArray
    """Target of each cell when it was mapped, shape (m,), in S."""
    map_fresh: FloatArray
    """Fresh read of the write before the maps, shape (m,), in S."""
    maps: tuple[MapRead, ...]
    """Reads of all cells after the last write."""

    @property
    def levels(self) -> FloatArray:
        """The distinct targets, in S."""
        return np.unique(self.targets)

    @property
    def pitch(self) -> float:
        """Distance of two levels, in S; NaN with one level."""
        return float(np.median(np.diff(self.levels))) if len(self.levels) > 1 else float("nan")

    @property
    def drift(self) -> FloatArray:
        """Change from the fresh read to the last map, shape (m,), in S; empty without a map."""
        return self.maps[-1].conductance - self.map_fresh if self.maps else np.empty(0)

    @property
    def error_later(self) -> FloatArray:
        """Distance of the last map from the targets, shape (m,), in S; empty without a map."""
        return self.maps[-1].conductance - self.map_targets if self.maps else np.empty(0)

    @property
    def read_noise(self) -> FloatArray:
        """Relative error of one map's read, shape (m,), from two maps with no time between them.

        Their difference over root two and the conductance; empty without two such maps.
        """
        for earlier, later in itertools.pairwise(self.maps):
            if later.after - earlier.after < STILL * later.after:
                middle = 0.5 * (earlier.conductance + later.conductance)
                noise: FloatArray = (
                    (later.conductance - earlier.conductance) / middle / np.sqrt(2.0)
                )
                return noise
        return np.empty(0)


def written(run: Run) -> Written:
    """Return what a run of WriteVerify came to; its maps may be missing in an unfinished run."""
    columns = _columns(run, "target", "stage", "pulses", "conductance", "time")
    index = _cell_index(run)
    fresh = columns["stage"] == FRESH
    order = np.argsort(index[fresh], kind="stable")  # later passes after earlier ones
    last = np.append(np.diff(index[fresh][order]) > 0, True) if fresh.any() else fresh[:0]
    cells = index[fresh][order][last]
    maps, found = _maps(columns, index, fresh)
    at = np.isin(cells, found)
    return Written(
        targets=columns["target"][fresh],
        pulses=columns["pulses"][fresh],
        fresh=columns["conductance"][fresh],
        map_targets=columns["target"][fresh][order][last][at],
        map_fresh=columns["conductance"][fresh][order][last][at],
        maps=maps,
    )


def _maps(
    columns: dict[str, FloatArray], index: IntArray, fresh: npt.NDArray[np.bool_]
) -> tuple[tuple[MapRead, ...], IntArray]:
    """Return the whole maps, cells in the order of their index, and those indices."""
    mapped = columns["stage"] == MAP
    cells = np.unique(index[mapped])
    cells = cells[np.isin(cells, index[fresh])]
    keep = mapped & np.isin(index, cells)
    looks = int(keep.sum()) // max(len(cells), 1)
    written_at = columns["time"][fresh].max() if fresh.any() else 0.0
    maps = []
    for look in range(looks):
        rows = np.flatnonzero(keep)[look * len(cells) : (look + 1) * len(cells)]
        order = np.argsort(index[rows])
        after = float(columns["time"][rows].max() - written_at)
        maps.append(MapRead(after, columns["conductance"][rows][order]))
    return tuple(maps), cells


@dataclass(frozen=True, eq=False)
class Watched:
    """What a run of ReadDisturb or Retention saw at every look: the n cells it wrote.

    Where it wrote none, all its cells, and times since the start of the run.
    """

    targets: FloatArray
    """Target of each cell, shape (n,), in S; NaN where the cells were left as found."""
    elapsed: FloatArray
    """Median time since the cells' writes, shape (looks,), in s."""
    reads: FloatArray
    """Stress reads so far, shape (looks,)."""
    conductance: FloatArray
    """Shape (looks, n), in S."""


def watched(run: Run) -> Watched:
    """Return what was seen of the cells at each look that was finished."""
    columns = _columns(run, "target", "elapsed", "reads", "conductance", "time")
    n = len(np.unique(_cell_index(run)))
    looks = len(columns["target"]) // max(n, 1)
    if not looks:
        raise ReportError(f"{run.path}: no look at the cells was finished")
    table = {name: values[: looks * n].reshape(looks, n) for name, values in columns.items()}
    known = np.isfinite(table["elapsed"][0])
    if not known.any():
        known[:] = True
        table["elapsed"] = table["time"] - columns["time"][0]
    return Watched(
        targets=table["target"][0, known],
        elapsed=np.median(table["elapsed"][:, known], axis=1),
        reads=table["reads"][:, 0],
        conductance=table["conductance"][:, known],
    )


@dataclass(frozen=True, eq=False)
class Loops:
    """Swept cells: one loop a cell and cycle."""

    voltages: list[FloatArray]
    """Each in the order of the sweep, in V."""
    currents: list[FloatArray]
    """In A."""


def loops(run: Run) -> Loops:
    """Return the loops of a run of IVSweep."""
    columns = _columns(run, "cycle", "voltage", "current")
    index = _cell_index(run) * 65_536 + columns["cycle"].astype(np.int64)
    starts = np.flatnonzero(np.diff(index)) + 1
    return Loops(np.split(columns["voltage"], starts), np.split(columns["current"], starts))


@dataclass(frozen=True, eq=False)
class Sums:
    """Multiply-accumulates."""

    measured: FloatArray
    """What the bench returned, shape (n,), in ADC codes."""
    reference: FloatArray
    """What the conductances read before give, with the ADC's rounding, shape (n,)."""
    expected: FloatArray
    """The same without rounding, shape (n,)."""


def sums(run: Run) -> Sums:
    """Return the sums of a run of DifferentialMAC."""
    return Sums(**_columns(run, "measured", "reference", "expected"))


_CHANGE = {"Retention": "retention_change", "ReadDisturb": "read_disturb_change"}


def statistics(run: Run) -> dict[str, FloatArray]:
    """Return the samples by which two chips are compared, in SI, one value a cell or sum."""
    if run.procedure == "WriteVerify":
        table = written(run)
        samples = {
            "level_error": table.fresh - table.targets,
            "level_error_later": table.error_later,
            "pulses_to_target": table.pulses,
            "drift": table.drift,
            "read_noise": table.read_noise,
        }
    elif run.procedure in _CHANGE:
        seen = watched(run)
        change = seen.conductance[-1] - seen.conductance[0]
        samples = {_CHANGE[run.procedure]: change}
    elif run.procedure == "DifferentialMAC":
        table_of_sums = sums(run)
        samples = {"mac_error": table_of_sums.measured - table_of_sums.expected}
    else:
        samples = {}
    return {name: sample for name, sample in samples.items() if len(sample)}


def _columns(run: Run, *names: str) -> dict[str, FloatArray]:
    records: dict[str, Any] = run.records()
    missing = [name for name in names if name not in records]
    if missing:
        raise ReportError(f"{run.path}: a run of '{run.procedure}' without column '{missing[0]}'")
    return {name: np.asarray(records[name], np.float64) for name in names}


def _cell_index(run: Run) -> IntArray:
    """Return a number that is the same for rows of one cell, and grows with its address."""
    table = _columns(run, "pe", "row", "column")
    pe, row, column = (table[name].astype(np.int64) for name in ("pe", "row", "column"))
    return (pe << 40) | (row << 20) | np.maximum(column, 0)
