"""Gather what runs of one chip say, less the cells that do not obey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Geometry
from labctl_data.errors import FitError
from labctl_data.fit.observations import (
    VERIFY,
    Looks,
    Writes,
    geometry_of,
    looks_of_watch,
    looks_of_writes,
    writes_of,
)
from labctl_data.fit.stuck import find_stuck
from labctl_data.model import SoftBoundModel
from labctl_data.pulse import PulseKind
from labctl_data.run_file.reader import Run


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the runs say, in tables."""

    geometry: Geometry
    """The chip."""
    writes: Writes
    """Closed-loop writes of cells that obey, with the reference pulses alone."""
    looks: Looks
    """Reads of cells left alone after a write."""
    stuck: npt.NDArray[np.int8]
    """StuckClass of each cell."""
    sources: dict[str, str]
    """File names of the runs, by procedure."""
    left_out: int
    """Traces left out because their pulses were of another shape."""

    def named(self, *procedures: str) -> str:
        """Return the file names of the runs of these procedures."""
        return ", ".join(self.sources[p] for p in procedures if p in self.sources)


def gather(runs: Sequence[Run], model: SoftBoundModel) -> Evidence:
    """Read what the runs say; find the stuck cells and leave them aside.

    Raises
    ------
    FitError
        If no cell was ever seen inside the window of the model's tables.
    """
    geometry = geometry_of(runs)
    sources: dict[str, list[str]] = {}
    writes, looks = [], []
    for run in runs:
        name = run.procedure
        sources.setdefault(name, []).append(run.path.name)
        if name == "WriteVerify":
            writes.append(writes_of(run, geometry))
            looks.append(looks_of_writes(run, geometry, writes[-1]))
        elif name in ("Retention", "ReadDisturb"):
            looks.append(looks_of_watch(run, geometry))
    joined, watched = Writes.joined(writes), Looks.joined(looks)
    _refuse_elsewhere(np.concatenate([joined.conductance, watched.conductance]), runs, model)
    stuck = find_stuck(joined, geometry, model)
    obeying = stuck.ravel() == 0
    joined = joined.keep(obeying[joined.cell])
    usual = _usual_traces(joined)
    return Evidence(
        geometry,
        joined.keep(usual[joined.trace]) if joined.n_traces else joined,
        watched.keep(obeying[watched.cell]),
        stuck,
        {name: ", ".join(files) for name, files in sources.items()},
        int(np.sum(~usual)),
    )


def _refuse_elsewhere(
    conductance: npt.NDArray[np.float64], runs: Sequence[Run], model: SoftBoundModel
) -> None:
    """Refuse cells of which none was ever seen inside the window of the model's tables."""
    low, high = model.window_low, model.window_high
    if conductance.size and not np.any((conductance >= low) & (conductance <= high)):
        names = ", ".join(run.path.name for run in runs)
        least, most = np.nanmin(conductance), np.nanmax(conductance)
        raise FitError(
            f"{names}: cells of {least:.3g} to {most:.3g} S, none ever inside the window "
            f"of the prior, {low:.3g} to {high:.3g} S: another preset is needed, or these are "
            "cells of another kind"
        )


def _usual_traces(writes: Writes) -> npt.NDArray[np.bool_]:
    """Return which traces had pulses of the usual SET and RESET shapes alone.

    Usual is the shape that most cells had: a few cells written often, with pulses of every shape,
    say less of a chip than many cells written once.
    """
    usual = np.ones(writes.n_traces, bool)
    for kind in PulseKind:
        rows = np.flatnonzero((writes.stage == VERIFY) & (writes.kind == kind))
        if len(rows) and np.any(np.ptp(writes.shape[rows], axis=0) > 0):
            which = np.unique(writes.shape[rows], axis=0, return_inverse=True)[1].ravel()
            met = np.unique(np.stack([which, writes.cell[rows]]), axis=1)[0]
            usual[writes.trace[rows[which != int(np.argmax(np.bincount(met)))]]] = False
    return usual
