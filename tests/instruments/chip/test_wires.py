"""A MAC on lines with resistance converts the currents of the nodal solution."""

from collections.abc import Callable

import numpy as np

from labctl_data.mac_plan import MacPlan
from labctl_data.model import SoftBoundModel
from labctl_instruments.chip import Chip
from labctl_instruments.chip.crossbar import Wires, solve

Make = Callable[..., Chip]
OHMS = 20.0
ROWS, COLUMNS = 32, 16


def _plan(full_scale: float = 60e-6) -> MacPlan:
    """Return a plan that converts all lines of the second array, each for itself, with 16 bits."""
    return MacPlan(
        np.arange(COLUMNS)[np.newaxis],
        np.arange(ROWS)[np.newaxis],
        np.ones((1, ROWS), np.int64),
        full_scale,
        adc_bits=16,
        input_bits=1,
    )


def _write(chip: Chip) -> np.ndarray:
    """Write random levels; return what the cells of the second array conduct."""
    conductance = np.random.default_rng(0).uniform(2e-6, 20e-6, chip.geometry.n_cells)
    chip.imprint(np.arange(chip.geometry.n_cells), conductance)
    return conductance.reshape(2, ROWS, COLUMNS)[1]


def test_codes_are_those_of_the_nodal_solution_with_all_cells_of_the_array(make: Make) -> None:
    chip, plan = make(noise=False, wire_resistance=OHMS), _plan()
    cells = _write(chip)
    vectors = np.random.default_rng(1).integers(0, 2, (20, COLUMNS)).astype(np.uint8)

    codes, _ = chip.mac(vectors, np.arange(ROWS, 2 * ROWS)[np.newaxis], plan, 0.0)

    for vector, found in zip(vectors, codes, strict=True):
        lines = solve(cells, 0.2 * vector, np.zeros(ROWS), Wires.alike(OHMS))
        expected = np.floor(-lines.source_currents / plan.lsb + 0.5)
        np.testing.assert_array_equal(found, expected)
        ideal = np.floor(cells @ (0.2 * vector) / plan.lsb + 0.5)
        assert (found < ideal).sum() > 0.9 * ROWS


def test_rows_that_are_not_converted_still_load_the_bit_lines(make: Make) -> None:
    chip, ones = make(noise=False, wire_resistance=OHMS), np.ones((1, COLUMNS), np.uint8)
    _write(chip)
    rows = np.arange(ROWS, 2 * ROWS)[np.newaxis]
    before, _ = chip.mac(ones, rows, _plan(), 0.0)

    chip.imprint((np.arange(ROWS, 2 * ROWS - 1) * COLUMNS), 20e-6)
    after, _ = chip.mac(ones, rows, _plan(), 0.0)

    assert after[0, -1] < before[0, -1]


def test_noise_is_that_of_the_currents_that_arrive(make: Make, yao: SoftBoundModel) -> None:
    """Variance sum (sigma g_eff v)^2; what neighbours' noise does through wires is second order."""
    model = yao.with_parameters(rtn_fraction=0.0, read_noise=0.05)
    quiet, noisy = make(noise=False, wire_resistance=OHMS), make(model, wire_resistance=OHMS)
    _write(quiet)
    _write(noisy)
    rows, n = np.arange(ROWS, 2 * ROWS)[np.newaxis], 20_000
    single, _ = quiet.mac(np.eye(COLUMNS, dtype=np.uint8), rows, _plan(), 0.0)

    codes, _ = noisy.mac(np.ones((n, COLUMNS), np.uint8), rows, _plan(), 0.0)

    expected = 0.05 * np.sqrt((single.astype(float) ** 2).sum(axis=0))
    np.testing.assert_allclose(codes.std(axis=0), expected, rtol=5 / np.sqrt(2 * n))
    mean = single.sum(axis=0)
    np.testing.assert_allclose(codes.mean(axis=0), mean, atol=5 * expected.max() / n**0.5 + 8.0)
