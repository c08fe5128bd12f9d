"""Half-selected cells of a write move by the law of pulses, at the voltage they see."""

from collections.abc import Callable

import numpy as np
import pytest

from labctl_data.model import SoftBoundModel, preset, vectors
from labctl_instruments.chip import Chip

from .conftest import GEOMETRY

Make = Callable[..., Chip]
ROWS, COLUMNS = GEOMETRY.rows, GEOMETRY.columns
WRITE, WIDTH = 2.0, 1e-6
HALVES = (WRITE / 2, WRITE / 2)
START = 5e-6


def _still() -> SoftBoundModel:
    """Return a model in which nothing but the mean motion of pulses is left."""
    return preset("yao").without_noise().without_variation()


def _written(
    chip: Chip, others: tuple[float, float], count: int, start: float = START
) -> np.ndarray:
    """Write cell (5, 3) `count` times, other bit and source lines at `others`; return the moves.

    All word lines are on, as in an array without transistors. In S, (rows, columns).
    """
    cells = np.arange(ROWS * COLUMNS)
    chip.imprint(cells, start)
    bit, source = np.full(COLUMNS, others[0]), np.full(ROWS, others[1])
    bit[3], source[5] = WRITE, 0.0
    for turn in range(count):
        chip.wiring.drive(0, bit, source, np.full(ROWS, 5.0), WIDTH, 1e-3 * turn, averages=0)
    return (chip.conductances(cells, 1e3) - start).reshape(ROWS, COLUMNS)


def test_half_selected_cells_creep_by_the_law_and_the_others_stay(make: Make) -> None:
    """V/2 on the written row and column, nothing on the rest; the law, added up pulse by pulse."""
    moved = _written(make(_still()), HALVES, 200)

    g = START
    for _ in range(200):
        g += float(vectors.pulse_step(_still(), g, 0, amplitude=1.0, width=WIDTH, gate=4.0)[0])
    half = np.concatenate([moved[5, np.arange(COLUMNS) != 3], moved[np.arange(ROWS) != 5, 3]])
    rest = np.delete(np.delete(moved, 5, axis=0), 3, axis=1)
    np.testing.assert_allclose(half, g - START, rtol=1e-9)
    assert g - START > 1e-9
    assert not rest.any()
    assert moved[5, 3] > 100 * half.max()


def test_a_third_of_the_voltage_disturbs_all_cells_but_far_less(make: Make) -> None:
    """Rates are exponential in the voltage: V/2 to V/3 divides by exp(V/6/v), here 28."""
    half = _written(make(_still()), HALVES, 50, 15e-6)[5, 0]

    third = _written(make(_still()), (WRITE / 3, 2 * WRITE / 3), 50, 15e-6)

    assert half / third[5, 0] == pytest.approx(np.exp(WRITE / 6 / 0.1), rel=0.02)
    assert third[5, 0] == pytest.approx(third[0, 3], rel=1e-9)
    assert (third[np.arange(ROWS) != 5][:, np.arange(COLUMNS) != 3] < 0.0).all()


def test_cells_of_low_threshold_suffer_most(make: Make) -> None:
    """A spread of rates is a spread of thresholds, of v times as many volts."""
    chip = make(_still().with_parameters(rate_spread=0.5))
    rate = chip.cell_parameters()["rate_factor"][0]

    moved = _written(chip, HALVES, 20)

    others = np.arange(ROWS) != 5
    np.testing.assert_allclose(
        moved[others, 3] / moved[others, 3].mean(), rate[others, 3] / rate[others, 3].mean(),
        rtol=5e-3,
    )  # fmt: skip


def test_half_selects_scatter_as_the_root_of_their_number(make: Make) -> None:
    """Variance rho sigma^2 a pulse: .087 uS after 200 pulses of 1.4e-4 x 11 reference pulses."""
    sigma = 0.64e-6
    model = _still().with_parameters(set_sigma=np.full(10, sigma), set_step=np.full(10, 1e-12))
    rho = np.exp(-10.0) * (WIDTH / 50e-9) ** 0.8

    moved = _written(make(model), HALVES, 200)

    half = np.concatenate([moved[5, np.arange(COLUMNS) != 3], moved[np.arange(ROWS) != 5, 3]])
    expected = sigma * np.sqrt(200 * rho)
    assert half.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * half.size))


def test_a_closed_word_line_protects_a_row_of_transistors(make: Make) -> None:
    chip = make(_still())
    cells = np.arange(ROWS * COLUMNS)
    chip.imprint(cells, START)
    bit, source, word = np.zeros(COLUMNS), np.zeros(ROWS), np.zeros(ROWS)
    bit[3], word[5] = WRITE, 1.8

    for turn in range(50):
        chip.wiring.drive(0, bit, source, word, WIDTH, 1e-3 * turn, averages=0)

    moved = np.flatnonzero(chip.conductances(cells, 1.0) != START)
    np.testing.assert_array_equal(moved, [5 * COLUMNS + 3])
