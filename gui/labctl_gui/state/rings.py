"""Rings: bounded memories of rows that a bench thread writes and a window copies."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

Table = Mapping[str, npt.NDArray[np.generic]]
"""Columns of one length, by name."""


class RowRing:
    """The last rows of a stream, column by column; any thread may append, any may copy.

    Parameters
    ----------
    capacity : int
        How many rows are kept.
    """

    def __init__(self, capacity: int = 1 << 19) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._columns: dict[str, npt.NDArray[np.generic]] = {}
        self._written = 0
        self._cleared = 0

    @property
    def version(self) -> tuple[int, int]:
        """Changes whenever the ring does: (times cleared, rows appended since)."""
        return (self._cleared, self._written)

    def clear(self) -> None:
        """Forget the rows and their columns: another run begins."""
        with self._lock:
            self._columns = {}
            self._written = 0
            self._cleared += 1

    def extend(self, rows: Mapping[str, npt.ArrayLike]) -> None:
        """Append rows; the oldest make room.

        Parameters
        ----------
        rows : mapping of str to array_like of shape (n,) or scalar
            Columns of one length; a scalar stands for n equal values. The first rows after
            `clear` say which columns there are.
        """
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v)) for v in rows.values()))
        columns = dict(zip(rows, arrays, strict=True))
        n_rows = len(arrays[0])
        with self._lock:
            if not self._columns:
                self._columns = {k: np.zeros(self._capacity, v.dtype) for k, v in columns.items()}
            for name, ring in self._columns.items():
                _write(ring, self._written, columns[name])
            self._written += n_rows

    @property
    def names(self) -> tuple[str, ...]:
        """The columns; none before the first rows."""
        return tuple(self._columns)

    def table(self, names: Collection[str] | None = None) -> Table:
        """Return a copy of the rows that are kept, oldest first; empty before the first.

        Parameters
        ----------
        names : collection of str, optional
            The columns wanted, where they exist; by default all.
        """
        with self._lock:
            return {
                name: _read(ring, self._written)
                for name, ring in self._columns.items()
                if names is None or name in names
            }


def _write(ring: npt.NDArray[np.generic], written: int, values: npt.NDArray[np.generic]) -> None:
    capacity = len(ring)
    kept = values[-capacity:]
    start = (written + len(values) - len(kept)) % capacity
    first = min(len(kept), capacity - start)
    ring[start : start + first] = kept[:first]
    ring[: len(kept) - first] = kept[first:]


def _read(ring: npt.NDArray[np.generic], written: int) -> npt.NDArray[np.generic]:
    if written <= len(ring):
        return ring[:written].copy()
    return np.roll(ring, -(written % len(ring)))
