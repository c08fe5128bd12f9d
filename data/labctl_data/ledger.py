"""The pulse ledger: what may have been pulsed, written down before each message is sent.

A file of binary entries, each guarded by its length and a CRC, so that a writer killed within an
entry costs that entry only (and its message was then never sent). One entry is

    u4 length, u4 CRC-32, f8 wall time, u4 n cells, u1 flags, then for kind (u1), amplitude (f8, V),
    width (f8, s), gate (f8, V) and count (u4) one value, or n where the flag's bit k is set,
    then n times i4 pe, row, column; all little-endian.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells
from labctl_data.errors import LedgerError
from labctl_data.run_file.layout import Array, Column

MAGIC = b"labctl-ledger 1\n"
LEDGER_COLUMNS = (
    Column("message", "", "Message", "u4"),
    Column("wall", "s", "Wall time", "f8"),
    Column("pe", "", "PE", "i4"),
    Column("row", "", "Row", "i4"),
    Column("column", "", "Column", "i4"),
    Column("kind", "", "Kind", "u1"),
    Column("amplitude", "V", "Amplitude", "f8"),
    Column("width", "s", "Width", "f8"),
    Column("gate", "V", "Gate voltage", "f8"),
    Column("count", "", "At most how many pulses", "u4"),
)

_FRAME = struct.Struct("<II")
_HEAD = struct.Struct("<dIB")
_FIELD_TYPES = tuple(np.dtype(code) for code in ("<u1", "<f8", "<f8", "<f8", "<u4"))
_ADDRESS = np.dtype("<i4")


@dataclass(frozen=True, eq=False)
class LedgerEntry:
    """One message that could pulse cells; arrays are of shape (n,)."""

    wall: float
    """Wall time before it was sent, in s since 1970."""
    cells: Cells
    """The cells it could pulse."""
    kinds: Array
    """PulseKind of each cell."""
    amplitudes: Array
    """Amplitude, in V."""
    widths: Array
    """Width, in s."""
    gates: Array
    """Gate voltage, in V."""
    counts: Array
    """At most how many pulses."""


@dataclass(frozen=True, eq=False)
class LedgerRecord:
    """What a ledger holds."""

    entries: tuple[LedgerEntry, ...]
    """Whole entries, in the order written."""
    torn: bool
    """Whether the writer was killed within a last entry, whose message was not sent."""

    def table(self, first: int = 0) -> dict[str, Array]:
        """Return one row a message and cell, by the names of `LEDGER_COLUMNS`.

        Parameters
        ----------
        first : int
            Number of the first message: those of a run that was resumed go on counting.
        """
        sizes = [len(entry.cells) for entry in self.entries]
        addresses = [entry.cells.addresses for entry in self.entries]
        address = np.concatenate(addresses) if addresses else np.empty((0, 3), np.int64)
        columns: dict[str, Array] = {
            "message": np.repeat(np.arange(first, first + len(sizes)), sizes),
            "wall": np.repeat([entry.wall for entry in self.entries], sizes),
            "pe": address[:, 0],
            "row": address[:, 1],
            "column": address[:, 2],
        }
        for name, field in _TABLE_FIELDS.items():
            parts = [getattr(entry, field) for entry in self.entries]
            columns[name] = np.concatenate(parts) if parts else np.empty(0)
        return {c.name: columns[c.name].astype(c.dtype) for c in LEDGER_COLUMNS}


_TABLE_FIELDS = {
    "kind": "kinds",
    "amplitude": "amplitudes",
    "width": "widths",
    "gate": "gates",
    "count": "counts",
}


class Ledger:
    """Write entries before messages are sent; implements the station's ledger sink.

    Parameters
    ----------
    path : Path
        The ledger's file; it must not exist.
    clock : callable
        Returns the wall time, in s since 1970.

    Raises
    ------
    LedgerError
        If the file exists (its run was not recovered) or cannot be written.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self.rows = 0
        """Rows that its table will have: one a message and cell."""
        self._clock = clock
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._descriptor: int | None = os.open(self.path, flags, 0o644)
        except FileExistsError as error:
            raise LedgerError(
                f"{self.path}: exists already; recover the run it belongs to, or move it away"
            ) from error
        except OSError as error:
            raise LedgerError(f"{self.path}: cannot be written ({error.strerror})") from error
        self._write(MAGIC)

    def before_pulses(
        self,
        cells: Cells,
        kinds: npt.ArrayLike,
        amplitudes: npt.ArrayLike,
        widths: npt.ArrayLike,
        gates: npt.ArrayLike,
        count: npt.ArrayLike,
    ) -> None:
        """Write down, before the message is sent, what it may do at most.

        Parameters
        ----------
        cells : Cells
            The n cells that may be pulsed.
        kinds, amplitudes, widths, gates, count : scalar or array of shape (n,)
            PulseKind; V; s; V; at most how many pulses a cell.

        Raises
        ------
        LedgerError
            If the entry cannot be written: the message must then not be sent.
        """
        n, flags, parts = len(cells), 0, []
        fields = (kinds, amplitudes, widths, gates, count)
        for bit, (field, dtype) in enumerate(zip(fields, _FIELD_TYPES, strict=True)):
            values = np.asarray(field, dtype)
            if values.ndim:
                if values.shape != (n,):
                    raise LedgerError(f"{self.path}: {n} cells but a field of {values.shape}")
                flags |= 1 << bit
            parts.append(values.tobytes())
        parts.append(cells.addresses.astype(_ADDRESS).tobytes())
        body = _HEAD.pack(self._clock(), n, flags) + b"".join(parts)
        self._write(_FRAME.pack(len(body), zlib.crc32(body)) + body)
        self.rows += n

    def record(self) -> LedgerRecord:
        """Return what has been written, though somebody may have deleted the file meanwhile."""
        if self._descriptor is None:
            return Ledger.read(self.path)
        with open(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            return _record(file.read())

    def close(self) -> None:
        """Close the file and leave it where it is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Close and delete the file: its entries have found their place."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        if self._descriptor is None:
            raise LedgerError(f"{self.path}: the ledger is closed")
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            raise LedgerError(f"{self.path}: cannot be written ({error.strerror})") from error
        if written != len(data):
            raise LedgerError(f"{self.path}: {written} of {len(data)} bytes written; disk full?")

    @staticmethod
    def read(path: str | Path) -> LedgerRecord:
        """Read a ledger, dead or alive.

        Raises
        ------
        LedgerError
            If the file cannot be read or is no ledger.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise LedgerError(f"{path}: cannot be read ({error.strerror})") from error
        if not (data.startswith(MAGIC) or MAGIC.startswith(data)):
            raise LedgerError(f"{path}: not a pulse ledger")
        return _record(data)


def _record(data: bytes) -> LedgerRecord:
    if not data.startswith(MAGIC):  # killed before the first line was whole: nothing was ever sent
        return LedgerRecord((), torn=bool(data))
    bodies = list(_bodies(data))
    used = len(MAGIC) + sum(_FRAME.size + len(body) for body in bodies)
    return LedgerRecord(tuple(_entry(body) for body in bodies), torn=used != len(data))


def _bodies(data: bytes) -> Iterator[bytes]:
    start = len(MAGIC)
    while start + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, start)
        start += _FRAME.size
        body = data[start : start + length]
        if len(body) < length or zlib.crc32(body) != checksum:
            return
        yield body
        start += length


def _entry(body: bytes) -> LedgerEntry:
    wall, n, flags = _HEAD.unpack_from(body)
    start = _HEAD.size
    fields: list[Array] = []
    for bit, dtype in enumerate(_FIELD_TYPES):
        size = n if flags >> bit & 1 else 1
        values = np.frombuffer(body, dtype, size, start)
        fields.append(values if size == n else values.repeat(n))
        start += values.nbytes
    address = np.frombuffer(body, _ADDRESS, 3 * n, start).reshape(n, 3)
    return LedgerEntry(wall, Cells.of(address), *fields)
