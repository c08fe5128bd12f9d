"""From run files to a chip file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from labctl.engine.provenance import packages
from labctl_data.chip_file import CellState, FittedModel, write_chip
from labctl_data.fit import FitResult, fit
from labctl_data.run_file import open_run


def fit_to_file(files: Sequence[Path], path: Path) -> FitResult:
    """Fit a device model to run files and write it as a chip file.

    Parameters
    ----------
    files : sequence of Path
        Run files of one chip.
    path : Path
        The chip file; must not exist.

    Raises
    ------
    LabctlError
        If a file cannot be read or the data cannot be fitted.
    """
    result = fit([open_run(file) for file in files])
    provenance = {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": [file.name for file in files],
        "packages": packages(),
    }
    fitted = FittedModel(result.model, result.parameters, result.quality)
    cells = CellState(result.stuck)
    write_chip(path, fitted, cells=cells, provenance=provenance)
    return result
