"""From run files to a chip file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labctl.engine.provenance import packages
from labctl.twin import judge
from labctl_data.chip_file import CellState, FittedModel, read_chip, write_chip
from labctl_data.errors import ChipFileError
from labctl_data.fit import FitResult, fit
from labctl_data.fit.held_out import Split, split_cells
from labctl_data.run_file import Run, open_run

if TYPE_CHECKING:
    from labctl.engine import ProgressSink

log = logging.getLogger(__name__)


def fit_to_file(
    files: Sequence[Path],
    path: Path,
    *,
    prior: str = "yao",
    hold_out: float = 0.0,
    progress: ProgressSink | None = None,
) -> FitResult:
    """Fit a device model to run files and write it as a chip file.

    Cells that the chip files behind the runs know to be stuck stay so: a run gives them no pulse,
    and one that has not visited them says nothing about them.

    Parameters
    ----------
    files : sequence of Path
        Run files of one chip.
    path : Path
        The chip file; must not exist.
    prior : str
        Name of the device preset whose values stand for what the runs do not tell.
    hold_out : float
        Share of the cells that the fit does not see. The runs are repeated on the twin, and how
        far it is from the original on those cells is noted in the quality as `held_out`.
    progress : ProgressSink, optional
        Is told how far the repetitions have come.

    Raises
    ------
    LabctlError
        If a file cannot be read or the data cannot be fitted.
    """
    runs = [open_run(file) for file in files]
    split = split_cells(runs, hold_out) if hold_out else None
    result = fit([split.fitted(run) for run in runs] if split else runs, prior=prior)
    provenance = {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": [file.name for file in files],
        "preset": prior,
        "packages": packages(),
    }
    known = _known_stuck(runs, result.stuck.shape)
    cells = CellState(np.where(result.stuck != 0, result.stuck, known).astype(np.int8))
    write_chip(path, result.fitted, cells=cells, provenance=provenance)
    if split is None:
        return result
    noted = {**result.quality, "held_out": _held_out(runs, path, split, progress)}
    fitted = FittedModel(result.model, result.parameters, noted)
    write_chip(path, fitted, cells=cells, provenance=provenance, replace=True)
    return replace(result, fitted=fitted)


def _held_out(
    runs: Sequence[Run], chip: Path, split: Split, progress: ProgressSink | None
) -> dict[str, Any]:
    """Return how far the twin is from the original on the cells that the fit did not see."""
    found = judge(runs, chip, judging=split.judging, progress=progress)
    return {
        "cells": int(split.held_out.sum()),
        "ks": {each.name: each.test.facts() for each in found},
    }


def _known_stuck(runs: Sequence[Run], shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """Return the stuck cells of the chip files behind the runs, shape (pe, row, col)."""
    known = np.zeros(shape, np.int8)
    named = ("chip_file", "stuck_file")
    files = {str(run.attributes.get(key) or "") for run in runs for key in named}
    for file in sorted(files - {""}):
        try:
            cells = read_chip(Path(file)).cells
        except (ChipFileError, OSError) as error:
            log.warning("its stuck cells are not carried on: %s", error)
            continue
        if cells is not None:
            stuck = np.asarray(cells.stuck, np.int8).reshape(shape)
            known = np.where(stuck != 0, stuck, known)
    return known
