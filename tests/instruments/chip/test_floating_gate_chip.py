"""A chip of floating-gate cells: pulses, heat, lines and time as the cell's equations have them."""

from itertools import pairwise

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_data.model import FloatingGateModel, preset
from labctl_data.model import floating_gate_equations as eq
from labctl_data.model.floating_gate_tuning import conductance, strength_for, threshold
from labctl_data.pulse import PulseKind
from labctl_instruments.chip import Chip

CELL = preset("flash-180nm")
STILL = CELL.without_variation().without_noise()
SIZE = Geometry(1, 8, 8)
CELLS = np.arange(SIZE.n_cells)
BOLTZMANN = 8.617333262e-5


def chip_of(model: FloatingGateModel, seed: int = 1) -> Chip:
    return Chip(model, SIZE, seed=seed)


def test_a_pulse_shifts_the_threshold_as_the_equations_say() -> None:
    chip = chip_of(STILL)
    chip.imprint(CELLS, 1e-8)

    chip.pulse(CELLS, PulseKind.RESET, 4.5, 1e-4, 1.5, 0.0)

    p = CELL.packed().view(np.recarray)[0]
    start = eq.threshold_of(p, 1e-8)
    wanted = start + eq.shift(p, PulseKind.RESET, start, 10.0)
    found = threshold(CELL, chip.conductances(CELLS, 0.0))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_the_order_in_which_cells_are_pulsed_changes_nothing() -> None:
    chips = [chip_of(CELL) for _ in range(2)]

    for chip, order in zip(chips, (CELLS, CELLS[::-1]), strict=True):
        chip.pulse(order, PulseKind.RESET, 4.8, 1e-5, 1.5, 0.0)

    first, second = (chip.conductances(CELLS, 1.0) for chip in chips)
    np.testing.assert_array_equal(first, second)


def test_cells_scatter_in_rate_as_the_model_says() -> None:
    chip = Chip(
        CELL.with_parameters(cycle_spread=0.0, electron_shift=0.0), Geometry(1, 64, 64), seed=5
    )
    every = np.arange(4096)
    chip.imprint(every, 1e-8)

    chip.pulse(every, PulseKind.RESET, 4.5, 1e-5, 1.5, 0.0)

    after = threshold(CELL, chip.conductances(every, 0.0))
    rates = strength_for(CELL, threshold(CELL, 1e-8), after)[1]
    assert np.log(rates).std() == pytest.approx(CELL.rate_spread, rel=0.05)
    assert np.median(rates) == pytest.approx(1.0, rel=0.03)


def test_a_bake_loses_charge_by_arrhenius() -> None:
    """e times less charge after tau exp(E/k (1/T - 1/T0)): some years at 150 C."""
    quiet = CELL.with_parameters(detrapping_drift=0.0, detrapping_sigma=0.0, flicker_noise=0.0)
    chip = chip_of(quiet.without_variation())
    chip.imprint(CELLS, conductance(CELL, CELL.neutral_threshold + 0.05))
    chip.pulse(CELLS, PulseKind.RESET, 4.8, 1e-5, 1.5, 0.0)
    charge = threshold(CELL, chip.conductances(CELLS, 0.0)) - CELL.neutral_threshold

    chip.set_temperature(423.15, 0.0)
    inverse = 1 / 423.15 - 1 / 298.15
    lifetime = CELL.loss_time * np.exp(CELL.activation_energy / BOLTZMANN * inverse)
    chip.set_temperature(298.15, lifetime)

    left = threshold(CELL, chip.conductances(CELLS, lifetime)) - CELL.neutral_threshold
    np.testing.assert_allclose(left, charge / np.e, rtol=1e-6)
    assert 3e7 < lifetime < 1.1e8


def test_charge_that_leaked_in_a_bake_does_not_come_back_with_the_next_pulse() -> None:
    quiet = CELL.with_parameters(detrapping_drift=0.0, detrapping_sigma=0.0, flicker_noise=0.0)
    chip = chip_of(quiet.without_variation())
    chip.imprint(CELLS, conductance(CELL, CELL.neutral_threshold + 0.2))
    chip.pulse(CELLS, PulseKind.RESET, 4.5, 1e-5, 1.5, 0.0)
    chip.set_temperature(423.15, 0.0)
    chip.set_temperature(298.15, 1e8)
    baked = threshold(CELL, chip.conductances(CELLS, 1e8))

    chip.pulse(CELLS, PulseKind.RESET, 4.5, 1e-5, 1.5, 1e8)

    pulsed = threshold(CELL, chip.conductances(CELLS, 1e8))
    assert np.all(baked < CELL.neutral_threshold + 0.1)
    np.testing.assert_allclose(pulsed - baked, CELL.program_step, rtol=0.2)


