"""What a write came to: convergence, closeness, pulses a level, and the cells that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl_data.cells import Cells
from labctl_instruments.station import FloatArray
from labctl_procedures.closed_loop import Outcome, WriteResult


@dataclass(frozen=True, eq=False)
class Written:
    """One block of cells that was written."""

    cells: Cells
    """The n cells."""
    targets: FloatArray
    """Conductances wanted, shape (n,), in S."""
    result: WriteResult
    """What became of them."""


def summarise(
    written: Sequence[Written],
    maps: Sequence[tuple[float, FloatArray]],
    cells: Cells,
    targets: FloatArray,
    pitch: float,
) -> dict[str, Any]:
    """Return the summary of a run of `WriteVerify`.

    Parameters
    ----------
    written : sequence of Written
        The blocks that were written.
    maps : sequence of (float, ndarray of shape (n,))
        Wait after the last write in s, and the conductances found then in S.
    cells : Cells
        The n cells of the run.
    targets : ndarray of shape (passes, n)
        Conductances wanted, in S; the maps are held against the last pass.
    pitch : float
        Distance of two levels, in S.

    Returns
    -------
    dict
        Fractions of the cells asked for (a cell that was stopped or failed counts as outside),
        pulses, and the failed cells with the reason.
    """
    if not written:
        return {"cells": 0}
    wanted = np.concatenate([block.targets for block in written])
    outcome = np.concatenate([block.result.outcome for block in written])
    fresh = np.concatenate([block.result.fresh for block in written])
    pulses = np.concatenate([block.result.pulses for block in written])
    return {
        "cells": len(wanted),
        "converged": float(np.mean(outcome == Outcome.CONVERGED)),
        "within_half_pitch_fresh": _within(fresh, wanted, pitch),
        "within_half_pitch_map": [
            {
                "after": after,
                "fraction": _within(found, targets[-1], pitch),
                "separate": separate_fraction(found, targets[-1]),
            }
            for after, found in maps
        ],
        "pitch": pitch,
        "pulses_mean": float(pulses.mean()),
        "pulses_max": int(pulses.max()),
        "levels": _levels(wanted, pulses, outcome, fresh),
        "failed": [fault for block in written for fault in faults(block)],
    }


def separate_fraction(found: FloatArray, wanted: FloatArray) -> float:
    """Return the fraction of cells that lie nearer to their own level's median than to another's.

    A drift that all cells of a level share moves the median and costs nothing here; a stuck cell
    does not move it.

    Parameters
    ----------
    found, wanted : ndarray of shape (n,)
        Conductances and the levels they were written to, in S.
    """
    levels, member = np.unique(wanted, return_inverse=True)
    medians = np.array([np.median(found[member == level]) for level in range(len(levels))])
    nearest = np.abs(found[:, np.newaxis] - medians).argmin(axis=1)
    return float(np.mean(nearest == member))


def _within(found: FloatArray, wanted: FloatArray, pitch: float) -> float:
    return float(np.mean(np.abs(found - wanted) <= pitch / 2))  # NaN is outside


def _levels(
    wanted: FloatArray,
    pulses: np.ndarray[Any, Any],
    outcome: np.ndarray[Any, Any],
    fresh: FloatArray,
) -> list[dict[str, float | None]]:
    levels, member = np.unique(wanted, return_inverse=True)
    return [
        {
            "target": float(target),
            "cells": int(np.sum(at)),
            "converged": float(np.mean(outcome[at] == Outcome.CONVERGED)),
            "pulses_mean": float(pulses[at].mean()),
            "pulses_max": int(pulses[at].max()),
            "error_std": _spread(fresh[at] - target),
        }
        for target, at in ((levels[k], member == k) for k in range(len(levels)))
    ]


def _spread(errors: FloatArray) -> float | None:
    """Return the standard deviation of the errors that are known; None for less than two."""
    known = errors[np.isfinite(errors)]
    return float(known.std()) if len(known) > 1 else None


def _known(value: float) -> float | None:
    """Return `value`, or None for NaN, which JSON has no word for."""
    return value if np.isfinite(value) else None


def faults(block: Written) -> list[dict[str, Any]]:
    """Return the cells of a block that are not at their targets, with the reason."""
    result, reasons = block.result, block.result.reason
    return [
        {
            "cell": "/".join(str(part) for part in block.cells.addresses[number]),
            "target": float(block.targets[number]),
            "conductance": _known(float(result.fresh[number])),
            "pulses": int(result.pulses[number]),
            "reason": reasons[number],
        }
        for number in np.flatnonzero(result.outcome != Outcome.CONVERGED)
    ]
