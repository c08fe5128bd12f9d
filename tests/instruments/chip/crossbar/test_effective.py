"""The effective matrix is what the nodal solution says, column by column."""

import numpy as np
import pytest

from labctl_instruments.chip.crossbar import CrossbarError, Tiles, Wires, effective_matrix, solve
from tests.instruments.chip.crossbar.networks import random_cells

WIRES = Wires(3.0, 8.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (16, 5), (5, 16), (128, 16)])
def test_a_column_is_what_the_source_lines_carry_for_one_volt(shape: tuple[int, int]) -> None:
    cells = random_cells(shape)

    found = effective_matrix(cells, WIRES)

    volts = np.eye(shape[1])
    nodal = [-solve(cells, v, np.zeros(shape[0]), WIRES).source_currents for v in volts]
    np.testing.assert_allclose(found, np.transpose(nodal), rtol=0, atol=1e-11 * cells.max())


def test_wires_take_more_from_cells_farther_away() -> None:
    found = effective_matrix(np.full((64, 16), 5e-5), WIRES)

    assert (np.diff(found, axis=0) < 0).all()
    assert (np.diff(found, axis=1) < 0).all()
    assert found.max() < 5e-5


def test_wires_of_next_to_no_resistance_change_nothing() -> None:
    cells = random_cells((32, 16))

    found = effective_matrix(cells, Wires.alike(1e-9))

    np.testing.assert_allclose(found, cells, rtol=1e-6, atol=1e-14)


def test_a_tile_is_worked_out_anew_only_when_a_cell_has_changed() -> None:
    tiles, cells = Tiles(WIRES), random_cells((8, 4), opens=0.0)
    first = tiles.arriving(0, cells)

    again, other = tiles.arriving(0, cells.copy()), tiles.arriving(1, cells)
    cells[2, 3] *= 1.0001
    changed = tiles.arriving(0, cells)

    assert again is first
    assert other is not first
    np.testing.assert_allclose(changed * cells, effective_matrix(cells, WIRES), rtol=1e-14)


def test_a_drift_within_the_tolerance_is_off_by_that_part_of_the_drop() -> None:
    tiles, cells = Tiles(WIRES, tolerance=1e-2), random_cells((32, 16), opens=0.0)
    first = tiles.arriving(0, cells)
    drift = np.random.default_rng(1).uniform(-1e-2, 1e-2, cells.shape)
    drifted = cells * (1.0 + drift)

    part = tiles.arriving(0, drifted)

    assert part is first
    exact = effective_matrix(drifted, WIRES)
    drops = (drifted - exact).sum(axis=1)
    assert (np.abs((part * drifted - exact).sum(axis=1)) <= 1e-2 * drops).all()


def test_cells_that_are_no_conductance_and_ladders_too_wide_are_refused() -> None:
    cells = random_cells((4, 5))
    cells[0, 4] = np.nan

    with pytest.raises(CrossbarError, match="row 0, column 4"):
        effective_matrix(cells, WIRES)
    with pytest.raises(CrossbarError, match="300 x 400 cells asks for a ladder of 300 ports"):
        effective_matrix(np.ones((300, 400)), WIRES)
