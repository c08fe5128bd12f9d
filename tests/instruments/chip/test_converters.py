"""Converters that are not ideal make the errors that are said of them."""

from collections.abc import Callable

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import SoftBoundModel
from labctl_instruments.chip import Chip, ChipError, ConverterSpread
from labctl_instruments.chip.converters import Converters

Make = Callable[..., Chip]
ROWS, COLUMNS = 64, 16
FULL_SCALE = 60e-6


def _codes(chip: Chip, n: int = 1, bits: int = 12) -> np.ndarray:
    """Return the codes of all lines, each with all inputs on, (n, lines)."""
    plan = MacPlan(
        np.arange(COLUMNS)[np.newaxis],
        np.arange(ROWS)[np.newaxis],
        np.ones((1, ROWS), np.int64),
        FULL_SCALE,
        adc_bits=bits,
        input_bits=1,
    )
    ones = np.ones((n, COLUMNS), np.uint8)
    return chip.mac(ones, np.arange(ROWS)[np.newaxis], plan, 0.0)[0]


def _made(make: Make, **spread: float) -> Chip:
    chip = make(noise=False, converters=ConverterSpread(**spread))  # type: ignore[arg-type]
    chip.imprint(np.arange(ROWS * COLUMNS), 10e-6)  # 32 uA a line
    return chip


def test_offsets_and_gains_are_those_drawn_for_the_lines_converters(make: Make) -> None:
    lsb = FULL_SCALE / 4095
    ideal = _codes(_made(make))[0].astype(float)

    offset = _codes(_made(make, offset=20 * lsb))[0] - ideal
    gain = _codes(_made(make, gain=0.02))[0] / ideal

    assert offset.std() == pytest.approx(20, rel=4.5 / np.sqrt(2 * ROWS))
    assert abs(offset.mean()) < 4.5 * 20 / np.sqrt(ROWS)
    assert gain.std() == pytest.approx(0.02, rel=4.5 / np.sqrt(2 * ROWS))


def test_lines_that_share_a_converter_share_its_errors(make: Make) -> None:
    codes = _codes(_made(make, offset=1e-6, lines_each=4))[0].reshape(-1, 4)

    assert (codes == codes[:, :1]).all()
    assert len(set(codes[:, 0].tolist())) > 10


def test_no_converter_serves_two_arrays() -> None:
    converters = Converters(ConverterSpread(lines_each=4), Geometry(2, 6, 3), seed=1)

    of = converters.of(np.arange(12)).tolist()

    assert of == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3]


def test_conversions_of_a_shared_converter_come_one_after_another() -> None:
    converters = Converters(ConverterSpread(lines_each=4), Geometry(1, 16, 2), seed=1)
    signs = np.ones((2, 3), np.int64)
    plan = MacPlan(np.zeros((2, 1), np.int64), np.zeros((2, 3), np.int64), signs, 1e-6)

    assert converters.turns(np.array([[0, 1, 4], [3, 8, 12]]), plan) == 2 + 1


def test_converter_noise_adds_to_that_of_the_cells(make: Make, yao: SoftBoundModel) -> None:
    model = yao.with_parameters(read_noise=0.01, rtn_fraction=0.0, curvature=0.0)
    chip = make(model, converters=ConverterSpread(noise=100e-9))
    chip.imprint(np.arange(ROWS * COLUMNS), 10e-6)
    n = 5_000

    codes = _codes(chip, n)

    cells = 0.01 * 2e-6 * np.sqrt(COLUMNS)
    expected = np.sqrt(cells**2 + 100e-9**2) / (FULL_SCALE / 4095)
    assert codes.std(axis=0).mean() == pytest.approx(expected, rel=4.5 / np.sqrt(2 * n))


@pytest.mark.parametrize(("bow", "step"), [(0.01, 0.0), (0.0, 0.3), (0.005, 0.2)])
def test_a_crooked_converter_gives_the_code_between_whose_edges_the_current_lies(
    make: Make, bow: float, step: float
) -> None:
    spread = ConverterSpread(bow=bow, step=step)
    chip = make(noise=False, converters=spread)
    conductance = np.random.default_rng(0).uniform(0.0, 23e-6, ROWS * COLUMNS)
    chip.imprint(np.arange(ROWS * COLUMNS), conductance)
    converters = Converters(spread, chip.geometry, seed=1)

    codes = _codes(chip, bits=8)[0]

    truth = chip.conductances(np.arange(ROWS * COLUMNS), 0.0).reshape(ROWS, COLUMNS).sum(axis=1)
    steps = 0.2 * truth / (FULL_SCALE / 255) + 0.5
    edges = converters.edges(8)
    expected = [np.searchsorted(edges[line], steps[line], side="right") for line in range(ROWS)]
    np.testing.assert_array_equal(codes, np.minimum(expected, 255))
    straight = np.floor(steps)
    assert (codes != straight).any()


@pytest.mark.parametrize(("width", "n"), [(9, 100), (16, 100), (16, 3)])
def test_a_crooked_converter_errs_alike_with_and_without_noise(
    make: Make, yao: SoftBoundModel, width: int, n: int
) -> None:
    """Tables of known codes, of noisy sums, and products of matrices: noise of next to nothing."""
    spread = ConverterSpread(bow=0.02, step=0.3, offset=200e-9)
    still = yao.with_parameters(rtn_fraction=0.0, read_noise=1e-7)
    plan = MacPlan(
        np.tile(np.arange(width), (2, 1)),
        np.tile(np.arange(12), (2, 1)),
        np.ones((2, 12), np.int64),
        width * 1.4e-6,
    )
    rows = np.arange(24).reshape(2, 12)
    vectors = np.random.default_rng(1).integers(0, 256, (n, 2 * width)).astype(np.uint8)
    conductance = np.random.default_rng(0).uniform(2e-6, 20e-6, ROWS * COLUMNS)
    quiet, noisy = (
        make(noise=False, converters=spread),
        make(still, converters=spread),
    )
    quiet.imprint(np.arange(ROWS * COLUMNS), conductance)
    noisy.imprint(np.arange(ROWS * COLUMNS), conductance)

    known, beyond = quiet.mac(vectors, rows, plan, 0.0)
    met, beyond_too = noisy.mac(vectors, rows, plan, 0.0)

    assert (known == met).mean() > 0.97
    assert abs(beyond - beyond_too) <= 0.01 * beyond
    assert beyond > 0


def test_the_bow_is_a_parabola_between_the_ends_of_the_range() -> None:
    converters = Converters(ConverterSpread(bow=0.01), Geometry(1, 400, 1), seed=1)

    off = converters.edges(8) - np.arange(1, 256)

    assert off[:, 127].std() == pytest.approx(2.55, rel=4.5 / np.sqrt(800))
    np.testing.assert_allclose(off[:, 63], 0.75 * off[:, 127], rtol=0.02)
    np.testing.assert_allclose(off[:, -1], 0.0, atol=1e-9)


def test_a_slot_without_any_input_is_not_converted(make: Make) -> None:
    chip = _made(make, offset=5e-6)
    plan = MacPlan(np.array([[0]]), np.array([[0]]), np.array([[1]]), 1e-6)

    sums, saturated = chip.mac(np.zeros((3, 1), np.uint8), [[0]], plan, 0.0)

    assert not sums.any()
    assert saturated == 0


@pytest.mark.parametrize("name", ["offset", "gain", "bow", "step", "noise"])
def test_a_spread_below_nothing_is_refused(name: str) -> None:
    with pytest.raises(ChipError, match=f"{name} must be 0 or more"):
        ConverterSpread(**{name: -1.0})  # type: ignore[arg-type]
