"""What an operator selects, and what a form takes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_data.cells import Cells, Geometry
from labctl_data.errors import CellsError
from labctl_gui.state.selection import Selection

CHIP = Geometry(2, 6, 5)


def test_a_rectangle_drawn_from_either_corner_is_one_term():
    selection = Selection(CHIP)

    selection.add_rectangle(1, (4, 2), (0, 3))

    assert selection.text() == "1/2:5/0:4"
    assert len(selection) == 12


def test_a_cell_that_is_clicked_twice_is_out_again():
    selection = Selection(CHIP)
    selection.toggle(0, 3, 4)
    assert selection.text() == "0/3/4"

    selection.toggle(0, 3, 4)

    assert selection.text() == ""


@settings(deadline=None, max_examples=50)
@given(st.sets(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 4)), min_size=1))
def test_whatever_is_selected_a_form_takes_exactly_these_cells(chosen):
    selection = Selection(CHIP)
    for cell in chosen:
        selection.toggle(*cell)

    cells = Cells.from_text(selection.text(), CHIP)

    found = zip(cells.pe.tolist(), cells.row.tolist(), cells.column.tolist(), strict=True)
    assert sorted(found) == sorted(chosen)


def test_a_mask_that_is_saved_is_what_a_run_takes_and_what_is_loaded(tmp_path):
    selection, path = Selection(CHIP), tmp_path / "mask.npy"
    selection.toggle(0, 1, 2)
    selection.add_rectangle(1, (0, 5), (4, 4))

    selection.save(path)

    again = Selection(CHIP)
    again.load(path)
    assert np.array_equal(again.mask, selection.mask)
    assert len(Cells.from_text(str(path), CHIP)) == 7


def test_a_mask_of_another_chip_is_refused_and_the_selection_stays(tmp_path):
    path, selection = tmp_path / "mask.npy", Selection(CHIP)
    np.save(path, np.ones((3, 3, 3), np.bool_))
    selection.toggle(0, 0, 0)

    with pytest.raises(CellsError, match=r"\(2, 6, 5\)"):
        selection.load(path)

    assert selection.text() == "0/0/0"
