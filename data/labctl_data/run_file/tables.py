"""Growing tables in an HDF5 file: columns of one length on one dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from labctl_data.errors import RunFileError
from labctl_data.run_file.layout import Array, Column

CHUNK_ROWS = 1024


def create_table(
    group: h5py.Group, columns: Sequence[Column], *, scale: str, packed: bool = False
) -> dict[str, h5py.Dataset]:
    """Create an empty growing dataset a column, all on the dimension of the column `scale`."""
    options = {"compression": 1, "shuffle": True} if packed else {}
    table = {}
    for column in columns:
        dataset = group.create_dataset(
            column.name,
            shape=(0,),
            maxshape=(None,),
            chunks=(CHUNK_ROWS,),
            dtype=stored_dtype(column.dtype),
            **options,
        )
        describe(dataset, column.unit, column.long_name)
        table[column.name] = dataset
    table[scale].make_scale(scale)
    for name, dataset in table.items():
        if name != scale:
            dataset.dims[0].attach_scale(table[scale])
    return table


def stored_dtype(dtype: str) -> np.dtype[Any]:
    """Return the type as HDF5 stores it: text is fixed-length UTF-8."""
    plain = np.dtype(dtype)
    if plain.kind == "S":
        return np.dtype(h5py.string_dtype("utf-8", plain.itemsize))
    return plain


def describe(dataset: h5py.Dataset, unit: str, long_name: str) -> None:
    """Attach unit and name for people."""
    for name, text in (("units", unit), ("long_name", long_name)):
        size = max(len(text.encode()), 1)
        dataset.attrs.create(name, text.encode(), dtype=h5py.string_dtype("utf-8", size))


def extend(dataset: h5py.Dataset, values: Array) -> None:
    """Append along the first axis, and hand the rows to the operating system.

    The low-level calls cost a third of what `dataset[a:b] = values` does.
    """
    values = np.ascontiguousarray(values)
    identifier = dataset.id
    old = identifier.shape
    identifier.set_extent((old[0] + len(values), *old[1:]))
    space = identifier.get_space()
    space.select_hyperslab((old[0], *(0 for _ in old[1:])), values.shape)
    identifier.write(h5py.h5s.create_simple(values.shape), space, values)
    identifier.flush()


class Buffer:
    """Rows that wait to be written together.

    Parameters
    ----------
    columns : sequence of Column
        What each row must give.
    where : str
        The file, for messages.
    """

    def __init__(self, columns: Sequence[Column], where: str) -> None:
        self._columns = {column.name: column for column in columns}
        self._aliases = {column.header: column.name for column in columns}
        self._dtypes = {column.name: stored_dtype(column.dtype) for column in columns}
        self._blocks: list[tuple[int, dict[str, Array]]] = []
        self._where = where
        self.rows = 0

    def add(self, rows: Mapping[str, npt.ArrayLike]) -> None:
        """Take rows: arrays of one length, scalars stand for every row.

        Raises
        ------
        RunFileError
            If a column is missing, unknown, of another length, or does not fit its type.
        """
        values = {self._aliases.get(key, key): value for key, value in rows.items()}
        if values.keys() != self._columns.keys():
            raise self._wrong_columns(set(values))
        arrays = {name: self._cast(name, value) for name, value in values.items()}
        n = self._length(arrays)
        if n:
            self._blocks.append((n, arrays))
            self.rows += n

    def take(self) -> dict[str, Array]:
        """Return and forget what has been added, one array of shape (rows,) a column."""
        table: dict[str, Array] = {}
        for name, dtype in self._dtypes.items():
            merged = np.empty(self.rows, dtype)
            start = 0
            for n, arrays in self._blocks:
                merged[start : start + n] = arrays[name]
                start += n
            table[name] = merged
        self._blocks, self.rows = [], 0
        return table

    def _wrong_columns(self, found: set[str]) -> RunFileError:
        missing = sorted(self._columns.keys() - found)
        unknown = sorted(found - self._columns.keys())
        return RunFileError(f"{self._where}: rows without {missing}, with unknown {unknown}")

    def _length(self, arrays: Mapping[str, Array]) -> int:
        columns = [array for array in arrays.values() if array.ndim]
        shapes = {column.shape for column in columns}
        if len(shapes) > 1 or any(column.ndim > 1 for column in columns):
            lengths = {name: array.shape for name, array in arrays.items() if array.ndim}
            raise RunFileError(f"{self._where}: asked for columns of one length, found {lengths}")
        return len(columns[0]) if columns else 1

    def _cast(self, name: str, value: npt.ArrayLike) -> Array:
        array, dtype = np.asarray(value), self._dtypes[name]
        if array.dtype == dtype:
            return array.copy() if array.ndim else array
        if dtype.kind == "S":
            return self._cast_text(name, array, dtype)
        if array.dtype.kind not in ("biuf" if dtype.kind == "f" else "biu"):
            raise self._unfit(name, array)
        cast = array.astype(dtype)
        if dtype.kind != "f" and not (cast == array).all():
            raise self._unfit(name, array)
        return cast

    def _cast_text(self, name: str, array: Array, dtype: np.dtype[Any]) -> Array:
        coded = np.char.encode(array.astype(str), "utf-8")
        if coded.dtype.itemsize > dtype.itemsize:
            raise self._unfit(name, array)
        return coded.astype(dtype)

    def _unfit(self, name: str, array: Array) -> RunFileError:
        return RunFileError(
            f"{self._where}: column '{name}' of type {self._columns[name].dtype} cannot hold "
            f"{array.dtype} {np.array2string(array, threshold=3, edgeitems=1)}"
        )
