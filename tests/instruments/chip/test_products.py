"""Wide blocks and digits of several bits give the integers of the plan, and the cells' noise."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import SoftBoundModel
from labctl_instruments.chip import Chip

Make = Callable[..., Chip]
WIDE = Geometry(2, 12, 64)
STEP = Fraction(18, 31)


def _chip(model: SoftBoundModel, **options: object) -> Chip:
    return Chip(model, WIDE, **{"seed": 1, **options})  # type: ignore[arg-type]


def _plan(width: int = 64, blocks: int = 2, **options: float) -> MacPlan:
    """Return a plan of pairs of lines; block b is the array b."""
    lines = np.arange(WIDE.rows)
    return MacPlan(
        np.tile(np.arange(width), (blocks, 1)),
        np.tile(lines // 2, (blocks, 1)),
        np.tile(np.where(lines % 2, -1, 1), (blocks, 1)),
        **{"adc_full_scale": width * 4e-6, **options},  # type: ignore[arg-type]
    )


def _rows(blocks: int = 2) -> np.ndarray:
    return np.arange(blocks * WIDE.rows).reshape(blocks, WIDE.rows)


def _write_levels(chip: Chip) -> np.ndarray:
    levels = np.random.default_rng(0).integers(0, 32, WIDE.n_cells)
    chip.imprint(np.arange(WIDE.n_cells), 1e-6 * (2.0 + float(STEP) * levels))
    return levels.reshape(-1, WIDE.columns)


def _straight(yao: SoftBoundModel, **changes: float) -> SoftBoundModel:
    """Return a model whose cells obey Ohm's law."""
    return yao.with_parameters(curvature=0.0, rtn_fraction=0.0, **changes)


def _integers(levels: np.ndarray, vectors: np.ndarray, plan: MacPlan) -> list[list[int]]:
    """Compute the sums in Python integers and fractions: the definition of `MacPlan`."""
    top, highest = 2**plan.adc_bits - 1, 2**plan.dac_bits - 1
    lsb = Fraction(plan.adc_full_scale).limit_denominator(10**12) / top
    conductance = [[(2 + STEP * int(k)) / 10**6 for k in row] for row in levels]
    sums = [[0] * plan.n_outputs for _ in vectors]
    for vector, out in zip(vectors.tolist(), sums, strict=True):
        for b in range(plan.n_blocks):
            inputs = vector[b * plan.width : (b + 1) * plan.width]
            for line in range(plan.n_lines):
                cells = conductance[b * plan.n_lines + line]
                for k in range(0, plan.input_bits, plan.dac_bits):
                    digits = [code >> k & highest for code in inputs]
                    volts = [Fraction(digit, 5 * highest) for digit in digits]
                    current = sum(g * v for g, v in zip(cells, volts, strict=False))
                    code = min(int((2 * current + lsb) // (2 * lsb)), top)
                    out[plan.outputs[b, line]] += int(plan.signs[b, line]) * (code << k)
    return sums


@pytest.mark.parametrize(
    ("width", "options"),
    [
        (64, {}),
        (40, {"adc_full_scale": 30e-6}),
        (64, {"dac_bits": 8}),
        (9, {"dac_bits": 2}),
        (16, {"dac_bits": 3, "adc_bits": 12}),
        (16, {"dac_bits": 4, "input_bits": 6}),
    ],
)
def test_without_noise_the_sums_are_the_integers_of_the_plan(
    yao: SoftBoundModel, width: int, options: dict[str, float]
) -> None:
    chip, plan = _chip(_straight(yao), noise=False), _plan(width, **options)
    levels = _write_levels(chip)
    rng = np.random.default_rng(1)
    vectors = rng.integers(0, 2**plan.input_bits, (6, plan.n_inputs)).astype(np.uint8)

    sums, saturated = chip.mac(vectors, _rows(), plan, 0.0)

    assert sums.tolist() == _integers(levels, vectors, plan)
    assert (saturated > 0) == (options.get("adc_full_scale") == 30e-6)


def test_a_digit_of_one_bit_less_drives_by_the_curved_law_of_the_cells(
    yao: SoftBoundModel,
) -> None:
    """Half the voltage is less than half the current: sinh(b V / 2) / sinh(b V)."""
    model = yao.with_parameters(curvature=3.0)
    chip = _chip(model, noise=False)
    chip.imprint(np.arange(WIDE.n_cells), 10e-6)
    plan = _plan(32, 1, dac_bits=2, input_bits=2, adc_bits=16, adc_full_scale=70e-6)
    vectors = np.array([[1] * 32, [3] * 32], np.uint8)
    plus = MacPlan(plan.columns, plan.outputs, np.ones_like(plan.signs), 70e-6, 16, 2, dac_bits=2)

    third, whole = chip.mac(vectors, _rows(1), plus, 0.0)[0][:, 0]

    assert third / whole == pytest.approx(np.sinh(0.2) / np.sinh(0.6), rel=1e-4)


@pytest.mark.parametrize(("width", "dac_bits"), [(64, 1), (12, 2)])
def test_noise_is_that_of_independent_cells(yao: SoftBoundModel, width: int, dac_bits: int) -> None:
    """Mean and variance against a Monte Carlo, cell by cell."""
    chip = _chip(_straight(yao, read_noise=0.05))
    levels = _write_levels(chip)
    options = {"dac_bits": dac_bits, "input_bits": dac_bits, "adc_bits": 12}
    lines = np.arange(WIDE.rows)
    full_scale = width * 4e-6
    plan = MacPlan(
        np.arange(width)[np.newaxis],
        lines[np.newaxis],
        np.ones((1, WIDE.rows), np.int64),
        full_scale,
        **options,
    )
    highest = 2**dac_bits - 1
    vector = (np.arange(width) % (highest + 1)).astype(np.uint8)
    n = 20_000

    codes = chip.mac(np.tile(vector, (n, 1)), _rows(1), plan, 0.0)[0]

    rng = np.random.default_rng(2)
    cells = 1e-6 * (2.0 + float(STEP) * levels[: WIDE.rows, :width])
    for line in range(WIDE.rows):
        noisy = cells[line] * (1.0 + 0.05 * rng.standard_normal((n, width)))
        monte_carlo = np.floor(noisy @ (0.2 * vector / highest) / plan.lsb + 0.5)
        spread = np.sqrt(monte_carlo.var() * 2 / n)
        assert abs(codes[:, line].mean() - monte_carlo.mean()) < 4.5 * spread
        assert codes[:, line].var() == pytest.approx(monte_carlo.var(), rel=4.5 * np.sqrt(4 / n))


def test_sums_depend_neither_on_threads_nor_on_how_vectors_are_cut(yao: SoftBoundModel) -> None:
    plan, rng = _plan(), np.random.default_rng(3)
    vectors = rng.integers(0, 256, (203, plan.n_inputs)).astype(np.uint8)
    alone, crowd = _chip(yao, threads=1), _chip(yao, threads=5)

    whole, _ = alone.mac(vectors, _rows(), plan, 0.0)
    cut = [crowd.mac(part, _rows(), plan, 0.0)[0] for part in (vectors[:50], vectors[50:])]

    np.testing.assert_array_equal(whole, np.concatenate(cut))