def test_ten_years_at_room_temperature_move_a_cell_by_less_than_a_tenth() -> None:
    chip = chip_of(CELL)
    chip.imprint(CELLS, 1e-8)
    chip.pulse(CELLS, PulseKind.RESET, 4.5, 1e-5, 1.5, 0.0)

    ratio = chip.conductances(CELLS, 3.2e8) / chip.conductances(CELLS, 0.0)

    assert np.abs(np.log(ratio)).max() < 0.1


def test_a_hot_cell_below_threshold_conducts_more() -> None:
    chip = chip_of(STILL)
    levels = np.geomspace(1e-9, 1e-6, SIZE.n_cells)
    chip.imprint(CELLS, levels)

    chip.set_temperature(358.15, 0.0)
    hot = chip.conductances(CELLS, 0.0)

    assert np.all(hot > levels)
    assert all(a > b for a, b in pairwise(hot / levels))


def test_a_word_line_that_is_off_takes_its_row_out_of_the_sum() -> None:
    chip = chip_of(STILL)
    chip.imprint(CELLS, 1e-7)
    word = np.where(np.arange(8) == 2, CELL.read_gate, 0.0)

    found = chip.wiring.drive(0, np.full(8, 0.2), np.zeros(8), word, 0.0, 0.0)

    np.testing.assert_allclose(found.bit_lines, 2e-8, rtol=1e-9)
    np.testing.assert_allclose(
        found.source_lines, np.where(np.arange(8) == 2, -1.6e-7, 0), rtol=1e-9
    )


def test_a_sweep_of_the_drain_saturates_at_the_current_of_the_gate() -> None:
    chip = chip_of(STILL)
    chip.imprint(CELLS, 1e-8)
    volts = np.array([0.05, 0.2, 0.5, 1.0])

    currents, _ = chip.sweep(0, volts, dwell=1e-3, gate=CELL.read_gate, compliance=1e-6, time=0.0)
    lower, _ = chip.sweep(
        0, volts, dwell=1e-3, gate=CELL.read_gate - 0.1, compliance=1e-6, time=1.0
    )

    assert currents[2] == pytest.approx(currents[3], rel=1e-6)
    assert currents[1] == pytest.approx(2e-9, rel=1e-6)
    slope = CELL.slope_factor * BOLTZMANN * 298.15
    np.testing.assert_allclose(lower, currents * np.exp(-0.1 / slope), rtol=1e-6)


def test_reads_and_stress_at_the_read_voltage_leave_no_trace() -> None:
    chip = chip_of(STILL)
    before = chip.conductances(CELLS, 0.0)

    chip.stress(CELLS, 0.2, 1e-6, 10**6, 0.0)

    np.testing.assert_array_equal(chip.conductances(CELLS, 0.0), before)


def test_a_fresh_cell_is_without_charge_and_needs_no_forming() -> None:
    chip = Chip(STILL, SIZE, seed=1, state="fresh")
    np.testing.assert_allclose(
        threshold(CELL, chip.conductances(CELLS, 0.0)), CELL.neutral_threshold, rtol=1e-9
    )

    chip.pulse(CELLS, PulseKind.RESET, 4.5, 1e-5, 1.5, 0.0)

    found = threshold(CELL, chip.conductances(CELLS, 0.0)) - CELL.neutral_threshold
    np.testing.assert_allclose(found, CELL.program_step, rtol=0.01)


def test_a_word_line_at_rest_protects_the_row_from_programming() -> None:
    chip = chip_of(STILL)
    chip.imprint(CELLS, 1e-7)
    word = np.where(np.arange(8) == 0, CELL.program_gate, 0.0)
    source = np.where(np.arange(8) == 0, 4.5, 0.0)

    chip.wiring.drive(0, np.zeros(8), source, word + source, 1e-5, 0.0)

    after = chip.conductances(CELLS, 0.0).reshape(8, 8)
    assert np.all(after[1:] == pytest.approx(1e-7, rel=1e-9))
