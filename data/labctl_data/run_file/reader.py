"""Read a run file: finished, growing, or left by a writer that died."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import numpy.typing as npt

from labctl_data.errors import MissingExtraError, NotARunFileError, RunFileError
from labctl_data.ledger import LEDGER_COLUMNS, Ledger
from labctl_data.run_file import layout
from labctl_data.run_file.attributes import read_attributes
from labctl_data.run_file.layout import TIME, Array, Column, Event, RunStatus, Segment
from labctl_data.run_file.lock import is_locked
from labctl_data.untrusted import one_line, open_untrusted

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Run:
    """A run file for reading; each question opens the file anew, so a live run's rows grow."""

    path: Path
    """Where it is."""

    @property
    def attributes(self) -> dict[str, Any]:
        """All facts stored at the root."""
        with self._open() as file:
            return read_attributes(file)

    @property
    def status(self) -> RunStatus:
        """How far the run has come; `running` only while its writer is proved alive."""
        with self._open() as file:
            stored = str(read_attributes(file).get("status", ""))
        if stored == RunStatus.RUNNING and not is_locked(layout.lock_path(self.path)):
            # The writer may have finished between the two looks.
            with self._open() as file:
                stored = str(read_attributes(file).get("status", ""))
            return RunStatus.INTERRUPTED if stored == RunStatus.RUNNING else _status(stored, self)
        return _status(stored, self)

    @property
    def procedure(self) -> str:
        """Name of the procedure."""
        return str(self.attributes.get("procedure", ""))

    @property
    def parameters(self) -> dict[str, Any]:
        """The procedure's parameters."""
        return dict(self.attributes.get("parameters", {}))

    @property
    def seed(self) -> int | None:
        """Seed of the run, where chance played."""
        seed = self.attributes.get("seed")
        return None if seed is None else int(seed)

    @property
    def bench(self) -> str:
        """Name of the bench."""
        return str(self.attributes.get("bench", ""))

    @property
    def summary(self) -> dict[str, Any]:
        """What the procedure summed up at its end; empty before."""
        with self._open() as file:
            text = bytes(file["summary"][()])
        return dict(json.loads(text)) if text else {}

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the records, time first, then in the order of their creation."""
        with self._open() as file:
            found = [_column(name, dataset) for name, dataset in file["records"].items()]
        return tuple(sorted(found, key=lambda column: column.name != TIME.name))

    @property
    def rows(self) -> int:
        """Rows that every column holds."""
        with self._open() as file:
            return _rows(file["records"])

    def record(self, name: str, *, start: int = 0, stop: int | None = None) -> Array:
        """Return a column, by dataset name or PyMeasure header.

        Parameters
        ----------
        name : str
            `conductance` or `Conductance (S)`.
        start, stop : int
            Rows asked for; all by default.

        Returns
        -------
        ndarray of shape (rows,)
            In the column's unit; text as str.

        Raises
        ------
        RunFileError
            If there is no such column.
        """
        with self._open() as file:
            return self._read_record(file["records"], name, start, stop)

    def records(self) -> dict[str, Array]:
        """Return all columns, of one length."""
        with self._open() as file:
            group = file["records"]
            stop = _rows(group)
            return {name: self._read_record(group, name, 0, stop) for name in group}

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps."""
        with self._open() as file:
            return tuple(file["maps"])

    def map(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the bench times (n,) in s and the snapshots (n, pe, row, col) of a map."""
        with self._open() as file:
            if name not in file["maps"]:
                raise RunFileError(f"{self.path}: no map '{name}', only {sorted(file['maps'])}")
            values, times = file["maps"][name], file[f"{name}_time"]
            n = min(len(values), len(times))
            return times[:n], values[:n]

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, in order."""
        with self._open() as file:
            table = file["events"][()]
        events: list[Event] = []
        for time, wall, kind, text in table.tolist():
            piece = text.decode("utf-8", "replace")
            if kind.decode() == layout.CONTINUED and events:
                last = events.pop()
                events.append(Event(last.time, last.wall, last.kind, last.text + piece))
            else:
                events.append(Event(time, wall, kind.decode("utf-8", "replace"), piece))
        return tuple(events)

    @property
    def ledger(self) -> dict[str, Array]:
        """The pulse ledger, one row a message and cell, by the names of `LEDGER_COLUMNS`."""
        beside = layout.ledger_path(self.path)
        with self._open() as file:
            group = file["ledger"]
            folded = {column.name: group[column.name][: _rows(group)] for column in LEDGER_COLUMNS}
        if not beside.exists():
            return folded
        # What is beside the file is the last segment's, folded in already or not.
        last = self.segments[-1]
        own = Ledger.read(beside).table(last.messages)
        return {
            name: np.concatenate([earlier[: last.ledger_rows], own[name]])
            for name, earlier in folded.items()
        }

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The stretches of the run: one, and one more for each time it was resumed."""
        attributes = self.attributes
        stored = attributes.get("segments", [{"start": str(attributes.get("start", ""))}])
        return tuple(Segment(**segment) for segment in stored)

    @property
    def points(self) -> dict[int, tuple[int, int]]:
        """Finished points of the plan: first and last + 1 of the rows of each, by number."""
        with self._open() as file:
            if "points" not in file:
                return {}
            group = file["points"]
            n, rows = _rows(group), _rows(file["records"])
            numbers, stops = group["number"][:n].tolist(), group["rows"][:n].tolist()
        starts = [0, *stops][: len(stops)]
        marks = zip(numbers, starts, stops, strict=True)
        return {number: (start, stop) for number, start, stop in marks if stop <= rows}

    def to_xarray(self) -> xarray.Dataset:
        """Return the records as an xarray Dataset on the dimension `time`.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        """
        try:
            import xarray as xr
        except ImportError as error:
            raise MissingExtraError(
                "to_xarray needs the package xarray, which is not installed: "
                "pip install 'labctl[analysis]'"
            ) from error
        about = {c.name: {"units": c.unit, "long_name": c.long_name} for c in self.columns}
        variables = {name: ("time", v, about[name]) for name, v in self.records().items()}
        facts = {k: v for k, v in self.attributes.items() if isinstance(v, str | int | float)}
        return xr.Dataset(variables, attrs=facts).set_coords("time")

    def _read_record(self, group: h5py.Group, name: str, start: int, stop: int | None) -> Array:
        slug = name if name in group else Column.from_pymeasure(name).name
        if slug not in group:
            raise RunFileError(f"{self.path}: no column '{name}', only {sorted(group)}")
        n = _rows(group)
        values: Array = group[slug][slice(*slice(start, stop).indices(n))]
        return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values

    @contextmanager
    def _open(self) -> Iterator[h5py.File]:
        with open_untrusted(self.path, error=RunFileError) as file:
            if not _is_run_file(file):
                raise NotARunFileError(f"{self.path}: not a labctl run file")
            complaint = layout_complaint(file)
            if complaint:
                raise RunFileError(f"{self.path}: {complaint}")
            try:
                yield file
            except (OSError, RuntimeError, KeyError, ValueError) as error:
                raise RunFileError(f"{self.path}: damaged ({one_line(error)})") from error


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run file for reading.

    Raises
    ------
    NotARunFileError
        If it is an HDF5 file of another kind.
    RunFileError
        If it is missing, damaged, cut short, of another schema version, or holds
        what a stranger could use to do harm.
    """
    run = Run(Path(path))
    with run._open():  # noqa: SLF001  (the constructor of the class)
        return run


def layout_complaint(file: h5py.File) -> str:
    """Say what is wrong with a run file; empty when it is whole."""
    version = file.attrs.get("schema_version")
    if version != layout.SCHEMA_VERSION:
        return f"asked for schema version {layout.SCHEMA_VERSION}, found {version}"
    missing = {"records", "maps", "events", "summary", "ledger", "records/time"} - _names(file)
    if missing:
        return f"a run file without {sorted(missing)}"
    bad = [name for name, dataset in file["records"].items() if getattr(dataset, "ndim", 0) != 1]
    return f"columns {bad} are not one-dimensional" if bad else ""


def _is_run_file(file: h5py.File) -> bool:
    schema = file.attrs.get("schema")
    if isinstance(schema, bytes):
        schema = schema.decode("utf-8", "replace")
    return bool(schema == layout.SCHEMA)


def _names(file: h5py.File) -> set[str]:
    names = set(file)
    if isinstance(file.get("records"), h5py.Group):
        names |= {f"records/{name}" for name in file["records"]}
    return names


def _rows(group: h5py.Group) -> int:
    return min((int(dataset.shape[0]) for dataset in group.values()), default=0)


def _status(text: str, run: Run) -> RunStatus:
    try:
        return RunStatus(text)
    except ValueError as error:
        raise RunFileError(f"{run.path}: unknown status '{text}'") from error


def _column(name: str, dataset: h5py.Dataset) -> Column:
    facts = read_attributes(dataset)
    kind = dataset.dtype.str.lstrip("<>|=")
    return Column(name, str(facts.get("units", "")), str(facts.get("long_name", name)), kind)
