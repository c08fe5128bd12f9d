"""Lines obey Kirchhoff and Ohm, and every cell gets what its lines give it."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labctl_data.cells import Geometry
from labctl_data.model import SoftBoundModel, preset
from labctl_instruments.chip import Chip, ChipError, LineCurrents

ROWS, COLUMNS = 4, 3
SMALL = Geometry(2, ROWS, COLUMNS)
QUIET = preset("yao").without_noise()
OHMIC = QUIET.with_parameters(curvature=0.0, saturation_voltage=1e6)
ON = np.full(ROWS, 4.7)
Make = Callable[..., Chip]

voltages = st.floats(-0.3, 0.3)
bit_lines = hnp.arrays(np.float64, COLUMNS, elements=voltages)
source_lines = hnp.arrays(np.float64, ROWS, elements=voltages)
floating = st.booleans()


def _chip(model: SoftBoundModel = QUIET, seed: int = 1) -> Chip:
    chip = Chip(model, SMALL, seed=seed)
    levels = np.random.default_rng(seed).uniform(1e-6, 25e-6, SMALL.n_cells)
    chip.imprint(np.arange(SMALL.n_cells), levels)
    return chip


def _still(chip: Chip, bit: np.ndarray, source: np.ndarray, **options: object) -> LineCurrents:
    return chip.wiring.drive(0, bit, source, ON, 0.0, 0.0, averages=0, **options)  # type: ignore[arg-type]


def _power(lines: LineCurrents) -> float:
    return float(lines.bit_lines @ lines.bit_voltages + lines.source_lines @ lines.source_voltages)


@settings(deadline=None)  # the first example compiles
@given(bit_lines, source_lines)
def test_no_current_is_lost(bit: np.ndarray, source: np.ndarray) -> None:
    lines = _still(_chip(), bit, source)

    assert abs(lines.bit_lines.sum() + lines.source_lines.sum()) < 1e-15


@settings(deadline=None)  # the first example compiles
@given(bit_lines, source_lines)
def test_the_array_takes_power_and_gives_none(bit: np.ndarray, source: np.ndarray) -> None:
    assert _power(_still(_chip(), bit, source)) >= 0.0


@settings(deadline=None)  # the first example compiles
@given(bit_lines, source_lines, bit_lines, source_lines)
def test_ohmic_cells_superpose(
    bit: np.ndarray, source: np.ndarray, more_bit: np.ndarray, more_source: np.ndarray
) -> None:
    chip = _chip(OHMIC)

    one, other = _still(chip, bit, source), _still(chip, more_bit, more_source)
    both = _still(chip, bit + more_bit, source + more_source)

    np.testing.assert_allclose(both.bit_lines, one.bit_lines + other.bit_lines, atol=1e-15)


@settings(deadline=None)  # the first example compiles
@given(bit_lines, source_lines)
def test_ohmic_currents_are_those_of_the_conductance_matrix(
    bit: np.ndarray, source: np.ndarray
) -> None:
    chip = _chip(OHMIC)
    g = chip.conductances(np.arange(ROWS * COLUMNS), 0.0).reshape(ROWS, COLUMNS)

    lines = _still(chip, bit, source)

    np.testing.assert_allclose(lines.bit_lines, g.sum(axis=0) * bit - g.T @ source, atol=1e-15)
    np.testing.assert_allclose(lines.source_lines, g.sum(axis=1) * source - g @ bit, atol=1e-15)


@settings(deadline=None)  # the first example compiles
@given(bit_lines, source_lines, hnp.arrays(np.bool_, COLUMNS), hnp.arrays(np.bool_, ROWS))
def test_a_floating_line_carries_nothing_and_settles_between_the_driven_ones(
    bit: np.ndarray, source: np.ndarray, bit_floats: np.ndarray, source_floats: np.ndarray
) -> None:
    lines = _still(
        _chip(), np.where(bit_floats, np.nan, bit), np.where(source_floats, np.nan, source)
    )

    settled = np.concatenate([lines.bit_voltages, lines.source_voltages])
    driven = np.concatenate([bit[~bit_floats], source[~source_floats], [0.0]])
    assert np.abs(lines.bit_lines[bit_floats]).max(initial=0.0) < 1e-12
    assert np.abs(lines.source_lines[source_floats]).max(initial=0.0) < 1e-12
    assert settled.min() >= driven.min() - 1e-6
    assert settled.max() <= driven.max() + 1e-6


@settings(deadline=None)  # the first example compiles
@given(bit_lines)
def test_floating_ohmic_source_lines_settle_where_linear_algebra_says(bit: np.ndarray) -> None:
    chip = _chip(OHMIC)
    g = chip.conductances(np.arange(ROWS * COLUMNS), 0.0).reshape(ROWS, COLUMNS)

    lines = _still(chip, bit, np.full(ROWS, np.nan))

    np.testing.assert_allclose(lines.source_voltages, g @ bit / g.sum(axis=1), atol=1e-6)


@settings(deadline=None)  # the first example compiles
@given(bit_lines, st.floats(1e-8, 3e-6))
def test_a_limited_driver_gives_no_more_than_its_limit(bit: np.ndarray, limit: float) -> None:
    chip, zero = _chip(), np.zeros(ROWS)
    free = _still(chip, bit, zero)

    lines = _still(chip, bit, zero, limits=(limit, np.inf))

    assert np.abs(lines.bit_lines).max() <= limit * (1 + 1e-6)
    np.testing.assert_array_equal(lines.bit_limited, np.abs(free.bit_lines) > limit)
    assert (np.abs(lines.bit_voltages) <= np.abs(bit) + 1e-9).all()


def test_a_limited_driver_stops_at_its_limit_in_series_with_the_curved_cell() -> None:
    """The voltage left is where g 0.2 V sinh(bV) / sinh(0.2 b) is the limit."""
    chip = Chip(QUIET, Geometry(1, 1, 1), seed=1)
    chip.imprint([0], 10e-6)

    lines = chip.wiring.drive(0, [1.0], [0.0], [4.7], 0.0, 0.0, averages=0, limits=(5e-6, np.inf))

    expected = np.arcsinh(5e-6 / (10e-6 * 0.2) * np.sinh(0.3)) / 1.5
    assert lines.bit_voltages[0] == pytest.approx(expected, rel=1e-6)


def test_cells_behind_closed_gates_carry_nothing(make: Make) -> None:
    gates = np.zeros(32)
    gates[5] = 4.7

    lines = make().wiring.drive(1, np.full(16, 0.2), np.zeros(32), gates, 1e-6, 0.0)

    assert np.flatnonzero(lines.source_lines).tolist() == [5]
    assert np.count_nonzero(lines.bit_lines) == 16


@pytest.mark.parametrize("kind", [0, 1])
def test_a_pulse_is_a_drive_with_the_right_bias(make: Make, kind: int) -> None:
    pulsed, driven = make(), make()
    pe, row, column = 1, 7, 4
    cell = (pe * 32 + row) * 16 + column
    bit, source, word = np.zeros(16), np.zeros(32), np.zeros(32)
    if kind == 0:
        bit[column], word[row] = 2.0, 1.8
    else:
        bit[:], source[row], word[row] = 1.8, 1.8, 4.7
        bit[column] = 0.0

    for turn in range(5):
        pulsed.pulse([cell], kind, 1.8 if kind else 2.0, 50e-9, 4.7 if kind else 1.8, 1e-5 * turn)
        driven.wiring.drive(pe, bit, source, word, 50e-9, 1e-5 * turn, averages=0)

    for name, values in pulsed.state().items():
        np.testing.assert_array_equal(values, driven.state()[name], err_msg=name)
    assert pulsed.pulse_counts([cell]) == [5]


def test_a_wrong_inhibit_resets_the_whole_row_and_no_other(make: Make) -> None:
    chip = make()
    everything = np.arange(chip.geometry.n_cells).reshape(chip.geometry.shape)
    before = chip.conductances(everything, 0.0).reshape(chip.geometry.shape)
    source, word = np.zeros(32), np.zeros(32)
    source[7], word[7] = 1.8, 4.7

    for turn in range(50):
        chip.wiring.drive(0, np.zeros(16), source, word, 50e-9, 1e-5 * turn, averages=0)

    after = chip.conductances(everything, 5e-4).reshape(chip.geometry.shape)
    assert (after[0, 7] < before[0, 7] - 2e-6).all()
    untouched = np.ones(chip.geometry.shape, bool)
    untouched[0, 7] = False
    np.testing.assert_array_equal(after[untouched], before[untouched])


def test_a_floating_inhibit_protects_as_a_driven_one_does(make: Make) -> None:
    """With its bit line floating, an unselected cell pulls the line up to its own source line."""
    chip = make()
    cells = np.arange(16)
    before = chip.conductances(cells, 0.0)
    bit, source, word = np.full(16, np.nan), np.zeros(32), np.zeros(32)
    bit[3], source[0], word[0] = 0.0, 1.8, 4.7

    lines = chip.wiring.drive(0, bit, source, word, 50e-9, 0.0, averages=0)

    others = np.arange(16) != 3
    np.testing.assert_allclose(lines.bit_voltages[others], 1.8, atol=1e-4)
    np.testing.assert_array_equal(chip.conductances(cells, 0.0)[others], before[others])
    assert chip.conductances([3], 0.0) != before[3]


def test_a_read_by_lines_sees_the_noise_that_a_read_by_cells_sees(make: Make) -> None:
    by_lines, by_cells = make(), make()
    bit, source, word = np.zeros(16), np.zeros(32), np.zeros(32)
    bit[2], word[1] = 0.2, 4.7

    line = by_lines.wiring.drive(0, bit, source, word, 1e-6, 0.0).bit_lines[2]

    assert line == pytest.approx(by_cells.currents([18], 0.2, 1, 0.0)[0], rel=1e-12)


def test_lines_of_the_wrong_number_are_refused(make: Make) -> None:
    with pytest.raises(ChipError, match="asked for 16 bit, 32 source and 32 word lines"):
        make().wiring.drive(0, np.zeros(3), np.zeros(32), np.zeros(32), 0.0, 0.0)
    with pytest.raises(ChipError, match="PE 2 does not exist"):
        make().wiring.drive(2, np.zeros(16), np.zeros(32), np.zeros(32), 0.0, 0.0)
