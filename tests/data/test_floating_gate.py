"""The floating-gate cell: its currents, its charge and its losses are those of its physics."""

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants
from scipy.integrate import solve_ivp

from labctl_data.errors import FitError, ModelError
from labctl_data.fit import fit
from labctl_data.model import FloatingGateModel, preset
from labctl_data.model import floating_gate_equations as eq
from labctl_data.model import floating_gate_tuning as tuning
from labctl_data.pulse import PulseKind
from labctl_data.run_file import RunWriter

CELL = preset("flash-180nm")
P = CELL.packed().view(np.recarray)[0]
UT = constants.k * 298.15 / constants.e
CONDUCTANCES = st.floats(math.log(1e-9), math.log(1e-6)).map(math.exp)
PROGRAM = {"amplitude": 4.5, "width": 10e-6, "gate": 1.5}
ERASE = {"amplitude": 3.5, "width": 10e-6, "gate": 6.0}


def pulsed(g: float, kind: PulseKind, **shape: float) -> float:
    pulse = eq.pulse_of(P, kind, shape["amplitude"], shape["width"], shape["gate"])
    return eq.moved(P, kind, g, pulse.strength, (pulse.low, pulse.high))


@given(CONDUCTANCES)
def test_threshold_and_conductance_are_one_to_one(g: float) -> None:
    assert eq.conductance_of(P, eq.threshold_of(P, g)) == pytest.approx(g, rel=1e-12)


def test_a_volt_of_word_line_over_n_ut_multiplies_the_current_by_e() -> None:
    step = 1.6 * UT

    low, high = (eq.channel_current(P, 1e-8, 0.2, gate) for gate in (2.5, 2.5 + step))

    assert high / low == pytest.approx(math.e, rel=1e-6)


def test_the_drain_saturates_within_some_thermal_voltages() -> None:
    small, read, large = (eq.current(P, 1e-8, volts) for volts in (1e-6, 0.2, 1.0))

    assert read == pytest.approx(2e-9)
    assert large / read == pytest.approx(1.0, abs=5e-4)
    assert small / 1e-6 == pytest.approx(read / UT, rel=1e-3)


