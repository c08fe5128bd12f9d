"""A slow sweep sets and resets a cell, and comes back another way."""

from collections.abc import Callable

import numpy as np
import pytest

from labctl_data.model import SoftBoundModel
from labctl_instruments.chip import Chip

UP = np.linspace(0.0, 1.6, 33)
THERE_AND_BACK = np.concatenate([UP, UP[::-1]])
CELLS = range(0, 1024, 64)
Make = Callable[..., Chip]


def _sweep(chip: Chip, cell: int, voltages: np.ndarray, **options: float) -> np.ndarray:
    settings = {"dwell": 10e-3, "gate": 1.55, "compliance": 1e-3, "time": 0.0} | options
    return chip.sweep(cell, voltages, **settings)[0]  # type: ignore[arg-type]


def test_a_cell_sets_near_one_and_a_half_volts_to_sixty_microamperes(make: Make) -> None:
    """Yao: 60 uA at 1.5 V; the gate that gives 20 uS is 1.55 V."""
    chip = make()
    chip.imprint(np.arange(1024), 2e-6)

    traces = np.array([_sweep(chip, cell, THERE_AND_BACK) for cell in CELLS])

    up, down = traces[:, :33], traces[:, :32:-1]
    at_one_volt, at_the_top = 20, 30
    assert np.median(up[:, at_one_volt]) < 0.3 * np.median(down[:, at_one_volt])
    assert np.median(up[:, at_the_top]) == pytest.approx(60e-6, rel=0.1)
    assert traces.max() == pytest.approx(61.9e-6, rel=0.01)


def test_a_cell_resets_near_minus_one_point_two_volts(make: Make) -> None:
    chip = make()
    chip.imprint(np.arange(1024), 20e-6)

    traces = np.array([_sweep(chip, cell, -THERE_AND_BACK, gate=4.7) for cell in CELLS])

    peak = THERE_AND_BACK[np.abs(traces[:, :33]).mean(axis=0).argmax()]
    assert 1.0 <= peak <= 1.3
    assert 25e-6 < np.abs(traces).max(axis=1).mean() < 50e-6
    forth, back = np.abs(traces[:, 10]), np.abs(traces[:, -11])
    assert np.median(back) < 0.4 * np.median(forth)


def test_a_compliance_holds_the_current_and_the_conductance(make: Make) -> None:
    chip = make()
    chip.imprint(np.arange(1024), 2e-6)

    currents, held = chip.sweep(
        5, THERE_AND_BACK, dwell=10e-3, gate=3.0, compliance=20e-6, time=0.0
    )

    assert currents.max() == 20e-6
    assert held.any()
    np.testing.assert_array_equal(held, currents == 20e-6)
    assert chip.conductances([5], 1.0)[0] < 9e-6


def test_a_sweep_forms_a_fresh_cell_at_its_forming_voltage(make: Make) -> None:
    chip = make(state="fresh")
    needed = chip.cell_parameters()["forming_voltage"].reshape(-1)[9]
    voltages = np.linspace(0.0, 4.0, 401)

    currents = _sweep(chip, 9, voltages, gate=1.6, dwell=1e-3)

    jump = voltages[1:][np.argmax(np.diff(currents))]
    assert needed <= jump <= needed + 0.011


def test_a_sweep_is_the_sum_of_its_points(make: Make) -> None:
    whole, pointwise = make(), make()

    together = _sweep(whole, 3, UP)
    one_by_one = [_sweep(pointwise, 3, UP[i : i + 1], time=10e-3 * i)[0] for i in range(len(UP))]

    np.testing.assert_allclose(together, one_by_one, rtol=1e-9)


def test_a_small_sweep_shows_the_curve_of_the_cell(make: Make, yao: SoftBoundModel) -> None:
    chip = make(yao.without_noise())
    chip.imprint([0], 20e-6)
    small = np.linspace(-0.3, 0.3, 7)

    currents = _sweep(chip, 0, small, dwell=1e-6)

    expected = 20e-6 * 0.2 * np.sinh(1.5 * small) / np.sinh(0.3)
    np.testing.assert_allclose(currents, expected, rtol=1e-9, atol=1e-18)
