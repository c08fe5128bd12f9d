"""Cells that a fit does not see: who they are, and that nothing of them reaches it."""

from pathlib import Path

import numpy as np
import pytest

from labctl_data.errors import FitError
from labctl_data.fit.held_out import split_cells
from labctl_data.run_file import Column, Run, RunWriter, open_run

SHAPE = [2, 8, 16]
COLUMNS = tuple(Column(name, "", name, "i2") for name in ("pe", "row", "column", "turn"))


def run_of(path: Path, addresses: np.ndarray) -> Run:
    """Write a run in which each cell has two rows, and one row is of no cell."""
    rows = np.concatenate([addresses, addresses, [[0, 3, -1]]])
    facts = {"procedure": "Other", "chip": "a", "geometry": SHAPE}
    with RunWriter.create(path, columns=COLUMNS, attributes=facts) as writer:
        pe, row, column = rows.T
        turn = np.repeat([1, 2, 0], [len(addresses), len(addresses), 1])
        writer.append({"time": 0.0, "pe": pe, "row": row, "column": column, "turn": turn})
    return open_run(path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a run of the 128 cells of the second array."""
    found = np.stack(np.unravel_index(np.arange(128, 256), SHAPE), axis=-1)
    return run_of(tmp_path / "run.h5", found)


def cells_of(run: Run) -> set[tuple[int, ...]]:
    rows = run.records()
    table = np.stack([rows[name] for name in ("pe", "row", "column")], axis=-1)
    return {tuple(map(int, cell)) for cell in table[table[:, 2] >= 0]}


def test_the_cells_are_parted_in_two_and_none_is_lost(run: Run) -> None:
    split = split_cells([run], 0.25)

    fitted, judging = cells_of(split.fitted(run)), cells_of(split.judging(run))
    assert len(judging) == 32
    assert not fitted & judging
    assert fitted | judging == cells_of(run)


def test_rows_of_a_cell_stay_together_and_rows_of_none_stay_on_both_sides(run: Run) -> None:
    split = split_cells([run], 0.5)

    turns = split.judging(run).record("turn").tolist()
    assert turns == [1] * 64 + [2] * 64 + [0]
    assert split.fitted(run).record("turn", start=128).tolist() == [0]


def test_two_runs_keep_the_same_cells_out(run: Run, tmp_path: Path) -> None:
    other = run_of(tmp_path / "other.h5", np.stack(np.unravel_index(np.arange(100, 200), SHAPE)).T)

    split = split_cells([run, other], 0.3)

    assert not cells_of(split.fitted(run)) & cells_of(split.judging(other))
    assert split.held_out.sum() == round(0.3 * 156)


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_a_share_that_leaves_hardly_a_cell_is_refused(run: Run, share: float) -> None:
    with pytest.raises(FitError, match="found 128 cells in the runs"):
        split_cells([run], share)
