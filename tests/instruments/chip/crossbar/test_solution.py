"""The nodal solution obeys Kirchhoff, is passive, linear and scales, and others find the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_instruments.chip.crossbar import CellLaw, CrossbarError, Wires, bias, solve
from tests.instruments.chip.crossbar.networks import random_cells, random_lines, solve_directly

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
OHMS = st.floats(1e-2, 1e3)
LAWS = st.builds(CellLaw, st.sampled_from([0.0, 3.8]), st.sampled_from([0.0, 2e3]))
few = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (20, 20), (40, 30), (128, 16)])
@pytest.mark.parametrize("floating", [0.0, 0.6])
def test_the_solution_is_that_of_a_sparse_direct_solver(
    shape: tuple[int, int], floating: float
) -> None:
    cells, wires = random_cells(shape, opens=0.1 if min(shape) > 1 else 0.0), Wires(2.0, 5.0)
    bit, source = random_lines(shape[1], 1, floating), random_lines(shape[0], 2, floating)

    found = solve(cells, bit, source, wires)

    bit_nodes, source_nodes = solve_directly(cells, bit, source, wires)
    currents = cells * (bit_nodes - source_nodes)
    np.testing.assert_allclose(found.bit_nodes, bit_nodes, rtol=0, atol=1e-9 * 0.2)
    np.testing.assert_allclose(found.source_nodes, source_nodes, rtol=0, atol=1e-9 * 0.2)
    largest = np.abs(currents).max()
    np.testing.assert_allclose(found.cell_currents, currents, rtol=0, atol=1e-9 * largest)


@few
@given(SHAPES, OHMS, OHMS, LAWS, st.integers(0, 99), st.sampled_from([0.0, 0.5]))
def test_currents_into_every_node_add_up_to_nothing(
    shape: tuple[int, int], first: float, second: float, law: CellLaw, seed: int, floating: float
) -> None:
    cells = random_cells(shape, seed, opens=0.0)
    bit, source = random_lines(shape[1], seed, floating), random_lines(shape[0], seed + 1, floating)

    found = solve(cells, bit, source, Wires(first, second), law=law)

    largest = np.abs(found.cell_currents).max() + 1e-30
    tops = np.where(np.isnan(bit), found.bit_nodes[0], bit)
    drops = np.diff(np.vstack([tops, found.bit_nodes]), axis=0)
    into = -drops / first
    leaving = np.vstack([into[1:], np.zeros((1, shape[1]))])
    rounding = 16 * np.finfo(np.float64).eps * 0.2 / min(first, second)  # as the solver accepts
    assert np.abs(into - leaving - found.cell_currents).max() <= 1e-9 * largest + rounding
    ends = found.source_nodes[:, 0] - np.where(np.isnan(source), found.source_nodes[:, 0], source)
    assert np.abs(ends / second + found.source_currents).max() <= 1e-8 * largest + 12 * rounding
    balance = found.bit_currents.sum() + found.source_currents.sum()
    assert abs(balance) <= 1e-12 * shape[0] * shape[1] * largest


@few
@given(SHAPES, OHMS, LAWS, st.integers(0, 99))
def test_an_array_only_takes_power(
    shape: tuple[int, int], ohms: float, law: CellLaw, seed: int
) -> None:
    bit, source = random_lines(shape[1], seed), random_lines(shape[0], seed + 1)

    found = solve(random_cells(shape, seed), bit, source, Wires.alike(ohms), law=law)

    power = bit @ found.bit_currents + source @ found.source_currents
    assert power >= 0.0
    everything = np.concatenate([bit, source])
    for nodes in (found.bit_nodes, found.source_nodes):
        assert nodes.min() >= everything.min() - 1e-12
        assert nodes.max() <= everything.max() + 1e-12


@few
@given(SHAPES, OHMS, st.integers(0, 99), st.floats(-3, 3))
def test_linear_cells_make_a_linear_array(
    shape: tuple[int, int], ohms: float, seed: int, factor: float
) -> None:
    cells, wires = random_cells(shape, seed), Wires.alike(ohms)
    bit, source = random_lines(shape[1], seed), random_lines(shape[0], seed + 1)

    both = solve(cells, bit, factor * source, wires).cell_currents

    alone = solve(cells, bit, 0.0 * source, wires).cell_currents
    other = solve(cells, 0.0 * bit, source, wires).cell_currents
    allowed = 1e-10 * np.abs(alone).max() + 1e-22
    np.testing.assert_allclose(both, alone + factor * other, atol=allowed)


@few
@given(SHAPES, OHMS, LAWS, st.integers(0, 99), st.floats(0.1, 10))
def test_resistances_that_all_grow_alike_divide_the_currents(
    shape: tuple[int, int], ohms: float, law: CellLaw, seed: int, factor: float
) -> None:
    cells = random_cells(shape, seed)
    bit, source = random_lines(shape[1], seed), random_lines(shape[0], seed + 1)

    found = solve(cells, bit, source, Wires.alike(ohms), law=law)

    grown_law = CellLaw(law.curvature, law.series_resistance * factor)
    grown = solve(cells / factor, bit, source, Wires.alike(ohms * factor), law=grown_law)
    largest = np.abs(found.cell_currents).max()
    np.testing.assert_allclose(
        grown.cell_currents * factor, found.cell_currents, rtol=0, atol=1e-9 * largest + 1e-24
    )


def test_rows_and_columns_can_be_exchanged() -> None:
    cells, bit, source = random_cells((9, 14)), random_lines(14, 1), random_lines(9, 2)

    found = solve(cells, bit, source, Wires(2.0, 7.0)).cell_currents

    turned = solve(cells.T, source, bit, Wires(7.0, 2.0)).cell_currents
    np.testing.assert_allclose(turned.T, -found, rtol=0, atol=1e-10 * np.abs(found).max())


def test_without_resistance_to_speak_of_every_cell_sees_its_lines() -> None:
    cells, bit, source = random_cells((20, 20)), random_lines(20, 1), random_lines(20, 2)

    found = solve(cells, bit, source, Wires.alike(1e-9))

    ideal = cells * (bit - source.reshape(-1, 1))
    np.testing.assert_allclose(found.cell_currents, ideal, rtol=1e-6, atol=1e-15)


def test_one_cell_is_a_series_of_resistors() -> None:
    found = solve([[1e-4]], [1.0], [0.0], Wires(30.0, 70.0), law=CellLaw(series_resistance=900.0))

    assert found.bit_currents[0] == pytest.approx(1.0 / (10_000 + 30 + 70 + 900), rel=1e-12)


def test_a_curved_cell_in_series_obeys_its_law() -> None:
    """I = g v sinh(bv)/(bv) / [...] at the voltage that wires and transistor leave."""
    law, g, b = CellLaw(3.0, 2e3), 5e-5, 3.0

    current = solve([[g]], [1.2], [0.0], Wires(10.0, 10.0), law=law).bit_currents[0]

    v = 1.2 - current * (20.0 + 2e3)
    assert current == pytest.approx(g * 0.2 * np.sinh(b * v) / np.sinh(b * 0.2), rel=1e-10)


def test_sneak_paths_make_a_high_cell_look_low_when_all_other_lines_float() -> None:
    """Three cells in a row lead around each cell: 2 x 2 cells, by the law of series resistors."""
    cells = np.array([[1e-6, 3e-5], [4e-5, 5e-5]])
    bit, source = bias((2, 2), (0, 0), 0.2, "floating")

    found = solve(cells, bit, source, Wires.alike(1e-6))

    around = 1.0 / (1 / 4e-5 + 1 / 5e-5 + 1 / 3e-5)
    assert found.bit_currents[0] == pytest.approx(0.2 * (1e-6 + around), rel=1e-6)


@pytest.mark.parametrize(("scheme", "part"), [("half", 1 / 2), ("third", 1 / 3)])
def test_a_bias_leaves_unselected_cells_at_its_part_of_the_voltage(
    scheme: str, part: float
) -> None:
    bit, source = bias((20, 20), (7, 11), 1.5, scheme)  # type: ignore[arg-type]

    found = solve(random_cells((20, 20)), bit, source, Wires.alike(1e-3))

    seen = np.abs(found.bit_nodes - found.source_nodes)
    assert seen[7, 11] == pytest.approx(1.5, rel=1e-3)
    seen[7, 11] = 0.0
    assert seen.max() == pytest.approx(part * 1.5, rel=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e-6])
def test_a_cell_that_is_no_conductance_is_named(bad: float) -> None:
    cells = random_cells((4, 5))
    cells[3, 1] = bad

    with pytest.raises(CrossbarError, match="row 3, column 1"):
        solve(cells, np.zeros(5), np.zeros(4), Wires.alike(1.0))


def test_a_floating_line_that_meets_nothing_is_named() -> None:
    cells = random_cells((4, 5), opens=0.0)
    cells[:, 2] = 0.0
    bit = np.array([0.2, 0.0, np.nan, 0.0, 0.0])

    with pytest.raises(CrossbarError, match=r"bit line 2 floats.*singular"):
        solve(cells, bit, np.zeros(4), Wires.alike(1.0))


def test_an_array_that_nothing_drives_is_refused() -> None:
    with pytest.raises(CrossbarError, match="bit line 0 floats"):
        solve(np.ones((2, 2)), [np.nan] * 2, [np.nan] * 2, Wires.alike(1.0))


def test_lines_and_wires_that_cannot_be_are_named() -> None:
    with pytest.raises(CrossbarError, match="source line 1 cannot be at inf V"):
        solve(np.ones((2, 2)), [0, 0], [0, np.inf], Wires.alike(1.0))
    with pytest.raises(CrossbarError, match="asked for 2 bit lines"):
        solve(np.ones((2, 2)), [0, 0, 0], [0, 0], Wires.alike(1.0))
    with pytest.raises(CrossbarError, match=r"segment of a source line.*found 0"):
        Wires(1.0, 0.0)
    with pytest.raises(CrossbarError, match="curvature"):
        CellLaw(curvature=np.nan)
    with pytest.raises(CrossbarError, match="row 2, column 0 does not exist"):
        bias((2, 2), (2, 0), 1.0, "half")