@given(CONDUCTANCES, st.floats(-1.0, 1.0))
def test_a_cell_takes_power_and_its_current_can_be_turned_round(g: float, voltage: float) -> None:
    amperes = eq.current(P, g, voltage)

    assert amperes * voltage >= 0.0
    assert eq.current(P, g, -voltage) == -amperes
    if abs(voltage) < 0.3:
        assert eq.voltage_at(P, g, amperes) == pytest.approx(voltage, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize(("kind", "shape"), [(PulseKind.SET, ERASE), (PulseKind.RESET, PROGRAM)])
def test_two_pulses_of_a_width_move_a_cell_like_one_of_twice_the_width(
    kind: PulseKind, shape: dict[str, float]
) -> None:
    twice = pulsed(pulsed(1e-8, kind, **shape), kind, **shape)

    once = pulsed(1e-8, kind, **shape | {"width": 20e-6})

    assert once == pytest.approx(twice, rel=1e-12)


def test_erase_raises_and_program_lowers_what_a_cell_conducts() -> None:
    assert pulsed(1e-8, PulseKind.SET, **ERASE) > 1e-8
    assert pulsed(1e-8, PulseKind.RESET, **PROGRAM) < 1e-8
    assert pulsed(1e-8, PulseKind.RESET, **PROGRAM | {"gate": 0.5}) == pytest.approx(1e-8)


def test_programming_is_the_solution_of_its_differential_equation() -> None:
    """Hot-electron injection that falls e times a `program_saturation` of threshold."""
    threshold = CELL.neutral_threshold + 0.05

    def rate(_: float, v: np.ndarray) -> np.ndarray:
        fall = np.exp(-(v - CELL.neutral_threshold) / CELL.program_saturation)
        return CELL.program_step * fall / CELL.pulse_width

    shifted = eq.shift(P, PulseKind.RESET, threshold, 300.0)

    answer = solve_ivp(rate, (0, 300 * CELL.pulse_width), [threshold], rtol=1e-10, atol=1e-12)
    assert threshold + shifted == pytest.approx(answer.y[0, -1], rel=1e-8)


@pytest.mark.parametrize(("kind", "least"), [(0, 0.0), (50, 0.0)])
def test_erasing_follows_fowler_and_nordheim(kind: int, least: float) -> None:
    """The full law, integrated: the cell's own law is its tangent at the reference."""
    threshold, n_pulses = CELL.neutral_threshold + 0.15, 1.0 + kind

    def rate(_: float, v: np.ndarray) -> np.ndarray:
        volts = CELL.erase_voltage + v - CELL.neutral_threshold
        now = volts**2 * np.exp(-CELL.tunnel_voltage / volts)
        reference = CELL.erase_voltage**2 * np.exp(-CELL.tunnel_voltage / CELL.erase_voltage)
        return -CELL.erase_step * now / reference / CELL.pulse_width

    shifted = eq.shift(P, PulseKind.SET, threshold, n_pulses)

    span = (0, n_pulses * CELL.pulse_width)
    answer = solve_ivp(rate, span, [threshold], rtol=1e-10, atol=1e-12)
    assert shifted < least
    assert shifted == pytest.approx(answer.y[0, -1] - threshold, rel=0.02)


def test_the_strength_of_erasing_is_a_straight_line_in_a_fowler_nordheim_plot() -> None:
    volts = np.array([8.0, 9.0, 10.0, 11.0])
    rho = np.array([eq.strength(P, PulseKind.SET, v - 6.0, 10e-6, 6.0) for v in volts])

    slopes = np.diff(np.log(rho / volts**2)) / np.diff(1 / volts)

    np.testing.assert_allclose(slopes, -CELL.tunnel_voltage)


def test_a_staircase_of_program_pulses_ends_in_equal_steps_of_threshold() -> None:
    """Incremental-step programming: the threshold follows the amplitude, in proportion."""
    g, thresholds = 1e-6, []
    for amplitude in np.arange(4.5, 6.5, 0.05):
        g = pulsed(g, PulseKind.RESET, amplitude=float(amplitude), width=1e-4, gate=1.5)
        thresholds.append(eq.threshold_of(P, g))

    steps = np.diff(thresholds[-6:])

    wanted = 0.05 * CELL.program_saturation / CELL.program_slope
    np.testing.assert_allclose(steps, wanted, rtol=0.02)


def test_charge_leaks_towards_the_neutral_threshold_from_both_sides() -> None:
    at = math.log10(1 + CELL.loss_time / CELL.detrapping_time)
    still = CELL.with_parameters(detrapping_drift=0.0).packed().view(np.recarray)[0]

    for side in (0.1, -0.05):
        g = eq.conductance_of(P, CELL.neutral_threshold + side)
        left = eq.threshold_of(P, eq.relaxed(still, g, at, 0.0)) - CELL.neutral_threshold
        assert left == pytest.approx(side / math.e, rel=1e-6)


def test_detrapping_adds_its_drift_and_walk_to_the_threshold() -> None:
    after = eq.relaxed(P, 1e-8, 3.0, 2.0)

    shifted = eq.threshold_of(P, after) - eq.threshold_of(P, 1e-8)

    assert shifted == pytest.approx(3 * CELL.detrapping_drift + 2 * CELL.detrapping_sigma)


def test_heat_flattens_the_slope_and_raises_a_current_below_threshold() -> None:
    straight = CELL.with_parameters(temperature_coefficient=0.0).packed().view(np.recarray)[0]
    kelvin = 358.15

    low, high = (eq.at_temperature(straight, g, kelvin) for g in (1e-9, 1e-8))

    assert math.log(high / low) == pytest.approx(math.log(10) * 298.15 / kelvin)
    assert low > 1e-9
    assert eq.at_temperature(P, 1e-9, kelvin) > low
    assert eq.at_temperature(P, 1e-9, 298.15) == 1e-9


def test_fewer_electrons_scatter_less_in_volts_and_more_in_parts() -> None:
    large, small = (eq.spread_of_pulse(P, PulseKind.RESET, 1e-8, rho) for rho in (1.0, 0.01))

    assert small / large == pytest.approx(0.1, rel=0.02)


@settings(deadline=None)
@given(CONDUCTANCES, st.floats(0.1, 0.5))
def test_a_read_moves_no_charge(g: float, voltage: float) -> None:
    pulse = eq.pulse_of(P, PulseKind.SET, voltage, 1.0, CELL.read_gate)

    assert pulse.strength < 1e-6
    assert eq.disturb_rate(P, voltage) == 0.0


@pytest.mark.parametrize(
    "name", [field.name for field in fields(FloatingGateModel) if "threshold" not in field.name]
)
def test_a_parameter_that_is_not_physical_is_refused_by_name(name: str) -> None:
    with pytest.raises(ModelError, match=f"model floating-gate: {name} must lie in"):
        CELL.with_parameters(**{name: math.nan})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"slope_factor": 0.9}, "slope_factor must lie in 1 to inf, found 0.9"),
        ({"rtn_fraction": 2.0}, "rtn_fraction must lie in 0 to 1, found 2"),
        ({"bound_low": 1e-5}, "bound_low 1e-05 must be below bound_high"),
        ({"gate_threshold": 3.0}, "gate_threshold 3 must be below read_gate 2.5"),
        ({"loss_time": -1.0}, "loss_time must lie in 0.001 to inf, found -1"),
        ({"charm": 1.0}, "unknown parameter charm"),
    ],
)
def test_what_no_cell_can_be_is_refused(change: dict[str, float], complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        CELL.with_parameters(**change)


def test_the_pulse_that_tuning_asks_for_takes_the_cell_where_it_shall_go() -> None:
    start, end = np.array([1e-9, 1e-8, 1e-6]), np.array([1e-8, 2e-9, 9.9e-7])
    first, last = (tuning.threshold(CELL, g) for g in (start, end))
    gate = np.array([6.0, 1.5, 1.5])

    kinds, strengths = tuning.strength_for(CELL, first, last)
    volts = tuning.amplitude_for(CELL, kinds, strengths, width=1e-4, gate=gate)

    np.testing.assert_array_equal(kinds, [PulseKind.SET, PulseKind.RESET, PulseKind.RESET])
    for g, kind, amplitude, on, wanted in zip(start, kinds, volts, gate, end, strict=True):
        found = pulsed(float(g), PulseKind(kind), amplitude=amplitude, width=1e-4, gate=on)
        assert found == pytest.approx(wanted, rel=1e-9)
    np.testing.assert_allclose(tuning.conductance(CELL, last), end)


def test_no_amplitude_programs_behind_a_select_gate_that_is_off() -> None:
    volts = tuning.amplitude_for(CELL, PulseKind.RESET, 1.0, width=1e-5, gate=0.5)

    assert volts == math.inf


def test_a_cell_that_conducts_nothing_has_no_threshold() -> None:
    with pytest.raises(ModelError, match="a conductance must be above 0 S, found 0"):
        tuning.threshold(CELL, [1e-9, 0.0])


def test_a_fit_refuses_a_prior_whose_parameters_it_does_not_tell(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with RunWriter.create(path, columns=(), attributes={"procedure": "Other"}) as writer:
        writer.append({"time": 0.0})

    with pytest.raises(FitError, match="prior is a model floating-gate"):
        fit([path], prior="flash-180nm")
