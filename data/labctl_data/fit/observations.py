"""What run files say about cells, in the tables that the fits take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, Geometry
from labctl_data.errors import CellsError, FitError
from labctl_data.model import FloatArray
from labctl_data.run_file.reader import Run

IntArray = npt.NDArray[np.int64]
Records = dict[str, npt.NDArray[Any]]

FIRST, VERIFY, FRESH, MAP = range(4)
"""Stages of a row of WriteVerify: found, verified after a pulse, judged afresh, mapped later."""


HIGHEST_READ = 0.5
"""Pulses of up to this amplitude read, in V; stress is of them."""


@dataclass(frozen=True, eq=False)
class Writes:
    """Rows of closed-loop writes, grouped by trace: one write of one cell, in order of time."""

    trace: IntArray
    """Number of the trace of each row, shape (n,), rising."""
    cell: IntArray
    """Flat index of the cell."""
    stage: IntArray
    """FIRST, VERIFY or FRESH."""
    pulses: IntArray
    """Pulses the trace has had."""
    kind: IntArray
    """PulseKind of the pulse before a VERIFY row."""
    shape: FloatArray
    """Amplitude (V), width (s) and gate (V) of that pulse, shape (n, 3)."""
    time: FloatArray
    """Bench time, in s."""
    conductance: FloatArray
    """As read, in S."""
    averages: FloatArray
    """Conversions averaged in the read."""
    target: FloatArray
    """Conductance wanted, in S."""

    @property
    def n_traces(self) -> int:
        """Number of traces."""
        return int(self.trace[-1]) + 1 if len(self.trace) else 0

    def cycle(self) -> FloatArray:
        """Return the time since the row before in the same trace, in s; 0 for a first row."""
        gap = np.diff(self.time, prepend=self.time[:1])
        same = np.diff(self.trace, prepend=-1) == 0
        return np.where(same, np.maximum(gap, 0.0), 0.0)

    @staticmethod
    def joined(parts: Sequence[Writes]) -> Writes:
        """Return the writes of several runs as one table."""
        if not parts:
            none, nothing = np.empty(0, np.int64), np.empty(0)
            shape = np.empty((0, 3))
            return Writes(none, none, none, none, none, shape, nothing, nothing, nothing, nothing)
        joined = {n: np.concatenate([getattr(part, n) for part in parts]) for n in _WRITE_FIELDS}
        offsets = np.cumsum([0, *(part.n_traces for part in parts[:-1])])
        trace = [part.trace + offset for part, offset in zip(parts, offsets, strict=True)]
        joined["trace"] = np.concatenate(trace)
        return Writes(**joined)

    def keep(self, rows: npt.NDArray[np.bool_]) -> Writes:
        """Return the chosen rows; traces are numbered anew."""
        chosen = {name: getattr(self, name)[rows] for name in _WRITE_FIELDS}
        chosen["trace"] = np.unique(chosen["trace"], return_inverse=True)[1].astype(np.int64)
        return Writes(**chosen)


_WRITE_FIELDS = tuple(Writes.__dataclass_fields__)


@dataclass(frozen=True, eq=False)
class Looks:
    """Reads of cells that are left alone, grouped by series: one cell after one write."""

    series: IntArray
    """Number of the series, shape (n,), rising; times rise within."""
    cell: IntArray
    """Flat index of the cell."""
    elapsed: FloatArray
    """Time since the last pulse, in s."""
    reads: FloatArray
    """Stress reads since then."""
    conductance: FloatArray
    """As read, in S."""
    averages: FloatArray
    """Conversions averaged."""

    def keep(self, rows: npt.NDArray[np.bool_]) -> Looks:
        """Return the chosen rows."""
        chosen = {name: getattr(self, name)[rows] for name in _LOOK_FIELDS}
        chosen["series"] = np.unique(chosen["series"], return_inverse=True)[1].astype(np.int64)
        return Looks(**chosen)

    @staticmethod
    def joined(parts: Sequence[Looks]) -> Looks:
        """Return all looks as one table."""
        if not parts:
            nothing = np.empty(0)
            none = np.empty(0, np.int64)
            return Looks(none, none, nothing, nothing, nothing, nothing)
        joined = {n: np.concatenate([getattr(part, n) for part in parts]) for n in _LOOK_FIELDS}
        sizes = [int(part.series.max(initial=-1)) + 1 for part in parts]
        offsets = np.cumsum([0, *sizes[:-1]])
        series = [part.series + offset for part, offset in zip(parts, offsets, strict=True)]
        joined["series"] = np.concatenate(series)
        return Looks(**joined)


_LOOK_FIELDS = tuple(Looks.__dataclass_fields__)


@dataclass(frozen=True, eq=False)
class Sweeps:
    """Points of current-voltage loops."""

    loop: IntArray
    """Number of the loop (a cell and cycle), shape (n,)."""
    step: IntArray
    """Number of the point within the loop."""
    voltage: FloatArray
    """Voltage, in V."""
    current: FloatArray
    """Current, in A."""
    free: npt.NDArray[np.bool_]
    """Where no compliance held."""


def geometry_of(runs: Sequence[Run]) -> Geometry:
    """Return the chip that all runs are of.

    Raises
    ------
    FitError
        If the runs are of different chips, or do not say how large it is.
    """
    found: dict[tuple[str, ...], str] = {}
    for run in runs:
        facts = run.attributes
        if "geometry" not in facts:
            raise FitError(f"{run.path}: attribute 'geometry' is missing")
        names = ("wafer", "die", "chip", "geometry")
        found.setdefault(tuple(str(facts.get(name, "")) for name in names), str(run.path))
    if len(found) > 1:
        (one, first), (other, second) = list(found.items())[:2]
        raise FitError(f"{first} is of chip {'/'.join(one)}, {second} of chip {'/'.join(other)}")
    return Geometry(*(int(size) for size in runs[0].attributes["geometry"]))


def writes_of(run: Run, geometry: Geometry) -> Writes:
    """Return the closed-loop writes of a run of WriteVerify."""
    rows = _records(run, ("stage", "pulses", "kind", "amplitude", "width", "gate", "target"))
    return _writes(rows, _cells(run, rows, geometry))


def looks_of_writes(run: Run, geometry: Geometry, writes: Writes) -> Looks:
    """Return the judging reads and the later maps of a run of WriteVerify.

    A series is the last write of each cell that took a pulse. Its last pulse fell, on average,
    half a cycle before its verify read.
    """
    rows = _records(run, ("stage",))
    cell = _cells(run, rows, geometry)
    pulsed = np.zeros(geometry.n_cells)
    verified = writes.stage == VERIFY
    pulse_time = writes.time - writes.cycle() / 2
    pulsed[:] = np.nan
    pulsed[writes.cell[verified]] = pulse_time[verified]  # rows are in order of time: the last wins
    later = ((rows["stage"] == FRESH) | (rows["stage"] == MAP)) & (rows["time"] > pulsed[cell])
    return _looks(rows, cell, rows["time"] - pulsed[cell], np.zeros(len(cell)), later)


def looks_of_watch(run: Run, geometry: Geometry) -> Looks:
    """Return the looks of a run of Retention or ReadDisturb at cells that it pulsed itself.

    A cell that was found at its target got no pulse: what it does since is not relaxation from
    this write. The ledger tells.
    """
    rows = _records(run, ("target", "elapsed", "reads"))
    cell = _cells(run, rows, geometry)
    known = np.isfinite(rows["target"]) & np.isfinite(rows["elapsed"])
    written = known & _pulsed(run, geometry)[cell]
    return _looks(rows, cell, rows["elapsed"], rows["reads"].astype(np.float64), written)


def addressed(run: Run, names: Sequence[str]) -> tuple[Records, IntArray]:
    """Return the named columns of a run, and the flat index of each row's cell."""
    rows = _records(run, names, read=False)
    return rows, _cells(run, rows, geometry_of([run]))


