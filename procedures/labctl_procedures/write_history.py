"""What the stored rows of `WriteVerify` say of a write that is over, or was begun."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells, Geometry
from labctl_instruments.station import BoolArray, FloatArray, Int8Array
from labctl_procedures.closed_loop import Earlier, Outcome, Stage, WriteResult, WriteSettings
from labctl_procedures.stored import IntArray, Records


class WriteHistory:
    """Turns stored rows back into the results of writes.

    Parameters
    ----------
    settings : WriteSettings
        How the cells were written.
    known_stuck : ndarray of shape (pe, row, col), int8
        Stuck classes by the bench's chip file.
    """

    def __init__(self, settings: WriteSettings, known_stuck: Int8Array) -> None:
        self._settings = settings
        self._known_stuck = known_stuck
        self._geometry = Geometry(*known_stuck.shape)

    def result(self, records: Records, cells: Cells, targets: FloatArray) -> WriteResult:
        """Return what became of n cells by the rows of their write; STOPPED where it goes on."""
        result = WriteResult.empty(len(cells))
        reads, at = self._rows(records, cells, Stage.FIRST, Stage.VERIFY)
        result.verified[at] = reads["conductance"]  # of several rows of a cell the last stays
        result.finished[at] = reads["time"]
        result.pulses[at] = reads["pulses"]
        fresh, ended = self._rows(records, cells, Stage.FRESH)
        result.fresh[ended] = fresh["conductance"]
        result.pulses[ended] = fresh["pulses"]
        result.outcome[ended] = self._outcomes(result, cells, targets)[ended]
        return result

    def earlier(
        self, records: Records, cells: Cells, targets: FloatArray, *, given: IntArray
    ) -> Earlier:
        """Return what a write that was begun has come to.

        Parameters
        ----------
        records : mapping
            The rows stored of it.
        cells : Cells
            Its n cells.
        targets : ndarray of shape (n,)
            Conductances wanted, in S.
        given : ndarray of shape (n,), int
            Pulses it has given to each cell, by the ledger.
        """
        result = self.result(records, cells, targets)
        lowest, highest = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
        reads, at = self._rows(records, cells, Stage.FIRST, Stage.VERIFY)
        np.fmin.at(lowest, at, reads["conductance"])
        np.fmax.at(highest, at, reads["conductance"])
        going = result.outcome == Outcome.STOPPED
        result.pulses[going] = given[going]
        return Earlier(result, lowest, highest)

    def pulses(self, records: Records, cells: Cells) -> IntArray:
        """Return the pulses that finished writes have given to each of n cells, (n,)."""
        fresh, at = self._rows(records, cells, Stage.FRESH)
        return np.bincount(at, fresh["pulses"], len(cells)).astype(np.int64)

    def _rows(
        self, records: Records, cells: Cells, *stages: Stage
    ) -> tuple[Records, npt.NDArray[np.int64]]:
        """Return the rows of these cells and stages, and the place in `cells` of each row's."""
        place = np.full(self._geometry.n_cells, -1)
        place[cells.index(self._geometry)] = np.arange(len(cells))
        addresses = np.stack([records[name] for name in ("pe", "row", "column")], axis=-1)
        at = place[Cells.of(addresses).index(self._geometry)]
        which = (at >= 0) & np.isin(records["stage"], stages)
        return {name: values[which] for name, values in records.items()}, at[which]

    def _outcomes(
        self, result: WriteResult, cells: Cells, targets: FloatArray
    ) -> npt.NDArray[np.int8]:
        """Return how each write ended, if it has ended."""
        known: BoolArray = self._known_stuck[tuple(cells.addresses.T)] != 0
        conditions = {
            Outcome.KNOWN_STUCK: known,
            Outcome.CONVERGED: np.abs(result.verified - targets) <= self._settings.window,
            Outcome.PULSE_LIMIT: result.pulses >= self._settings.limit,
            Outcome.STUCK_LOW: result.verified < targets,
        }
        chosen = np.select(list(conditions.values()), list(conditions), Outcome.STUCK_HIGH)
        return chosen.astype(np.int8)
