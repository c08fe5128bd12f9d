"""Forming: each cell at its own voltage, and damage where it is formed too far."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from labctl_data.cells import Geometry
from labctl_data.model import SoftBoundModel, StuckClass
from labctl_instruments.chip import Chip

from .conftest import EVERY, RESET

Make = Callable[..., Chip]
MANY = Geometry(4, 128, 16)
CELLS = np.arange(MANY.n_cells)


def _formed(model: SoftBoundModel, volts: float, gate: float = 1.8) -> Chip:
    chip = Chip(model, MANY, seed=4, state="fresh")
    chip.pulse(CELLS, 0, volts, 1e-6, gate, 0.0)
    return chip


def _classes(chip: Chip) -> np.ndarray:
    return chip.state()["stuck"].reshape(-1)


def test_forming_voltages_spread_as_the_model_says(yao: SoftBoundModel) -> None:
    """3.0 +- 0.15 V: what a ramp in steps of 50 mV forms follows the normal distribution."""
    ramp = np.arange(2.4, 3.65, 0.05)
    chip = Chip(yao, MANY, seed=4, state="fresh")
    formed = []
    for volts in ramp:
        chip.pulse(CELLS, 0, volts, 1e-6, 1.8, 0.0)
        formed.append((chip.state()["formed"] == 1).mean())

    expected = stats.norm(3.0, 0.15).cdf(ramp)
    np.testing.assert_allclose(formed, expected, atol=4 * 0.5 / np.sqrt(len(CELLS)))


def test_a_weak_gate_forms_a_cell_less_far(yao: SoftBoundModel) -> None:
    strong, weak = (_formed(yao, 4.0, gate).conductances(CELLS, 0.0) for gate in (1.8, 1.25))

    np.testing.assert_allclose(weak, 0.5 * strong, rtol=1e-9)


def test_over_forming_shorts_the_cells_whose_own_voltage_is_far_exceeded(
    yao: SoftBoundModel,
) -> None:
    """At 2 /V half a volt of excess is deadly: at 3.5 V half of the cells, those below 3.0 V."""
    model = yao.with_parameters(overforming_rate=2.0)

    chip = _formed(model, 3.5)

    needed = chip.cell_parameters()["forming_voltage"].reshape(-1)
    dead = _classes(chip) == StuckClass.SHORT
    np.testing.assert_array_equal(dead, needed < 3.0)
    assert 0.45 < dead.mean() < 0.55
    assert chip.conductances(CELLS[dead], 0.0).min() == 5e-4


def test_frailty_spreads_what_over_forming_does(yao: SoftBoundModel) -> None:
    """ln(excess x frailty) > 0 kills; with one forming voltage that is a lognormal tail."""
    model = yao.with_parameters(overforming_rate=2.0, forming_spread=0.0, frailty_spread=0.5)

    dead = (_classes(_formed(model, 3.3)) == StuckClass.SHORT).mean()

    expected = stats.norm.sf(-np.log(2.0 * 0.3) / 0.5)
    assert dead == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(len(CELLS)))


def test_a_gate_that_limits_the_current_saves_the_cells(yao: SoftBoundModel) -> None:
    model = yao.with_parameters(overforming_rate=2.0, forming_spread=0.0)

    saved, lost = _formed(model, 3.7, gate=1.25), _formed(model, 3.7, gate=1.8)

    assert not _classes(saved).any()
    assert (_classes(lost) == StuckClass.SHORT).all()


def test_a_cell_formed_too_far_can_no_longer_be_reset_as_low(yao: SoftBoundModel) -> None:
    """Half the damage, half the window on a logarithmic scale."""
    still = yao.without_noise().without_variation()
    floors = []
    for rate in (0.0, 1.0):
        chip = _formed(still.with_parameters(overforming_rate=rate), 3.5)
        for turn in range(30):
            chip.pulse(CELLS[:16], **(RESET | {"width": 1e-3}), time=1e-3 * turn)
        floors.append(chip.conductances(CELLS[:16], 1.0)[0])

    assert floors[0] == pytest.approx(1e-6, rel=1e-6)
    assert floors[1] == pytest.approx(np.sqrt(1e-6 * 26e-6), rel=1e-6)


def test_a_published_device_is_not_damaged_by_forming(make: Make) -> None:
    chip = make(state="fresh")

    chip.pulse(EVERY, 0, 6.0, 1e-3, 1.8, 0.0)

    assert not chip.state()["stuck"].any()
    assert not chip.state()["damage"].any()
