"""Cells without a transistor: half-selects, sneak currents, and what a wrong inhibit does."""

from __future__ import annotations

import numpy as np
import pytest

from labctl_data.array_bias import PassiveBias, ReadScheme, WriteScheme
from labctl_data.cells import Geometry
from labctl_data.model import preset
from labctl_instruments.chip import Chip, ChipError
from labctl_instruments.chip.crossbar import CellLaw, Wires, solve
from labctl_instruments.chip.passive import PassiveCells

ROWS, COLUMNS = 6, 8
SMALL = Geometry(2, ROWS, COLUMNS)
EVERY = np.arange(SMALL.n_cells)
MODEL = preset("ucsb-passive")
MEAN = MODEL.without_noise().without_variation()
ONE = (2 * COLUMNS) + 5  # row 2, column 5 of the first array
RESET = {"kind": 1, "amplitude": 1.4, "width": 1e-6, "gate": 0.0}


def passive(
    write: WriteScheme = "half", read: ReadScheme = "grounded", **options: object
) -> tuple[Chip, PassiveCells]:
    chip = Chip(MEAN, SMALL, seed=1, passive=True, **options)  # type: ignore[arg-type]
    chip.imprint(EVERY, 50e-6)
    return chip, PassiveCells(chip, PassiveBias(write, read))


def moved(chip: Chip) -> np.ndarray:
    """Return by how much cells lie below where they began, shape (2, ROWS, COLUMNS), in S."""
    return 50e-6 - chip.conductances(EVERY, 1.0).reshape(SMALL.shape)


def test_half_of_the_voltage_reaches_the_cells_on_its_lines_and_nothing_the_others() -> None:
    """RESET steps go as e^(V / slope): half of 1.4 V takes e^(-.7 / .08) = 1.6e-4 of a step."""
    chip, cells = passive("half")
    for turn in range(100):
        cells.pulse([ONE], **RESET, time=1e-5 * turn)

    lost = moved(chip)
    lines = np.zeros((ROWS, COLUMNS), bool)
    lines[2], lines[:, 5] = True, True
    lines[2, 5] = False
    step = 0.3e-6 + 5e-6 * (50e-6 - MEAN.window_low) / (MEAN.window_high - MEAN.window_low)
    expected = 100 * step * np.exp(-0.7 / 0.08)
    assert lost[0, 2, 5] > 100 * lost[0][lines].max()
    np.testing.assert_allclose(lost[0][lines], expected, rtol=0.1)
    assert not lost[0][~lines & (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) != ONE)].any()
    assert not lost[1].any()


def test_a_third_of_the_voltage_reaches_every_other_cell_one_way_or_the_other() -> None:
    chip, cells = passive("third")
    strong = RESET | {"amplitude": 2.4}  # a third of it, .8 V, is e^(-.6 / .08) of a step
    for turn in range(20):
        cells.pulse([ONE], **strong, time=1e-5 * turn)

    lost = moved(chip)[0]
    lines = np.zeros((ROWS, COLUMNS), bool)
    lines[2], lines[:, 5] = True, True
    lines[2, 5] = False
    off = ~lines
    off[2, 5] = False
    assert (lost[lines] > 0.0).all()  # RESET like the selected cell
    assert (lost[off] < 0.0).all()  # SET: these see it the other way round


def test_a_floating_inhibit_takes_half_selected_cells_along() -> None:
    """With its other lines floating a written cell's neighbours see far more than a third."""
    chip, _ = passive()
    bit, source = np.full(COLUMNS, np.nan), np.full(ROWS, np.nan)
    bit[5], source[2] = 0.0, 1.4
    lines = chip.wiring.drive(0, bit, source, np.zeros(ROWS), 1e-6, 0.0, averages=0)

    across = np.abs(lines.bit_voltages - lines.source_voltages[:, np.newaxis])
    assert across[2, 0] > 0.5
    assert across[0, 5] > 0.5


