"""The closed soft-bound law, an alternative to the tables of steps."""

import numpy as np
import pytest

from labctl_data.errors import ModelError
from labctl_data.model import SoftBoundModel, preset, vectors
from labctl_data.pulse import PulseKind
from labctl_instruments.chip import Chip

from .conftest import EVERY, GEOMETRY, RESET, SET

WINDOW = 18e-6
SHAPES = {PulseKind.SET: SET, PulseKind.RESET: RESET}


def _closed(**changes: float) -> SoftBoundModel:
    """Return the closed law between the ends of the window, without any scatter."""
    closed = {"set_rate": 0.02, "reset_rate": 0.03, "bound_low": 2e-6, "bound_high": 20e-6}
    model = preset("yao").without_noise().without_variation()
    return model.with_parameters(gate_slope=20e-6 / 1.1, **(closed | changes))


def _step(
    model: SoftBoundModel, g: np.ndarray, kind: PulseKind, width: float = 50e-9
) -> np.ndarray:
    shape = {name: SHAPES[kind][name] for name in ("amplitude", "gate")}
    return vectors.pulse_step(model, g, kind, width=width, **shape)[0]


@pytest.mark.parametrize(("kind", "rate", "bound"), [(PulseKind.SET, 0.02, 20e-6),
                                                     (PulseKind.RESET, 0.03, 2e-6)])  # fmt: skip
def test_with_exponent_1_a_cell_nears_its_bound_exponentially(
    kind: PulseKind, rate: float, bound: float
) -> None:
    chip = Chip(_closed(), GEOMETRY, seed=1)
    chip.imprint(EVERY, 11e-6)

    for turn in range(40):
        chip.pulse(EVERY, **SHAPES[kind], time=1e-6 * turn)

    expected = bound + (11e-6 - bound) * np.exp(-40 * rate)
    np.testing.assert_allclose(chip.conductances(EVERY, 1.0), expected, rtol=1e-9)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.03, 4.76])
@pytest.mark.parametrize("kind", list(PulseKind))
def test_a_pulse_n_times_as_strong_is_n_pulses(kind: PulseKind, gamma: float) -> None:
    """The law is a flow in rho, which grows with the width to the power beta."""
    model = _closed(set_exponent=gamma, reset_exponent=gamma)
    start = np.linspace(3e-6, 19e-6, 9)
    g = start.copy()
    for _ in range(16):
        g += _step(model, g, kind)

    long = _step(model, start, kind, 50e-9 * 16 ** (1 / model.width_exponent))

    np.testing.assert_allclose(start + long, g, rtol=1e-9)


def test_its_steps_are_those_fitted_to_the_published_table() -> None:
    """Fits are SET .362 (1 - x)^2.03 uS and RESET .634 x^4.76 uS, x the place in the window.

    Half a step further the slope has changed: that is what a pulse's own length adds.
    """
    x = np.linspace(0.05, 0.95, 10)
    g = 2e-6 + WINDOW * x
    model = _closed(
        set_rate=0.362e-6 / WINDOW, set_exponent=2.03, reset_rate=0.634e-6 / WINDOW,
        reset_exponent=4.76,
    )  # fmt: skip
    half = 0.5 * _step(model, g, PulseKind.SET)
    fall = 0.5 * _step(model, g, PulseKind.RESET)

    up = 0.362e-6 * (1 - x - half / WINDOW) ** 2.03
    down = -0.634e-6 * (x + fall / WINDOW) ** 4.76
    np.testing.assert_allclose(2 * half, up, rtol=2e-3)
    np.testing.assert_allclose(2 * fall, down, rtol=2e-3)


def test_an_exponent_below_1_reaches_the_bound_itself() -> None:
    """du/d(rho) = -sqrt(u) ends after rho = 2 sqrt(u): 100 pulses of .02 from the window's end."""
    chip = Chip(_closed(set_exponent=0.5), GEOMETRY, seed=1)
    chip.imprint(EVERY, 2e-6)

    for turn in range(99):
        chip.pulse(EVERY, **SET, time=1e-6 * turn)
    before = chip.conductances(EVERY, 1.0)
    chip.pulse(EVERY, **SET, time=2.0)

    assert (before < 20e-6).all()
    np.testing.assert_allclose(chip.conductances(EVERY, 3.0), 20e-6, rtol=1e-9)


def test_the_closed_law_stops_where_the_gate_says() -> None:
    weak = SET | {"gate": 0.7 + 0.55}
    chip = Chip(_closed(set_rate=1.0), GEOMETRY, seed=1)
    chip.imprint(EVERY, 3e-6)

    for turn in range(60):
        chip.pulse(EVERY, **weak, time=1e-6 * turn)

    np.testing.assert_allclose(chip.conductances(EVERY, 1.0), 10e-6, rtol=1e-6)


def test_with_the_closed_law_the_lowest_level_takes_twice_as_long() -> None:
    """By count: 217 pulses to 2 uS by the tables, far more by the fits of them.

    The fit has hardly a step left at the foot of the window, where cells then go by their noise.
    """
    tables = preset("yao").without_noise().without_spread()
    closed = tables.with_parameters(
        set_rate=0.362e-6 / WINDOW, set_exponent=2.03, reset_rate=0.634e-6 / WINDOW,
        reset_exponent=4.76, bound_low=2e-6,
    )  # fmt: skip

    by_tables, by_law = _pulses_to(tables, 2e-6), _pulses_to(closed, 2e-6)

    assert by_tables == pytest.approx(217, rel=0.15)
    assert 1.7 < by_law / by_tables < 2.4


def _pulses_to(model: SoftBoundModel, target: float, window: float = 0.25e-6) -> float:
    """Return the mean number of pulses of a closed loop from the formed state."""
    chip = Chip(model, GEOMETRY, seed=2)
    needed = np.full(len(EVERY), np.nan)
    left = EVERY
    for turn in range(4000):
        g = chip.conductances(left, 0.0)
        done = np.abs(g - target) < window
        needed[left[done]] = turn
        left, g = left[~done], g[~done]
        if not left.size:
            break
        down = g > target
        pulses = {
            name: np.where(down, RESET[name], SET[name]) for name in ("kind", "amplitude", "gate")
        }
        chip.pulse(left, width=50e-9, time=0.0, **pulses)
    return float(np.nanmean(needed))


@pytest.mark.parametrize("name", ["set_exponent", "reset_rate"])
def test_a_closed_law_that_grows_by_nothing_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} must lie in"):
        preset("yao").with_parameters(**{name: -0.5})
