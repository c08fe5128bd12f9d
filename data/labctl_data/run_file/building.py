"""Lay out a new run file: every group, dataset and attribute it will ever have."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from labctl_data.errors import RunFileError
from labctl_data.ledger import LEDGER_COLUMNS
from labctl_data.run_file import layout
from labctl_data.run_file.attributes import STAMP_BYTES, create_text, write_attributes
from labctl_data.run_file.layout import POINT_COLUMNS, TIME, Column, MapSpec, RunStatus
from labctl_data.run_file.tables import create_table, describe

LIBVER = ("v110", "v110")
STATUS_BYTES = 16
EVENT_DTYPE = np.dtype(
    [
        ("time", "f8"),
        ("wall", "f8"),
        ("kind", h5py.string_dtype("utf-8", layout.EVENT_KIND_BYTES)),
        ("text", h5py.string_dtype("utf-8", layout.EVENT_TEXT_BYTES)),
    ]
)


def event_table(time: float, wall: float, kind: str, text: str) -> npt.NDArray[np.void]:
    """Return the rows of `/events` for what happened at bench time `time`, in s.

    Text that is longer than a row takes several.
    """
    pieces = _cut(text, layout.EVENT_TEXT_BYTES)
    kinds = [kind.encode()[: layout.EVENT_KIND_BYTES]]
    kinds += [layout.CONTINUED.encode()] * (len(pieces) - 1)
    table = [(time, wall, name, piece) for name, piece in zip(kinds, pieces, strict=True)]
    return np.array(table, dtype=EVENT_DTYPE)


def with_time(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns with `time` among them; refuse a name that stands twice."""
    names = [column.name for column in columns]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise RunFileError(f"columns {sorted(twice)} are named twice")
    return tuple(columns) if TIME.name in names else (TIME, *columns)


def build(
    path: Path, columns: Sequence[Column], maps: Sequence[MapSpec], facts: Mapping[str, Any]
) -> None:
    """Create every object under another name first: what stands at `path` is always whole.

    Raises
    ------
    RunFileError
        If `path` exists or cannot be written.
    """
    if path.exists():
        raise RunFileError(f"{path}: exists already; it is not overwritten")
    draft = path.with_name(path.name + ".new")
    try:
        with h5py.File(draft, "w", libver=LIBVER) as file:
            _create_root(file, facts)
            records = file.create_group("records", track_order=True)
            create_table(records, columns, scale=TIME.name)
            create_table(file.create_group("ledger"), LEDGER_COLUMNS, scale="message", packed=True)
            create_table(file.create_group("points"), POINT_COLUMNS, scale="number")
            _create_maps(file, maps)
        os.rename(draft, path)
    except OSError as error:
        raise RunFileError(f"{path}: cannot be written ({error})") from error
    finally:
        draft.unlink(missing_ok=True)


def _create_root(file: h5py.File, facts: Mapping[str, Any]) -> None:
    reserved = {"schema", "schema_version", "status", "stop"} & facts.keys()
    if reserved:
        raise RunFileError(f"attributes {sorted(reserved)} belong to the run file itself")
    write_attributes(
        file, {"schema": layout.SCHEMA, "schema_version": layout.SCHEMA_VERSION, **facts}
    )
    create_text(file, "status", RunStatus.RUNNING, STATUS_BYTES)
    create_text(file, "stop", "", STAMP_BYTES)
    for name, dtype, chunk in (("events", EVENT_DTYPE, 32), ("summary", np.dtype("u1"), 1024)):
        table = file.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(chunk,))
        table.make_scale(name)


def _create_maps(file: h5py.File, maps: Sequence[MapSpec]) -> None:
    group = file.create_group("maps")
    for spec in maps:
        shape = spec.geometry.shape
        axes = [
            _axis(file, name, size) for name, size in zip(("pe", "row", "col"), shape, strict=True)
        ]
        times = file.create_dataset(spec.time_name, (0,), "f8", maxshape=(None,), chunks=(64,))
        describe(times, "s", "Time")
        times.make_scale(spec.time_name)
        dataset = group.create_dataset(
            spec.name,
            (0, *shape),
            "f8",
            maxshape=(None, *shape),
            chunks=(1, *shape),
            compression=1,
            shuffle=True,
        )
        describe(dataset, spec.unit, spec.long_name or spec.name)
        for dimension, scale in zip(dataset.dims, (times, *axes), strict=True):
            dimension.attach_scale(scale)


def _axis(file: h5py.File, name: str, size: int) -> h5py.Dataset:
    if name in file:
        found: h5py.Dataset = file[name]
        if found.shape != (size,):
            raise RunFileError("asked for maps of different geometries in one run")
        return found
    axis = file.create_dataset(name, data=np.arange(size, dtype=np.int32))
    axis.make_scale(name)
    return axis


def _cut(text: str, size: int) -> list[bytes]:
    """Cut text into pieces of at most `size` bytes, never within a character."""
    pieces = [b""]
    for character in text:
        coded = character.encode()
        if len(pieces[-1]) + len(coded) > size:
            pieces.append(b"")
        pieces[-1] += coded
    return pieces
