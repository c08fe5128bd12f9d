"""Laws that imported tables are fitted by, on data drawn from those laws another way."""

import numpy as np
import pytest

from labctl_data.errors import FitError
from labctl_data.fit.aging import fit_aging
from labctl_data.fit.observations import Looks
from labctl_data.fit.offset_sweeps import fit_offset_curvature
from labctl_data.fit.pulse_map import PulseMap, fit_pulse_maps
from labctl_data.model import preset
from labctl_data.pulse import PulseKind

TIMES = np.array([0.0, 0.003, 0.03, 0.3, 3.0, 30.0])
MODEL = preset("neurram")


def drawn_looks(n: int, onset: float, noise: float, seed: int) -> tuple[Looks, np.ndarray]:
    """Draw cells whose relaxation is a line in l for the mean and a parabola for the spread."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(1e-6, 39e-6, n)
    sigma = 1e-6 + 1e-6 * (1 - ((level - 20e-6) / 20e-6) ** 2)
    decades = np.log10(1 + TIMES / onset)
    steps = np.sqrt(np.diff(decades)) * rng.standard_t(6, (n, len(TIMES) - 1)) * np.sqrt(2 / 3)
    walk = np.concatenate([np.zeros((n, 1)), np.cumsum(steps, axis=1)], axis=1)
    g = level[:, None] - 0.1e-6 * decades + sigma[:, None] * walk
    g = g * (1 + noise * rng.normal(size=g.shape))
    series = np.repeat(np.arange(n), len(TIMES))
    looks = Looks(series, series, np.tile(TIMES, n), np.zeros(g.size), g.ravel(), np.ones(g.size))
    return looks, sigma


def test_relaxation_from_the_first_look_is_found_with_its_onset() -> None:
    looks, _ = drawn_looks(12_000, onset=5e-3, noise=0.004, seed=1)

    found = fit_aging(looks, MODEL)

    centre = (np.arange(10) + 0.5) * 4e-6
    truth = 1e-6 + 1e-6 * (1 - ((centre - 20e-6) / 20e-6) ** 2)
    assert abs(found.onset - 5e-3) < 4 * found.onset_error
    assert found.onset_error < 1e-3
    # A table of straight pieces lies within 1 % of the parabola.
    assert np.all(np.abs(found.sigma.value - truth) < 4 * found.sigma.error + 0.02e-6)
    assert np.all(np.abs(found.drift.value + 0.1e-6) < 4 * found.drift.error)
    assert 0.5 < found.misfit < 1.6


def test_the_noise_of_reads_is_told_from_what_grows_with_time() -> None:
    looks, _ = drawn_looks(12_000, onset=5e-3, noise=0.03, seed=6)

    found = fit_aging(looks, MODEL)

    assert found.read_noise == pytest.approx(0.03, rel=0.15)
    assert abs(found.read_noise - 0.03) < 4 * found.read_noise_error
    assert found.cells == 12_000


def test_relaxation_asks_for_looks_enough() -> None:
    looks, _ = drawn_looks(40, onset=5e-3, noise=0.0, seed=2)

    with pytest.raises(FitError, match="three later times"):
        fit_aging(looks, MODEL)


def drawn_map(seed: int, *, amplitudes: tuple[float, ...]) -> PulseMap:
    """Draw a map of SETs: 2 uS at 1.2 V and 100 ns, e times more each 0.12 V, width^0.4."""
    rng = np.random.default_rng(seed)
    grid = np.array(
        [
            (v, w, g)
            for v in amplitudes
            for w in (20e-9, 100e-9, 500e-9, 2e-6)
            for g in np.arange(0.6, 2.01, 0.1)
            for _ in range(15)
        ]
    )
    amplitude, width, gate = grid.T
    before = rng.uniform(4e-6, 8e-6, len(grid))
    strength = np.exp((amplitude - 1.2) / 0.12) * (width / 100e-9) ** 0.4
    bound = np.minimum(120e-6, 90e-6 * np.maximum(gate - 0.4, 0))
    moved = before + 2e-6 * strength * np.exp(0.2 * rng.normal(size=len(grid)))
    after = np.maximum(np.minimum(moved, bound * np.exp(0.05 * rng.normal(size=len(grid)))), before)
    after += 0.2e-6 * rng.normal(size=len(grid))
    kind = np.full(len(grid), int(PulseKind.SET))
    return PulseMap(kind, amplitude, width, gate, before, after)


def test_a_map_of_pulses_parts_amplitude_width_and_gate() -> None:
    found = fit_pulse_maps(drawn_map(3, amplitudes=(1.0, 1.2, 1.4, 1.6, 2.0)), MODEL)

    truth = {
        "set_slope": 0.12,
        "width_exponent": 0.4,
        "gate_slope": 90e-6,
        "gate_threshold": 0.4,
        "bound_high": 120e-6,
    }
    assert found.told.keys() == truth.keys()
    for name, value in truth.items():
        assert found.told[name][0] == pytest.approx(value, rel=0.05), name


def test_a_map_at_one_amplitude_tells_no_law_of_amplitude() -> None:
    found = fit_pulse_maps(drawn_map(4, amplitudes=(2.0,)), MODEL)

    assert not found.told
    assert "cells respond at 1 of 1 amplitudes" in found.untold["set_slope"]


def test_the_offset_of_a_meter_does_not_bend_the_curvature() -> None:
    rng = np.random.default_rng(5)
    voltage = np.tile(np.arange(0, 0.36, 0.01), 200)
    sweep = np.repeat(np.arange(200), 36)
    g = rng.uniform(16e-6, 39e-6, 200)[sweep]
    current = g * 0.2 * np.sinh(2.5 * voltage) / np.sinh(0.5) + 0.6e-6
    current += 0.05e-6 * rng.normal(size=len(current))

    (found,) = fit_offset_curvature(sweep, voltage, current)

    assert abs(found.value - 2.5) < 4 * found.error
    assert found.error < 0.1
    assert found.offset == pytest.approx(0.6e-6, rel=0.02)
    assert found.noise == pytest.approx(0.05e-6, rel=0.05)


def test_a_known_step_lets_its_own_doubt_into_the_laws() -> None:
    pulses = drawn_map(3, amplitudes=(1.0, 1.2, 1.4, 1.6, 2.0))
    known = MODEL.with_parameters(
        set_voltage=1.2, pulse_width=100e-9, set_step=np.full(10, 2e-6), set_gate=2.0,
        gate_threshold=0.5,
    )  # fmt: skip

    sure = fit_pulse_maps(pulses, known, steps_known={PulseKind.SET: np.full(10, 0.02e-6)})
    unsure = fit_pulse_maps(pulses, known, steps_known={PulseKind.SET: np.full(10, 1e-6)})

    assert not sure.steps
    assert sure.told["set_slope"][0] == pytest.approx(0.12, rel=0.02)
    assert sure.told["set_slope"][1] < unsure.told["set_slope"][1]


def test_a_bound_that_other_runs_told_moves_within_its_error_only() -> None:
    pulses = drawn_map(3, amplitudes=(1.0, 1.2, 1.4, 1.6, 2.0))
    known = MODEL.with_parameters(bound_high=124e-6)

    held = fit_pulse_maps(pulses, known, known={"bound_high": 0.1e-6})
    loose = fit_pulse_maps(pulses, known, known={"bound_high": 20e-6})

    assert held.told["bound_high"][0] == pytest.approx(124e-6, rel=0.01)
    assert loose.told["bound_high"][0] == pytest.approx(120e-6, rel=0.01)
    assert loose.told["gate_slope"][0] == pytest.approx(90e-6, rel=0.05)
