"""Open HDF5 files that strangers may have made, and refuse those that could do harm."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from labctl_data.errors import FileError

KNOWN_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
MAX_RANK = 8
MAX_DEPTH = 8
FREE_BYTES = 2**26
"""A dataset up to this size is never absurd."""
MAX_EXPANSION = 1100
"""Deflate shrinks by at most 1032: what claims more bytes than that is not in the file."""


def open_untrusted(path: Path, *, error: type[FileError]) -> h5py.File:
    """Open an HDF5 file for reading after looking at each object in it.

    Parameters
    ----------
    path : Path
        The file; a file that is being written, or whose writer died, is opened in SWMR mode.
    error : type of FileError
        What to raise.

    Returns
    -------
    h5py.File
        Open for reading; the caller closes it.

    Raises
    ------
    FileError
        If the file is missing, is not HDF5, is cut short, or holds an external or soft link,
        external storage, a virtual dataset, an unknown filter or an absurd shape.
    """
    file = _open(path, error)
    try:
        for complaint in _complaints(file, path.stat().st_size):
            raise error(f"{path}: {complaint}")
    except (OSError, RuntimeError, KeyError, ValueError) as reason:
        file.close()
        raise error(f"{path}: damaged HDF5 file ({one_line(reason)})") from reason
    except FileError:
        file.close()
        raise
    return file


def one_line(reason: BaseException) -> str:
    """Return the text of an error of HDF5 on one line."""
    return " ".join(str(reason).split())


def _open(path: Path, error: type[FileError]) -> h5py.File:
    if not path.is_file():
        raise error(f"{path}: no such file")
    if not h5py.is_hdf5(path):
        raise error(f"{path}: not an HDF5 file")
    try:
        return h5py.File(path, "r")
    except OSError as reason:
        if "already open for write" not in str(reason):
            raise error(f"{path}: {_closed_book(str(reason))}") from reason
    try:
        return h5py.File(path, "r", swmr=True)
    except OSError as reason:
        raise error(f"{path}: its writer died and it cannot be opened: {one_line(reason)}") from (
            reason
        )


def _closed_book(reason: str) -> str:
    """Say why an HDF5 file cannot be opened."""
    cut = re.search(r"truncated file: eof = (\d+),.* stored_eof = (\d+)", reason)
    if cut:
        return f"cut short: asked for {cut[2]} bytes, found {cut[1]}"
    return f"cannot be opened as HDF5 ({' '.join(reason.split())})"


def _complaints(file: h5py.File, file_size: int) -> Iterator[str]:
    """Yield what is wrong with the objects of a file, following hard links only."""
    seen: set[Any] = set()
    todo: list[tuple[Any, str, int]] = [(file.id, "", 0)]
    while todo:
        group, where, depth = todo.pop()
        for raw in group:
            name = f"{where}/{raw.decode('utf-8', 'replace')}"
            complaint = _link_complaint(group, raw, depth)
            if complaint:
                yield f"{name}: {complaint}"
                return
            member = h5py.h5o.open(group, raw)
            address = h5py.h5o.get_info(member).addr
            if isinstance(member, h5py.h5d.DatasetID):
                complaint = _dataset_complaint(member, file_size)
            elif not isinstance(member, h5py.h5g.GroupID):
                complaint = "neither a group nor a dataset"
            elif address in seen:
                complaint = "a group that is linked twice"
            else:
                todo.append((member, name, depth + 1))
            seen.add(address)
            if complaint:
                yield f"{name}: {complaint}"


def _link_complaint(group: Any, name: bytes, depth: int) -> str:  # noqa: ANN401
    if depth >= MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH} groups"
    kind = group.links.get_info(name).type
    if kind == h5py.h5l.TYPE_HARD:
        return ""
    return {
        h5py.h5l.TYPE_SOFT: "a soft link is refused",
        h5py.h5l.TYPE_EXTERNAL: "an external link is refused",
    }.get(kind, "a link of an unknown kind is refused")


def _dataset_complaint(dataset: Any, file_size: int) -> str:  # noqa: ANN401
    creation = dataset.get_create_plist()
    if creation.get_layout() == h5py.h5d.VIRTUAL:
        return "a virtual dataset is refused"
    if creation.get_external_count():
        return "external storage is refused"
    filters = {creation.get_filter(k)[0] for k in range(creation.get_nfilters())}
    if filters - KNOWN_FILTERS:
        return f"filter {min(filters - KNOWN_FILTERS)} is unknown and refused"
    return _shape_complaint(dataset, creation, file_size)


def _shape_complaint(dataset: Any, creation: Any, file_size: int) -> str:  # noqa: ANN401
    itemsize = dataset.get_type().get_size()
    limit = max(FREE_BYTES, MAX_EXPANSION * file_size)
    shapes = [dataset.shape]
    if creation.get_layout() == h5py.h5d.CHUNKED:
        shapes.append(creation.get_chunk())
    for shape in shapes:
        if len(shape) > MAX_RANK or math.prod(shape) * itemsize > limit:
            return f"absurd shape {shape} of {itemsize}-byte elements in {file_size} bytes"
    return ""
