"""From run files to a chip file: what is carried on."""

from pathlib import Path

import numpy as np
import pytest

from labctl.chip_fitting import fit_to_file
from labctl.engine import run
from labctl_data.chip_file import CellState, read_chip, write_chip
from labctl_data.model import StuckClass, preset
from labctl_instruments import open_bench
from labctl_procedures import WriteVerify


def written(folder: Path) -> Path:
    """Write four rows of a chip whose file knows a stuck cell elsewhere; return the run file."""
    stuck = np.zeros((8, 128, 16), np.int8)
    stuck[3, 100, 7] = StuckClass.STUCK_HIGH
    write_chip(folder / "chip.h5", preset("yao-quiet"), cells=CellState(stuck))
    with open_bench("sim-board", seed=2, chip=folder / "chip.h5") as station:
        run(WriteVerify(cells="0/0:4/:", levels=4), station, folder / "write.h5")
    return folder / "write.h5"


def test_a_stuck_cell_that_a_run_did_not_visit_stays_stuck(tmp_path: Path) -> None:
    fit_to_file([written(tmp_path)], tmp_path / "next.h5")

    cells = read_chip(tmp_path / "next.h5").cells
    assert cells is not None
    assert cells.stuck[3, 100, 7] == StuckClass.STUCK_HIGH
    assert np.count_nonzero(cells.stuck) == 1


def test_a_chip_file_that_is_gone_is_said_and_does_not_keep_from_fitting(
    tmp_path: Path, caplog
) -> None:
    measured = written(tmp_path)
    (tmp_path / "chip.h5").unlink()

    fit_to_file([measured], tmp_path / "next.h5")

    assert "chip.h5" in caplog.text
    assert "not carried on" in caplog.text


@pytest.mark.parametrize("prior", ["yao", "yao-quiet"])
def test_what_the_runs_do_not_tell_is_that_of_the_preset_asked_for(
    prior: str, tmp_path: Path
) -> None:
    fit_to_file([written(tmp_path)], tmp_path / "next.h5", prior=prior)

    untold = [p for p in read_chip(tmp_path / "next.h5").parameters if not p.identifiable]
    assert untold
    assert {p.source.split(",")[0] for p in untold if "scaled" not in p.source} == {
        f"preset {prior}"
    }