def test_a_grounded_inhibit_writes_the_whole_row() -> None:
    chip, _ = passive()
    bit, source = np.zeros(COLUMNS), np.zeros(ROWS)
    source[2] = 1.4
    for turn in range(10):
        chip.wiring.drive(0, bit, source, np.zeros(ROWS), 1e-6, 1e-5 * turn, averages=0)

    lost = moved(chip)[0]
    assert (lost[2] > 5e-6).all()
    assert not np.delete(lost, 2, axis=0).any()
    assert chip.pulse_counts(EVERY).reshape(SMALL.shape)[0].sum(axis=1).tolist() == [
        0, 0, 80, 0, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("wire", [0.0, 5.0])
def test_a_floating_read_is_the_nodal_solutions_sneak_currents_included(wire: float) -> None:
    chip, cells = passive(read="floating", wire_resistance=wire)
    levels = np.random.default_rng(0).uniform(1e-5, 1.4e-4, SMALL.n_cells)
    chip.imprint(EVERY, levels)
    bit, source = np.full(COLUMNS, np.nan), np.full(ROWS, np.nan)
    bit[5], source[2] = 0.2, 0.0

    found = cells.currents([ONE], 0.2, 1, 0.0)[0]

    g = levels.reshape(SMALL.shape)[0]
    other = solve(g, bit, source, Wires.alike(wire or 1e-4), law=CellLaw(MEAN.curvature))
    assert found == pytest.approx(-other.source_currents[2], rel=1e-5)
    assert found > 2.0 * 0.2 * g[2, 5]


def test_a_grounded_read_is_the_cells_own_current() -> None:
    _, cells = passive()

    assert cells.currents([ONE], 0.2, 1, 0.0) == pytest.approx([0.2 * 50e-6], rel=1e-12)


def test_only_the_selected_cell_of_a_read_draws_noise() -> None:
    chip = Chip(MODEL, SMALL, seed=1, passive=True, wire_resistance=1.0)
    cells = PassiveCells(chip, PassiveBias(read="floating"))
    before = chip.state()["reads"].copy()

    cells.currents([ONE, ONE + 1], 0.2, 1, 0.0)

    drawn = (chip.state()["reads"] - before).reshape(-1)
    assert np.flatnonzero(drawn).tolist() == [ONE, ONE + 1]


def test_pulses_of_a_block_act_in_the_order_of_their_times_however_they_are_listed() -> None:
    """A SET and a RESET in one row, each half-selecting the other: the two do not commute."""
    (one, block), (other, singly), (last, swapped) = passive(), passive(), passive()
    kinds, pulse = np.array([1, 0]), {"amplitude": 1.4, "width": 1e-6, "gate": 0.0}

    block.pulse([3, 5], kinds, **pulse, time=[2e-6, 1e-6])
    singly.pulse([5], 0, **pulse, time=1e-6)
    singly.pulse([3], 1, **pulse, time=2e-6)
    swapped.pulse([3, 5], kinds, **pulse, time=[1e-6, 2e-6])

    np.testing.assert_array_equal(moved(one), moved(other))
    assert moved(one)[0, 0, 3] != moved(last)[0, 0, 3]


def test_a_swept_cell_is_sensed_alone_whatever_lies_beside_it() -> None:
    chip, cells = passive()

    currents, held = cells.sweep(
        ONE, [0.1, 0.2, -0.2], dwell=1e-6, gate=0.0, compliance=1e-3, time=0.0
    )

    assert currents == pytest.approx(chip.quiet_currents([ONE], 0.2, 0.0) * [0.5, 1, -1], rel=5e-3)
    assert not held.any()


def test_a_sweep_stops_at_its_compliance() -> None:
    _, cells = passive()

    currents, held = cells.sweep(ONE, [0.1, 1.0], dwell=1e-6, gate=0.0, compliance=2e-5, time=0.0)

    assert held.tolist() == [False, True]
    assert currents[1] == pytest.approx(2e-5, rel=1e-6)


def test_a_stress_reaches_the_cells_on_the_driven_bit_line_too() -> None:
    model = MEAN.with_parameters(disturb_drift=1e-6, disturb_count=1e3)
    chip = Chip(model, SMALL, seed=1, passive=True)
    chip.imprint(EVERY, 50e-6)

    PassiveCells(chip, PassiveBias()).stress([ONE], 0.2, 50e-9, 1_000_000, 0.0)

    lost = np.flatnonzero(moved(chip)[0].reshape(-1))
    assert lost.tolist() == list(range(5, ROWS * COLUMNS, COLUMNS))


def test_a_chip_with_transistors_has_no_passive_cells() -> None:
    with pytest.raises(ChipError, match="its cells have transistors"):
        PassiveCells(Chip(MEAN, SMALL, seed=1), PassiveBias())


def test_the_preset_spans_the_published_resistances_and_spreads_its_thresholds() -> None:
    assert pytest.approx(96.6e3) == 1.0 / MODEL.window_low
    assert pytest.approx(7.0e3) == 1.0 / MODEL.window_high
    chip = Chip(MODEL, Geometry(1, 20, 20), seed=1, passive=True)
    shifts = MODEL.set_slope * np.log(chip.cell_parameters()["rate_factor"])
    assert 0.05 < shifts.std() < 0.07