def sweeps_of(run: Run, geometry: Geometry) -> Sweeps:
    """Return the loops of a run of IVSweep."""
    rows = _records(run, ("cycle", "step", "voltage", "current", "in_compliance"), read=False)
    cell = _cells(run, rows, geometry)
    loop = np.unique(cell * 2**20 + rows["cycle"], return_inverse=True)[1]
    return Sweeps(
        loop.astype(np.int64),
        rows["step"].astype(np.int64),
        rows["voltage"],
        rows["current"],
        rows["in_compliance"] == 0,
    )


def _records(run: Run, names: Sequence[str], *, read: bool = True) -> Records:
    rows = run.records()
    needed = ["time", "pe", "row", "column", *names]
    needed += ["conductance", "averages"] if read else []
    missing = sorted(set(needed) - rows.keys())
    if missing:
        raise FitError(f"{run.path}: a run of {run.procedure} without columns {missing}")
    if read:
        sound = np.isfinite(rows["conductance"])
        rows = {name: values[sound] for name, values in rows.items()}
    return rows


def _cells(run: Run, rows: Records, geometry: Geometry) -> IntArray:
    addresses = np.stack([rows[name].astype(np.int64) for name in ("pe", "row", "column")], axis=-1)
    try:
        return Cells.of(addresses).index(geometry)
    except CellsError as error:
        raise FitError(f"{run.path}: {error}") from error


def _pulsed(run: Run, geometry: Geometry) -> npt.NDArray[np.bool_]:
    """Return which cells got a programming pulse in a run, by its ledger, shape (n_cells,)."""
    ledger = run.ledger
    strong = ledger["amplitude"] > HIGHEST_READ
    addresses = np.stack([ledger[name][strong] for name in ("pe", "row", "column")], axis=-1)
    pulsed = np.zeros(geometry.n_cells, bool)
    pulsed[Cells.of(addresses).index(geometry)] = True
    return pulsed


def _writes(rows: Records, cell: IntArray) -> Writes:
    order = np.argsort(cell, kind="stable")
    order = order[rows["stage"][order] != MAP]
    stage, ordered = rows["stage"][order].astype(np.int64), cell[order]
    begins = stage == FIRST
    trace = np.cumsum(begins) - 1
    # Rows before a cell's first FIRST (a file cut at its head) belong to no trace.
    starter = ordered[begins]
    whole = trace >= 0
    whole[whole] = starter[trace[whole]] == ordered[whole]
    order, trace = order[whole], trace[whole]
    shape = np.stack([rows[name][order] for name in ("amplitude", "width", "gate")], axis=-1)
    return Writes(
        trace=trace.astype(np.int64),
        cell=cell[order],
        stage=stage[whole],
        pulses=rows["pulses"][order].astype(np.int64),
        kind=rows["kind"][order].astype(np.int64),
        shape=shape,
        time=rows["time"][order],
        conductance=rows["conductance"][order],
        averages=rows["averages"][order].astype(np.float64),
        target=rows["target"][order],
    )


def _looks(
    rows: Records,
    cell: IntArray,
    elapsed: FloatArray,
    reads: FloatArray,
    chosen: npt.NDArray[np.bool_],
) -> Looks:
    order = np.flatnonzero(chosen)
    order = order[np.argsort(cell[order], kind="stable")]
    return Looks(
        np.unique(cell[order], return_inverse=True)[1].astype(np.int64),
        cell[order],
        elapsed[order],
        reads[order],
        rows["conductance"][order],
        rows["averages"][order].astype(np.float64),
    )
