"""What happened to each cell lately: pulses, and the reads between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_gui.state.rings import RowRing
from labctl_instruments.station import Kind

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

READ = -1
"""Kind of an event that is a read; pulses have the integers of `PulseKind`."""


@dataclass(frozen=True, eq=False)
class CellTrace:
    """The recent life of one cell, one entry a read."""

    pulses: IntArray
    """Pulses the cell had received before each read, counted from the oldest event kept, (n,)."""
    conductances: FloatArray
    """What the reads gave, in S, shape (n,)."""
    last_kind: IntArray
    """Kind of the last pulse before each read; `READ` where there was none, (n,)."""
    last_amplitude: FloatArray
    """Amplitude of that pulse, in V; NaN where there was none, (n,)."""

    @property
    def is_empty(self) -> bool:
        """Whether the cell was never read."""
        return len(self.conductances) == 0


class CellEvents:
    """The last pulses and reads of all cells.

    Parameters
    ----------
    capacity : int
        How many events are kept, over all cells.
    """

    def __init__(self, capacity: int = 1 << 20) -> None:
        self._ring = RowRing(capacity)

    @property
    def version(self) -> tuple[int, int]:
        """Changes with each event."""
        return self._ring.version

    def read(self, index: IntArray, conductances: FloatArray) -> None:
        """Put down reads of the cells `index`, (n,), that gave `conductances`, (n,), in S."""
        self._extend(index, np.int8(READ), conductances)

    def pulsed(
        self,
        index: IntArray,
        kind: Kind,
        amplitude: npt.ArrayLike,
    ) -> None:
        """Put down a pulse of `amplitude` V on each of the cells `index`, (n,)."""
        self._extend(index, np.asarray(kind, np.int8), amplitude)

    def trace(self, index: int) -> CellTrace:
        """Return the recent life of the cell with flat index `index`."""
        table = self._ring.table()
        mine = np.flatnonzero(table["cell"] == index) if table else np.empty(0, np.int64)
        if not len(mine):
            return NO_TRACE
        kind = table["kind"][mine].astype(np.int64)
        value = table["value"][mine].astype(np.float64)
        reads = np.flatnonzero(kind == READ)
        last = np.maximum.accumulate(np.where(kind == READ, -1, np.arange(len(kind))))[reads]
        return CellTrace(
            np.cumsum(kind != READ)[reads],
            value[reads],
            np.where(last < 0, READ, kind[last]),
            np.where(last < 0, np.nan, value[last]),
        )

    def _extend(self, index: IntArray, kind: npt.ArrayLike, value: npt.ArrayLike) -> None:
        self._ring.extend(
            {
                "cell": index.astype(np.int32),
                "kind": kind,
                "value": np.asarray(value, np.float64),
            }
        )


NO_TRACE = CellTrace(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), np.empty(0))
"""The trace of a cell that was never read."""
