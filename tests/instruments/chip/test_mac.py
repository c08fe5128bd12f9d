"""A MAC gives the integers that its plan defines, and the noise that its cells make."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from labctl_data.mac_plan import MacPlan
from labctl_data.model import SoftBoundModel
from labctl_instruments.chip import Chip, ChipError

Make = Callable[..., Chip]
STEP = Fraction(18, 31)


def _plan(blocks: int, width: int, lines: int, **options: float) -> MacPlan:
    """Return a plan of differential pairs, all blocks on the same outputs."""
    signs = np.where(np.arange(lines) % 2, -1, 1)
    return MacPlan(
        columns=np.tile(np.arange(width), (blocks, 1)),
        outputs=np.tile(np.arange(lines) // 2, (blocks, 1)),
        signs=np.tile(signs, (blocks, 1)),
        **{"adc_full_scale": width * 4e-6, **options},  # type: ignore[arg-type]
    )


def _rows(blocks: int, lines: int) -> np.ndarray:
    return np.arange(blocks * lines).reshape(blocks, lines)


def _vectors(n: int, plan: MacPlan, zeros: float = 0.5, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(0, 2**plan.input_bits, (n, plan.n_inputs))
    return np.where(rng.random(vectors.shape) < zeros, 0, vectors).astype(np.uint8)


def _write_levels(chip: Chip, seed: int = 0) -> np.ndarray:
    """Put all cells on one of 32 levels; return the level numbers by (line, column)."""
    levels = np.random.default_rng(seed).integers(0, 32, chip.geometry.n_cells)
    chip.imprint(np.arange(chip.geometry.n_cells), 1e-6 * (2.0 + float(STEP) * levels))
    return levels.reshape(-1, chip.geometry.columns)


def _integers(levels: np.ndarray, vectors: np.ndarray, rows: np.ndarray, plan: MacPlan):
    """Compute the sums in Python integers: the definition of `MacPlan`, line by line."""
    top = 2**plan.adc_bits - 1
    lsb = Fraction(plan.adc_full_scale).limit_denominator(10**12) / top
    current = [[(2 + STEP * int(k)) / 10**6 * Fraction(1, 5) for k in row] for row in levels]
    sums = [[0] * plan.n_outputs for _ in vectors]
    saturated = 0
    for v, vector in enumerate(vectors.tolist()):
        for b in range(plan.n_blocks):
            inputs = vector[b * plan.width : (b + 1) * plan.width]
            for line, row in enumerate(rows[b]):
                for k in range(plan.input_bits):
                    total = sum(
                        current[row][plan.columns[b, j]]
                        for j, code in enumerate(inputs)
                        if code >> k & 1 and plan.columns[b, j] >= 0
                    )
                    code = (2 * total + lsb) // (2 * lsb)
                    saturated += code > top
                    sums[v][plan.outputs[b, line]] += int(plan.signs[b, line]) * (
                        min(code, top) << k
                    )
    return sums, saturated


@pytest.mark.parametrize(
    ("blocks", "width", "lines", "n", "options"),
    [
        (1, 9, 16, 70, {}),
        (3, 9, 10, 70, {}),
        (2, 16, 7, 70, {}),
        (2, 16, 8, 1, {}),
        (1, 12, 8, 5, {}),
        (2, 5, 6, 70, {"adc_full_scale": 10e-6}),
        (2, 5, 6, 70, {"adc_bits": 5, "input_bits": 3}),
        (1, 4, 6, 70, {"adc_bits": 16}),
    ],
)
def test_without_noise_the_sums_are_the_integers_of_the_plan(
    make: Make, blocks: int, width: int, lines: int, n: int, options: dict[str, float]
) -> None:
    chip = make(noise=False)
    levels = _write_levels(chip)
    plan, rows = _plan(blocks, width, lines, **options), _rows(blocks, lines)
    vectors = _vectors(n, plan)

    sums, saturated = chip.mac(vectors, rows, plan, 0.0)

    expected, expected_saturated = _integers(levels, vectors, rows, plan)
    np.testing.assert_array_equal(sums, expected)
    assert saturated == expected_saturated
    assert sums.dtype == np.int32


def test_exact_ties_are_rounded_up(make: Make) -> None:
    """2.5 and 1.5 ADC steps, which floating point may miss by its last bit either way."""
    chip = make(noise=False)
    lsb = 1e-4 / 255
    chip.imprint([0, 16, 32], np.array([2.5, 1.5, 0.4999999]) * lsb / 0.2)
    apart = MacPlan(np.array([[0]]), np.array([[0, 1, 2]]), np.ones((1, 3), np.int64), 1e-4)

    sums, _ = chip.mac(np.ones((1, 1), np.uint8), np.array([[0, 1, 2]]), apart, 0.0)

    assert sums.tolist() == [[3, 2, 0]]


def test_unused_inputs_and_lines_count_for_nothing(make: Make) -> None:
    chip = make(noise=False)
    levels = _write_levels(chip)
    plan, rows = _plan(2, 4, 6), _rows(2, 6)
    plan.columns[1, 2] = -1
    plan.signs[0, 5] = 0
    vectors = _vectors(70, plan, zeros=0.0)
    expected, _ = _integers(levels, vectors, rows, plan)

    rows[0, 5] = -1
    sums, _ = chip.mac(vectors, rows, plan, 0.0)

    np.testing.assert_array_equal(sums, expected)


def test_noise_leaves_zeros_alone(make: Make) -> None:
    plan = _plan(2, 9, 8)

    sums, saturated = make().mac(np.zeros((70, 18), np.uint8), _rows(2, 8), plan, 0.0)

    assert not sums.any()
    assert saturated == 0


@pytest.mark.parametrize(("width", "n"), [(9, 40_000), (16, 40_000), (9, 5)])
def test_noise_is_that_of_independent_cells(
    make: Make, yao: SoftBoundModel, width: int, n: int
) -> None:
    """Against a Monte Carlo cell by cell: mean, variance and distribution of the codes."""
    chip = make(yao.with_parameters(rtn_fraction=0.0, read_noise=0.05))
    levels = _write_levels(chip)
    plan = MacPlan(
        np.arange(width)[np.newaxis], np.arange(6)[np.newaxis], np.ones((1, 6), np.int64), 60e-6
    )
    pattern = np.where(np.arange(width) % 3, 1, 0).astype(np.uint8)
    repeats = max(6_000 // n, 1)

    codes = np.concatenate(
        [chip.mac(np.tile(pattern, (n, 1)), _rows(1, 6), plan, 0.0)[0] for _ in range(repeats)]
    )

    currents = 0.2e-6 * (2.0 + float(STEP) * levels[:6, :width]) * pattern
    rng = np.random.default_rng(3)
    noisy = currents * (1.0 + 0.05 * rng.standard_normal((40_000, 6, width)))
    monte_carlo = np.floor(noisy.sum(axis=2) / plan.lsb + 0.5)
    count = len(codes)
    for line in range(6):
        variance = monte_carlo[:, line].var()
        spread = np.sqrt(variance * (1 / count + 1 / 40_000))
        assert abs(codes[:, line].mean() - monte_carlo[:, line].mean()) < 4 * spread
        assert codes[:, line].var() == pytest.approx(
            variance, rel=4 * np.sqrt(2 / count + 2 / 40_000)
        )
        assert stats.ks_2samp(codes[:, line], monte_carlo[:, line]).pvalue > 1e-4


def test_conversions_are_independent_of_each_other(make: Make) -> None:
    chip = make()
    _write_levels(chip)
    plan = MacPlan(
        np.arange(9)[np.newaxis], np.arange(8)[np.newaxis], np.ones((1, 8), np.int64), 36e-6
    )
    n = 20_000

    sums, _ = chip.mac(np.full((n, 9), 1, np.uint8), _rows(1, 8), plan, 0.0)

    lines = np.corrcoef(sums.T)[np.triu_indices(8, 1)]
    assert np.abs(lines).max() < 4.5 / np.sqrt(n)
    assert abs(np.corrcoef(sums[1:, 0], sums[:-1, 0])[0, 1]) < 4 / np.sqrt(n)


def test_the_same_vectors_again_meet_other_noise(make: Make) -> None:
    chip = make()
    _write_levels(chip)
    plan, vectors = _plan(1, 9, 8), np.full((50, 9), 255, np.uint8)

    first, _ = chip.mac(vectors, _rows(1, 8), plan, 0.0)
    second, _ = chip.mac(vectors, _rows(1, 8), plan, 0.0)

    assert not np.array_equal(first, second)


def test_sums_do_not_depend_on_the_number_of_threads(make: Make) -> None:
    plan, rows = _plan(2, 9, 16), _rows(2, 16)
    vectors = _vectors(1003, plan)

    alone, crowd = make(threads=1), make(threads=7)

    for _ in range(2):
        one, other = alone.mac(vectors, rows, plan, 0.0), crowd.mac(vectors, rows, plan, 0.0)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1] == other[1]


def test_saturated_conversions_are_counted_with_noise_too(make: Make) -> None:
    chip = make()
    plan = _plan(1, 9, 8, adc_full_scale=1e-6)

    _, saturated = chip.mac(np.full((40, 9), 3, np.uint8), _rows(1, 8), plan, 0.0)

    assert saturated == 40 * 2 * 8


def test_relaxation_reaches_the_sums(make: Make, yao: SoftBoundModel) -> None:
    falling = yao.with_parameters(relaxation_drift=np.full(10, -1e-6), read_noise=0.0)
    chip = make(falling)
    cells = np.arange(chip.geometry.n_cells)
    chip.pulse(cells, 1, 1.8, 50e-9, 4.7, 0.0)
    plan = MacPlan(np.arange(9)[np.newaxis], np.array([[0]]), np.array([[1]]), 50e-6)
    vector = np.full((1, 9), 1, np.uint8)

    early, _ = chip.mac(vector, [[0]], plan, 0.0)
    late, _ = chip.mac(vector, [[0]], plan, 99.999)

    expected = 0.2 * chip.conductances(np.arange(9), 99.999).sum() / plan.lsb
    assert late[0, 0] < early[0, 0]
    assert late[0, 0] == pytest.approx(expected, abs=2.0)


@pytest.mark.parametrize(
    ("vectors", "rows", "complaint"),
    [
        (np.zeros((2, 8), np.uint8), _rows(1, 4), r"uint8 vectors of shape \(n, 9\)"),
        (np.zeros((2, 9), np.int64), _rows(1, 4), "found int64"),
        (np.zeros((2, 9), np.uint8), _rows(1, 5), r"lines of shape \(1, 4\)"),
        (np.zeros((2, 9), np.uint8), _rows(1, 4) + 64, "does not exist"),
    ],
)
def test_requests_that_do_not_fit_the_plan_are_refused(
    make: Make, vectors: np.ndarray, rows: np.ndarray, complaint: str
) -> None:
    with pytest.raises(ChipError, match=complaint):
        make().mac(vectors, rows, _plan(1, 9, 4), 0.0)
