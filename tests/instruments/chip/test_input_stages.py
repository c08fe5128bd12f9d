"""Time-coded inputs, resistive inputs of converters, droop of what is held: exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from labctl_data.mac_plan import MacPlan
from labctl_data.model import SoftBoundModel
from labctl_instruments.chip import Chip, ChipError, ConverterSpread
from labctl_instruments.chip.crossbar import Wires, effective_matrix, solve

Make = Callable[..., Chip]
ROWS, COLUMNS = 32, 16
FULL_SCALE = 60e-6
LINES = np.arange(ROWS)[np.newaxis]


def plan_of(dac_bits: int, input_bits: int = 4) -> MacPlan:
    """Return a plan that converts all lines of the first array, each for itself, with 16 bits."""
    return MacPlan(
        np.arange(COLUMNS)[np.newaxis],
        np.arange(ROWS)[np.newaxis],
        np.ones((1, ROWS), np.int64),
        FULL_SCALE,
        adc_bits=16,
        input_bits=input_bits,
        dac_bits=dac_bits,
    )


def made(make: Make, **spread: float) -> tuple[Chip, np.ndarray]:
    """Return a chip without noise, and what the cells of its first array conduct."""
    chip = make(noise=False, converters=ConverterSpread(**spread))  # type: ignore[arg-type]
    levels = np.random.default_rng(0).uniform(2e-6, 20e-6, chip.geometry.n_cells)
    chip.imprint(np.arange(chip.geometry.n_cells), levels)
    return chip, levels.reshape(2, ROWS, COLUMNS)[0]


def codes_of(rng: int = 1, bits: int = 4, n: int = 12) -> np.ndarray:
    return np.random.default_rng(rng).integers(0, 2**bits, (n, COLUMNS)).astype(np.uint8)


def exactly(currents: list[Fraction]) -> list[int]:
    """Return the codes of currents by the ADC's rule, in fractions."""
    step = Fraction(FULL_SCALE) / (2**16 - 1)
    return [int(current / step + Fraction(1, 2)) for current in currents]


def test_a_time_coded_input_is_a_part_of_the_charge_at_the_whole_voltage(make: Make) -> None:
    chip, g = made(make, time_coded=True)
    vectors, volts = codes_of(), Fraction(0.2)

    codes, _ = chip.mac(vectors, LINES, plan_of(4), 0.0)

    for vector, found in zip(vectors.tolist(), codes.tolist(), strict=True):
        charges = [
            sum((Fraction(x) * d for x, d in zip(row, vector, strict=True)), Fraction(0))
            for row in g.tolist()
        ]
        assert found == exactly([charge * volts / 15 for charge in charges])


def test_voltages_of_curved_cells_are_less_than_proportional_and_times_are_not(
    make: Make, yao: SoftBoundModel
) -> None:
    vectors, plan = np.full((1, COLUMNS), 7, np.uint8), plan_of(4)
    by_time, by_volts = (made(make, time_coded=coded)[0] for coded in (True, False))

    timed, _ = by_time.mac(vectors, LINES, plan, 0.0)
    voltage, _ = by_volts.mac(vectors, LINES, plan, 0.0)

    b, v = yao.curvature, 0.2
    expected = np.sinh(b * v * 7 / 15) / np.sinh(b * v) * 15 / 7
    np.testing.assert_allclose(voltage / timed, expected, rtol=1e-3)


def test_a_slot_lasts_as_long_as_its_longest_digit(make: Make) -> None:
    plan = plan_of(4)

    assert made(make, time_coded=True)[0].pulse_units(plan) == 15
    assert made(make)[0].pulse_units(plan) == 1


def test_bits_are_the_same_in_time_and_in_voltage(make: Make) -> None:
    vectors, plan = codes_of(), plan_of(1)

    timed, _ = made(make, time_coded=True)[0].mac(vectors, LINES, plan, 0.0)
    voltage, _ = made(make)[0].mac(vectors, LINES, plan, 0.0)

    np.testing.assert_array_equal(timed, voltage)


def test_the_input_of_a_mirror_takes_its_part_of_a_lines_current(make: Make) -> None:
    """All bit lines are driven, so a line's conductance G and R make 1 / (1 + R G) of it."""
    ohms = 500.0
    chip, g = made(make, input_resistance=ohms)
    vectors = codes_of(bits=1)

    codes, _ = chip.mac(vectors, LINES, plan_of(1, 1), 0.0)

    left = 1.0 / (1.0 + ohms * g.sum(axis=1))
    expected = (0.2 * vectors @ g.T) * left / (FULL_SCALE / (2**16 - 1))
    assert np.abs(codes - expected).max() <= 0.5 + 1e-4 * expected.max()


@pytest.mark.parametrize("shape", [(9, 5), (5, 9)])
def test_the_effective_matrix_with_leads_is_the_nodal_solutions(shape: tuple[int, int]) -> None:
    cells = np.random.default_rng(2).uniform(1e-6, 1e-4, shape)
    wires, leads = Wires(2.0, 5.0), (30.0, 700.0)

    found = effective_matrix(cells, wires, leads)

    for column in range(shape[1]):
        driven = np.eye(shape[1])[column]
        lines = solve(cells, driven, np.zeros(shape[0]), wires, leads=leads)
        np.testing.assert_allclose(found[:, column], -lines.source_currents, rtol=1e-9)


def test_a_held_line_droops_for_each_conversion_that_it_waits_for(make: Make) -> None:
    chip, g = made(make, lines_each=4, droop=0.125)
    vectors = codes_of(bits=1)

    codes, _ = chip.mac(vectors, LINES, plan_of(1, 1), 0.0)

    volts = Fraction(0.2)
    for vector, found in zip(vectors.tolist(), codes.tolist(), strict=True):
        currents = [
            volts
            * sum((Fraction(x) * d for x, d in zip(row, vector, strict=True)), Fraction(0))
            * Fraction(7, 8) ** (line % 4)
            for line, row in enumerate(g.tolist())
        ]
        assert found == exactly(currents)


@pytest.mark.parametrize("bad", [{"droop": 1.5}, {"droop": -0.1}, {"input_resistance": np.nan}])
def test_stages_that_cannot_be_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ChipError, match=f"converters' {next(iter(bad))} must be"):
        ConverterSpread(**bad)  # type: ignore[arg-type]
