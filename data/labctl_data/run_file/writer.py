"""Write a run file row by row, so that whoever reads it never finds it broken."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from labctl_data.errors import RunFileError
from labctl_data.ledger import LEDGER_COLUMNS, Ledger
from labctl_data.run_file import layout
from labctl_data.run_file.anchor import Anchor
from labctl_data.run_file.attributes import (
    modify_text,
    stamp,
    to_json,
)
from labctl_data.run_file.building import build, event_table, with_time
from labctl_data.run_file.layout import POINT_COLUMNS, TIME, Column, MapSpec, RunStatus
from labctl_data.run_file.lock import WriterLock
from labctl_data.run_file.tables import Buffer, extend

FLUSH_ROWS = 64
FLUSH_SECONDS = 1.0
_LEDGER_ROW_SIZE = sum(np.dtype(column.dtype).itemsize for column in LEDGER_COLUMNS)
_REASON = re.compile(r"error message = '([^']*)'")
"""Where HDF5 tells what the operating system said."""


class RunWriter:
    """The one writer of a run file; hand it rows, maps and events, then finish.

    Rows reach the operating system after `FLUSH_ROWS` rows or `FLUSH_SECONDS`, whichever comes
    first, and survive the death of this process from then on. Make one with `create`.
    """

    def __init__(
        self,
        path: Path,
        lock: WriterLock,
        columns: Sequence[Column],
        maps: Sequence[MapSpec],
        clock: Callable[[], float],
        messages: int = 0,
    ) -> None:
        self.path = path
        self._lock = lock
        self._clock = clock
        self._maps = {spec.name: spec for spec in maps}
        self._file = _open_swmr(path)
        self._anchor = Anchor(path)
        self._row_size = sum(np.dtype(column.dtype).itemsize for column in columns)
        self._records = {c.name: self._file["records"][c.name] for c in columns}
        self._buffer = Buffer(columns, str(path))
        self._points: list[tuple[int, int]] = []
        self._messages = messages
        self._ledger: Ledger | None = None
        self._mutex = threading.RLock()
        self._trouble: RunFileError | None = None
        self._finished = threading.Event()
        self._flushed_at = time.monotonic()
        self._flusher = threading.Thread(target=self._flush_steadily, daemon=True)
        self._flusher.start()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        columns: Sequence[Column],
        maps: Sequence[MapSpec] = (),
        attributes: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> RunWriter:
        """Create a run file; its folder is made when missing.

        Parameters
        ----------
        path : path
            Where; nothing may be there.
        columns : sequence of Column
            The records; `time` (bench time, s) is added when it is not among them.
        maps : sequence of MapSpec
            The snapshots that may follow.
        attributes : mapping
            Facts about the run: text, numbers, or anything JSON can hold.
        clock : callable
            Returns the wall time, in s since 1970.

        Raises
        ------
        RunFileError
            If the file exists or cannot be written, or a column is named twice.
        """
        target = Path(path)
        columns = with_time(columns)
        start = stamp(clock())
        facts = {"start": start, "segments": [{"start": start}], **(attributes or {})}
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            lock = WriterLock(layout.lock_path(target))
        except OSError as error:
            raise RunFileError(f"{target}: cannot be written ({error.strerror})") from error
        try:
            build(target, columns, maps, facts)
            return cls(target, lock, columns, maps, clock)
        except BaseException:
            lock.close()
            raise

    @property
    def ledger(self) -> Ledger:
        """The run's pulse ledger, begun when first asked for."""
        if self._ledger is None:
            self._ledger = Ledger(layout.ledger_path(self.path))
        return self._ledger

    @property
    def rows(self) -> int:
        """Rows taken so far."""
        with self._mutex:
            return int(self._records[TIME.name].shape[0]) + self._buffer.rows

    def append(self, rows: Mapping[str, npt.ArrayLike]) -> None:
        """Take rows: columns by name or PyMeasure header, of one length; scalars broadcast.

        Raises
        ------
        RunFileError
            If columns are missing, unknown or do not fit, or the disk refused earlier rows.
        """
        with self._mutex:
            self._check_open()
            self._buffer.add(rows)
            overdue = time.monotonic() - self._flushed_at >= FLUSH_SECONDS
            if overdue or self._buffer.rows >= FLUSH_ROWS:
                self.flush()

    def append_map(self, name: str, time: float, values: npt.ArrayLike) -> None:
        """Store a snapshot of shape (pe, row, col) taken at the bench time `time`, in s."""
        spec = self._maps.get(name)
        if spec is None:
            raise RunFileError(f"{self.path}: no map '{name}', only {sorted(self._maps)}")
        snapshot = np.asarray(values, np.float64)
        if snapshot.shape != spec.geometry.shape:
            raise RunFileError(
                f"{self.path}: map '{name}' asks for shape {spec.geometry.shape}, "
                f"found {snapshot.shape}"
            )
        with self._mutex, self._storing():
            self._check_open()
            self._anchor.check_room(self._pending() + snapshot.nbytes)
            extend(self._file["maps"][name], snapshot[None])
            extend(self._file[spec.time_name], np.array([time], np.float64))

    def event(self, time: float, kind: str, text: str) -> None:
        """Note what happened at the bench time `time`, in s; long text takes several rows."""
        table = event_table(time, self._clock(), kind, text)
        with self._mutex, self._storing():
            self._check_open()
            extend(self._file["events"], table)

    def point_done(self, number: int) -> None:
        """Note that point `number` of the plan is finished with the rows taken so far."""
        with self._mutex:
            self._check_open()
            self._points.append((number, self.rows))

    def flush(self) -> None:
        """Hand all rows taken so far to the operating system.

        Raises
        ------
        RunFileError
            If it does not take them (a full disk), or the file has been deleted or replaced.
        """
        with self._mutex, self._storing():
            self._anchor.check()
            self._anchor.check_room(self._pending())
            self._take_buffered()
            self._flushed_at = time.monotonic()

    def _pending(self) -> int:
        """Return the size of what is still to be stored, the ledger's table included, in bytes."""
        ledger = 0 if self._ledger is None else self._ledger.rows
        return self._buffer.rows * self._row_size + ledger * _LEDGER_ROW_SIZE

    def _take_buffered(self) -> None:
        if self._buffer.rows:
            for name, values in self._buffer.take().items():
                extend(self._records[name], values)
        if self._points:  # after their rows: a point is finished when its rows are there
            for column, marks in zip(POINT_COLUMNS, zip(*self._points, strict=True), strict=True):
                extend(self._file["points"][column.name], np.array(marks, column.dtype))
            self._points = []

    def finish(
        self, status: str = RunStatus.COMPLETE, summary: Mapping[str, Any] | None = None
    ) -> None:
        """Write what came out, fold the ledger in, and close the file.

        Parameters
        ----------
        status : str
            complete, aborted, failed or interrupted.
        summary : mapping, optional
            The procedure's results, as JSON can hold them.
        """
        final = RunStatus(status)
        text = to_json(dict(summary or {})).encode()
        with self._mutex:
            self._check_unfinished()
            self._finished.set()
            with self._storing(), ExitStack() as ends:
                # Whatever fails: a full disk leaves an interrupted run, never a locked one.
                ends.callback(self._lock.close)
                ends.callback(self._anchor.close)
                ends.callback(self._file.close)
                self._write_end(final, text)
        self._flusher.join()
        if self._ledger is not None:
            self._ledger.remove()

    def _write_end(self, status: RunStatus, summary: bytes) -> None:
        self._take_buffered()
        extend(self._file["summary"], np.frombuffer(summary, np.uint8))
        self._fold_ledger()
        modify_text(self._file, "stop", stamp(self._clock()))
        modify_text(self._file, "status", status)

    def _fold_ledger(self) -> None:
        if self._ledger is None:
            return
        for name, values in self._ledger.record().table(self._messages).items():
            extend(self._file["ledger"][name], values)

    @contextmanager
    def _storing(self) -> Iterator[None]:
        """Say in one line what HDF5 (RuntimeError, too) says of a disk that refuses."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            told = _REASON.search(str(error))
            reason = told[1] if told else " ".join(str(error).split())
            raise RunFileError(f"{self.path}: cannot be stored: {reason}") from error

    def _check_unfinished(self) -> None:
        if self._finished.is_set():
            raise RunFileError(f"{self.path}: the run is finished")

    def _check_open(self) -> None:
        self._check_unfinished()
        if self._trouble is not None:
            raise self._trouble

    def _flush_steadily(self) -> None:
        while not self._finished.wait(FLUSH_SECONDS):
            try:
                self.flush()
            except RunFileError as error:
                self._trouble = error  # said at the next append: this thread has no caller
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._finished.is_set():
            return
        self.finish(RunStatus.COMPLETE if error is None else RunStatus.FAILED)


def _open_swmr(path: Path) -> h5py.File:
    """Open at once as the single writer: no moment in which a kill leaves the file unreadable."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    flags = h5py.h5f.ACC_RDWR | h5py.h5f.ACC_SWMR_WRITE
    return h5py.File(h5py.h5f.open(os.fsencode(path), flags, access))
