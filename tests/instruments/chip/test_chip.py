"""Cells keep their state, and whatever is drawn depends on nothing but the request."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from labctl_data.cells import Geometry
from labctl_data.errors import ModelError
from labctl_data.model import SoftBoundModel, StuckClass, preset
from labctl_instruments.chip import Chip, ChipError

GEOMETRY = Geometry(2, 32, 16)
EVERY = np.arange(GEOMETRY.n_cells)
SET = {"kind": 0, "amplitude": 2.0, "width": 50e-9, "gate": 1.8}
RESET = {"kind": 1, "amplitude": 1.8, "width": 50e-9, "gate": 4.7}
Make = Callable[..., Chip]


def _exercise(chip: Chip, order: np.ndarray) -> np.ndarray:
    """Pulse and read all cells a few times; return the reads of each round, in cell order."""
    reads = np.empty((6, len(order)))
    for turn in range(6):
        pulse = RESET if turn % 3 else SET
        chip.pulse(order, **pulse, time=1e-3 * turn)
        reads[turn, order] = chip.currents(order, 0.2, 1, 1e-3 * turn + 1e-6)
    return reads


def test_all_formed_cells_read_above_4_microamperes(make: Make) -> None:
    assert make().conductances(EVERY, 0.0).min() * 0.2 > 4e-6


def test_fresh_cells_conduct_a_hundredth_of_that(make: Make) -> None:
    g = make(state="fresh").conductances(EVERY, 0.0)

    assert 1e-7 < np.median(g) < 1e-6


def test_answers_do_not_depend_on_the_order_of_cells(make: Make) -> None:
    shuffled = np.random.default_rng(0).permutation(EVERY)

    np.testing.assert_array_equal(_exercise(make(), EVERY), _exercise(make(), shuffled))


def test_answers_do_not_depend_on_how_cells_are_grouped_into_calls(make: Make) -> None:
    together, apart = make(), make()

    together.pulse(EVERY, **RESET, time=0.0)
    for half in np.array_split(EVERY, 7):
        apart.pulse(half, **RESET, time=0.0)

    np.testing.assert_array_equal(
        together.currents(EVERY, 0.2, 1, 1.0), apart.currents(EVERY, 0.2, 1, 1.0)
    )


@pytest.mark.parametrize("order", ["shuffled", "in order", "one bit line out of three"])
def test_answers_do_not_depend_on_the_number_of_threads(yao: SoftBoundModel, order: str) -> None:
    geometry = Geometry(8, 128, 16)
    cells = np.arange(geometry.n_cells)
    asked = {
        "shuffled": np.random.default_rng(1).permutation(cells),
        "in order": cells,
        "one bit line out of three": cells[cells % 16 % 3 == 0],
    }[order]

    alone, crowd = (Chip(yao, geometry, seed=3, threads=threads) for threads in (1, 5))
    for chip in (alone, crowd):
        _exercise(chip, cells[:16])
        chip.pulse(asked, **RESET, time=1.0)

    np.testing.assert_array_equal(
        alone.currents(asked, 0.2, 1, 2.0), crowd.currents(asked, 0.2, 1, 2.0)
    )
    np.testing.assert_array_equal(alone.pulse_counts(asked), np.where(asked < 16, 7, 1))


def test_a_cell_that_stands_twice_is_pulsed_twice(make: Make) -> None:
    twice, in_turn = make(), make()

    twice.pulse([7, 7], **RESET, time=0.0)
    in_turn.pulse([7], **RESET, time=0.0)
    in_turn.pulse([7], **RESET, time=0.0)

    assert twice.pulse_counts([7]) == [2]
    assert twice.conductances([7], 0.0) == in_turn.conductances([7], 0.0)


def test_what_a_cell_is_in_one_respect_tells_nothing_of_another(yao: SoftBoundModel) -> None:
    """Correlations of all parameters of 8,192 cells, at four standard errors."""
    model = yao.with_parameters(frailty_spread=0.3, worn_low_share=0.5)
    own = Chip(model, Geometry(4, 128, 16), seed=8).cell_parameters()
    drawn = np.stack([stats.rankdata(values) for values in own.values()])

    correlation = np.corrcoef(drawn) - np.eye(len(drawn))

    assert len(drawn) == 11
    assert np.abs(correlation).max() < 4.0 / np.sqrt(drawn.shape[1])


def test_another_seed_is_another_chip(make: Make) -> None:
    assert not np.array_equal(
        make(seed=1).conductances(EVERY, 0.0), make(seed=2).conductances(EVERY, 0.0)
    )


def test_a_restored_chip_goes_on_where_the_other_stopped(make: Make) -> None:
    first = make()
    _exercise(first, EVERY)
    second = make()

    second.restore(first.state())

    np.testing.assert_array_equal(_exercise(first, EVERY), _exercise(second, EVERY))


def test_a_state_of_another_shape_is_refused(make: Make) -> None:
    state = Chip(preset("yao"), Geometry(1, 2, 2), seed=1).state()

    with pytest.raises(ChipError, match=r"must have shape \(2, 32, 16\), is \(1, 2, 2\)"):
        make().restore(state)


@pytest.mark.parametrize("index", [[-1], [GEOMETRY.n_cells]])
def test_a_cell_off_the_chip_is_refused(make: Make, index: list[int]) -> None:
    with pytest.raises(ChipError, match=f"cell {index[0]} does not exist"):
        make().currents(index, 0.2, 1, 0.0)


def test_a_model_whose_equations_lack_a_law_is_refused_by_its_name(yao: SoftBoundModel) -> None:
    class Lawless(SoftBoundModel):
        name = "lawless"
        equations = "labctl_data.model.presets"

    with pytest.raises(ModelError, match=r"lawless: module .*presets lacks the law 'draw_device'"):
        Chip(Lawless.from_parameters(yao.parameters), GEOMETRY, seed=1)


def test_a_read_is_noisy_by_the_stated_part_and_averages_down(yao: SoftBoundModel) -> None:
    chip = Chip(yao.with_parameters(rtn_fraction=0.0), Geometry(4, 128, 16), seed=5)
    cells = np.arange(chip.geometry.n_cells)
    truth = 0.2 * chip.conductances(cells, 0.0)

    for averages in (1, 16):
        noise = chip.currents(cells, 0.2, averages, 0.0) / truth - 1.0

        assert stats.kstest(noise / (0.01 / np.sqrt(averages)), stats.norm.cdf).pvalue > 0.01


def test_reads_leave_the_cells_where_they_are(make: Make) -> None:
    chip = make()
    before = chip.conductances(EVERY, 1.0)

    for _ in range(10):
        chip.currents(EVERY, 0.2, 1, 1.0)

    np.testing.assert_array_equal(chip.conductances(EVERY, 1.0), before)


def test_a_million_reads_move_no_mean_and_hardly_a_cell(make: Make) -> None:
    """Yao: distributions of eight states are nearly unchanged after 1e6 reads."""
    chip = make()
    before = chip.conductances(EVERY, 0.0)

    chip.stress(EVERY, 0.2, 50e-9, 1_000_000, 0.0)

    moved = chip.conductances(EVERY, 0.0) - before
    assert np.abs(moved).max() < 0.1e-6
    assert abs(moved.mean()) < 0.01e-6
    assert moved.any()


def test_strong_stress_sets_cells(make: Make) -> None:
    chip = make()
    chip.imprint(EVERY, 3e-6)

    chip.stress(EVERY, 1.2, 1e-3, 100, 0.0)

    assert np.median(chip.conductances(EVERY, 0.0)) > 10e-6


def test_a_train_of_pulses_steps_as_the_tables_say(yao: SoftBoundModel) -> None:
    """Mean and spread of 4,096 first steps, at three standard errors."""
    chip = Chip(yao.without_spread(), Geometry(2, 128, 16), seed=2)
    cells = np.arange(chip.geometry.n_cells)
    chip.imprint(cells, 2.9e-6)  # the centre of the lowest bin

    chip.pulse(cells, **SET, time=0.0)

    steps = chip.conductances(cells, 0.0) - 2.9e-6
    clipped = stats.truncnorm((1.0 - 2.9 - 0.325) / 0.53, np.inf, loc=0.325e-6, scale=0.53e-6)
    assert steps.mean() == pytest.approx(0.325e-6, abs=3 * 0.53e-6 / np.sqrt(len(cells)))
    assert stats.kstest(steps[steps > -1.8e-6], clipped.cdf).pvalue > 0.01


def test_no_pulse_leaves_a_cell_beyond_its_bounds(make: Make, yao: SoftBoundModel) -> None:
    chip = make(yao.without_noise())
    own = chip.cell_parameters()

    for turn in range(400):
        chip.pulse(EVERY, **(RESET if turn % 40 < 20 else SET), time=turn * 1e-6)

    g = chip.conductances(EVERY, 1.0)
    assert (g >= 1e-6 * own["bound_low_factor"].reshape(-1) * (1 - 1e-12)).all()
    assert (g <= 26e-6 * own["bound_high_factor"].reshape(-1) * (1 + 1e-12)).all()


def test_a_weak_gate_stops_a_train_of_sets_lower(make: Make, yao: SoftBoundModel) -> None:
    chip = make(yao.without_noise().without_spread())
    chip.imprint(EVERY, 3e-6)

    for turn in range(300):
        chip.pulse(EVERY, 0, 2.0, 50e-9, 1.1, turn * 1e-6)

    assert chip.conductances(EVERY, 1.0).max() <= 26e-6 * 0.4 / 1.1 * (1 + 1e-12)


def test_a_reset_behind_a_weak_gate_or_at_the_read_voltage_does_nothing(make: Make) -> None:
    chip = make()
    before = chip.conductances(EVERY, 0.0)

    chip.pulse(EVERY, 1, 1.8, 50e-9, 0.6, 0.0)
    chip.pulse(EVERY, 1, 0.2, 50e-9, 4.7, 0.0)

    np.testing.assert_array_equal(chip.conductances(EVERY, 0.0), before)


@pytest.mark.parametrize(
    ("stuck", "least", "most"),
    [
        (StuckClass.STUCK_LOW, 0.5e-6, 2e-6),
        (StuckClass.STUCK_HIGH, 20e-6, 35e-6),
        (StuckClass.OPEN, 0.0, 1e-9),
        (StuckClass.SHORT, 1e-4, 1e-2),
    ],
)
def test_a_stuck_cell_conducts_as_its_class_and_obeys_no_pulse(
    make: Make, stuck: StuckClass, least: float, most: float
) -> None:
    stuck_map = np.zeros(GEOMETRY.shape, np.int8)
    stuck_map[1, 3, 5] = stuck
    chip = make(stuck=stuck_map)
    cell = [(1 * 32 + 3) * 16 + 5]

    before = chip.conductances(cell, 0.0)
    chip.pulse(cell, **RESET, time=0.0)

    assert least < before[0] < most
    assert chip.conductances(cell, 1.0) == before
    assert chip.pulse_counts(cell) == [1]


def test_a_fresh_cell_forms_above_its_own_voltage_only(make: Make) -> None:
    chip = make(state="fresh")
    needed = chip.cell_parameters()["forming_voltage"].reshape(-1)

    chip.pulse(EVERY, 0, 3.0, 1e-6, 1.8, 0.0)

    formed = chip.conductances(EVERY, 0.0) > 4e-6 / 0.2
    np.testing.assert_array_equal(formed, needed <= 3.0)
    assert 0.3 < formed.mean() < 0.7


def test_what_is_written_is_remembered_by_the_cell_parameters_given(make: Make) -> None:
    factors = np.full(GEOMETRY.shape, 0.5)

    chip = make(cell_parameters={"rate_factor": factors})

    np.testing.assert_array_equal(chip.cell_parameters()["rate_factor"], factors)
    with pytest.raises(ChipError, match="unknown cell parameter 'colour'"):
        make(cell_parameters={"colour": factors})
