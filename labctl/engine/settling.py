"""Which pulses of a ledger were given: the bench's counters settle the one uncertain message.

A ledger entry is written before its message is sent. Every message but the last was answered, for
the next one would not have been sent otherwise; of the last only the counters can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.errors import NotResumableError
from labctl_data.cells import Cells, Geometry
from labctl_data.run_file import PULSE_COUNT, Run
from labctl_procedures.stored import READING

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Settlement:
    """What became of the last message of a ledger."""

    message: int | None
    """Its number; None where the ledger is empty."""
    delivered: bool | None
    """Whether its pulses were given; None where nothing tells."""
    text: str
    """The same in words."""


@dataclass(frozen=True, eq=False)
class _Bounds:
    """Pulses each cell has received by a ledger, shape (n_cells,), at least and at most.

    A message of single pulses gives exactly one a cell. Of a sweep the ledger says how many points
    it had, some of which may have been mere reads.
    """

    low: IntArray
    high: IntArray

    @classmethod
    def of(cls, ledger: dict[str, npt.NDArray[Any]], geometry: Geometry) -> _Bounds:
        addresses = np.stack([ledger[name] for name in ("pe", "row", "column")], axis=-1)
        index = Cells.of(addresses).index(geometry)
        most = np.where(ledger["amplitude"] > READING, ledger["count"].astype(np.int64), 0)
        least = np.where(ledger["count"] == 1, most, 0)
        n = geometry.n_cells
        return cls(*(np.bincount(index, w, n).astype(np.int64) for w in (least, most)))


def settle(run: Run, counts: IntArray | None, geometry: Geometry) -> Settlement:
    """Compare the ledger of the run's last segment with the counters of the chip on the bench.

    Parameters
    ----------
    run : Run
        The run, recovered.
    counts : ndarray of shape (pe, row, col), int, or None
        What the bench's counters say now; None where it has none.
    geometry : Geometry
        Size of the chip.

    Returns
    -------
    Settlement

    Raises
    ------
    NotResumableError
        If the counters cannot be those of the chip that the run left.
    """
    last = run.segments[-1]
    ledger = {name: values[last.ledger_rows :] for name, values in run.ledger.items()}
    began = _counts_at(run, last.counts)
    if counts is not None and began is not None:
        _refuse_older(run.path, began.ravel(), counts.ravel(), geometry)
    if not len(ledger["message"]):
        return Settlement(None, None, "no message that pulses was sent since the last start")
    number = int(ledger["message"][-1])
    if counts is None or began is None:
        return Settlement(number, None, f"message {number} is uncertain: nothing counts pulses")
    is_last = ledger["message"] == number
    before = _Bounds.of({name: v[~is_last] for name, v in ledger.items()}, geometry)
    final = _Bounds.of({name: v[is_last] for name, v in ledger.items()}, geometry)
    received = (counts - began).ravel()
    _refuse_other(run.path, received, before, final, geometry)
    return _judge(number, received, before, final)


def _counts_at(run: Run, snapshot: int) -> IntArray | None:
    if PULSE_COUNT not in run.maps:
        return None
    _, images = run.map(PULSE_COUNT)
    return images[snapshot].astype(np.int64) if len(images) > snapshot else None


def _judge(number: int, received: IntArray, before: _Bounds, final: _Bounds) -> Settlement:
    at = np.flatnonzero(final.high)
    name = f"message {number} ({len(at)} cells)"
    if not len(at):
        return Settlement(number, None, f"{name} is uncertain: read pulses are not counted")
    more = received[at] - before.low[at]
    exact = np.array_equal(before.low[at], before.high[at])
    if exact and np.array_equal(more, final.high[at]) and np.array_equal(final.low, final.high):
        return Settlement(number, True, f"{name} was delivered, by the bench's counters")
    if exact and not more.any():
        return Settlement(number, False, f"{name} was not delivered, by the bench's counters")
    return Settlement(number, None, f"{name} is uncertain: the counters do not settle it")


def _refuse_older(path: Path, began: IntArray, counts: IntArray, geometry: Geometry) -> None:
    """Refuse a chip whose counters have gone back: it is another one."""
    back = np.flatnonzero(counts < began)
    if len(back):
        k = int(back[0])
        raise NotResumableError(
            f"{path}: the chip on the bench is not the one that the run left: cell "
            f"{_address(k, geometry)} had received {began[k]} pulses as it began, "
            f"and {counts[k]} now"
        )


def _refuse_other(
    path: Path, received: IntArray, before: _Bounds, final: _Bounds, geometry: Geometry
) -> None:
    """Refuse a chip that has not received what the ledger says, or more than that."""
    named = (before.high > 0) | (final.high > 0)
    wrong = named & ((received < before.low) | (received > before.high + final.high))
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        raise NotResumableError(
            f"{path}: the chip on the bench is not as the run left it: cell "
            f"{_address(k, geometry)} has received {received[k]} pulses since, the ledger says "
            f"{before.low[k]} to {before.high[k] + final.high[k]} "
            f"({int(wrong.sum())} cells differ)"
        )


def _address(index: int, geometry: Geometry) -> str:
    return "/".join(str(part) for part in Cells.from_index([index], geometry).addresses[0])
