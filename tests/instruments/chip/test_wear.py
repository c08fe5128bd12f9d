"""Endurance: motion wears a cell out; its window closes and it ends up stuck."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from labctl_data.cells import Geometry
from labctl_data.model import SoftBoundModel, StuckClass, preset
from labctl_instruments.chip import Chip

from .conftest import EVERY, GEOMETRY, RESET, SET

Make = Callable[..., Chip]
STRONG_SET, STRONG_RESET = SET | {"width": 5e-6}, RESET | {"width": 5e-6}
"""Forty reference pulses each: from end to end."""


def _wearing(**changes: float) -> SoftBoundModel:
    model = preset("yao").without_noise().without_variation()
    closed = {"set_rate": 1.0, "reset_rate": 1.0}  # 40 e-folds a pulse: to the bound itself
    return model.with_parameters(**(closed | changes))


def _cycle(chip: Chip, cells: np.ndarray = EVERY) -> tuple[np.ndarray, np.ndarray]:
    """SET and RESET cells; return the conductances reached."""
    chip.pulse(cells, **STRONG_SET, time=0.0)
    high = chip.conductances(cells, 0.0)
    chip.pulse(cells, **STRONG_RESET, time=0.0)
    return high, chip.conductances(cells, 0.0)


def test_damage_is_the_way_covered_over_the_endurance(make: Make) -> None:
    """A full cycle leads from 1 to 26 uS and back; here a gate stops each at 10 uS."""
    chip = make(_wearing(wear_rate=1e-6))
    chip.imprint(EVERY, 1e-6)

    for _ in range(20):
        chip.pulse(EVERY, **(STRONG_SET | {"gate": 0.7 + 1.1 * 10 / 26}), time=0.0)
        chip.pulse(EVERY, **STRONG_RESET, time=0.0)

    assert chip.state()["damage"][0, 0, 0] == pytest.approx(20 * 1e-6 * 9 / 25, rel=1e-3)


@pytest.mark.parametrize(("share", "closes"), [(0.0, "below"), (1.0, "above")])
def test_the_window_closes_as_damage_to_its_power(make: Make, share: float, closes: str) -> None:
    chip = make(_wearing(wear_rate=1 / 50, wear_exponent=2.0, worn_low_share=share))
    for _ in range(30):
        _cycle(chip)

    damage = chip.state()["damage"].reshape(-1)[0]
    high, low = _cycle(chip)

    part = 26.0 ** (damage**2)
    expected = (26e-6, 1e-6 * part) if closes == "below" else (26e-6 / part, 1e-6)
    assert 0.3 < damage < 0.9
    np.testing.assert_allclose((high[0], low[0]), expected, rtol=0.06)


@pytest.mark.parametrize(
    ("share", "stuck"), [(0.0, StuckClass.STUCK_HIGH), (1.0, StuckClass.STUCK_LOW)]
)
def test_a_worn_out_cell_is_stuck_at_its_end(make: Make, share: float, stuck: StuckClass) -> None:
    chip = make(_wearing(wear_rate=1 / 10, worn_low_share=share))
    classes = []

    for _ in range(13):
        _cycle(chip)
        classes.append(set(chip.state()["stuck"].reshape(-1).tolist()))

    assert classes[8] == {0}
    assert classes[-1] == {stuck}
    high, low = _cycle(chip)
    np.testing.assert_array_equal(high, low)


def test_endurance_spreads_lognormally_about_its_median() -> None:
    """Of cells that all swing alike, ln N has the model's spread and the median 1/wear_rate."""
    geometry = Geometry(1, 128, 16)
    cells = np.arange(geometry.n_cells)
    chip = Chip(_wearing(wear_rate=1 / 100, frailty_spread=0.4), geometry, seed=6)
    lived = np.zeros(geometry.n_cells)
    for _ in range(260):
        alive = chip.state()["stuck"].reshape(-1) == 0
        lived += alive
        _cycle(chip, cells[alive])

    cycles = lived - 0.5  # each died within its last one
    seen = lived < lived.max()
    expected = stats.norm(np.log(100), 0.4)
    found = np.sort(np.log(cycles[seen]))
    heights = (np.arange(len(found)) + 0.5) / len(cells)
    assert seen.mean() > 0.95
    assert np.abs(expected.cdf(found) - heights).max() < 1.63 / np.sqrt(len(cells)) + 0.02


def test_small_steps_wear_a_cell_by_the_way_they_add_up_to() -> None:
    """Of each cell's own window: what incremental switching spares."""
    chip = Chip(
        preset("yao").without_noise().with_parameters(wear_rate=1e-6, frailty_spread=0.3),
        GEOMETRY,
        seed=1,
    )
    own = {name: values.reshape(-1) for name, values in chip.cell_parameters().items()}
    g, way = chip.conductances(EVERY, 0.0), np.zeros(len(EVERY))

    for turn in range(100):
        chip.pulse(EVERY, **(RESET if turn % 2 else SET), time=0.0)
        before, g = g, chip.conductances(EVERY, 0.0)
        way += np.abs(g - before)

    window = 26e-6 * own["bound_high_factor"] - 1e-6 * own["bound_low_factor"]
    expected = 1e-6 * own["frailty"] * way / (2 * window)
    np.testing.assert_allclose(chip.state()["damage"].reshape(-1), expected, rtol=1e-3)
    assert own["frailty"].std() > 0.2


def test_damage_survives_a_restored_chip_and_older_states_have_none(make: Make) -> None:
    model = _wearing(wear_rate=1e-2)
    chip = make(model)
    _cycle(chip)
    state = chip.state()

    again, older = make(model), make(model)
    again.restore(state)
    older.restore({name: values for name, values in state.items() if name != "damage"})

    np.testing.assert_array_equal(again.state()["damage"], state["damage"])
    assert not older.state()["damage"].any()


def test_a_published_device_does_not_wear(make: Make) -> None:
    chip = make()

    for _ in range(50):
        _cycle(chip)

    assert not chip.state()["damage"].any()
    assert not chip.state()["stuck"].any()
