"""How often cells move while they relax: found where it was planted, unsaid where it cannot be."""

import numpy as np
import pytest

from labctl_data.fit.jumps import changes_of, draw_changes, fit_share, standardised
from labctl_data.fit.observations import Looks
from labctl_data.model import preset
from labctl_data.statistics import two_sample_test

NOISE = 0.002
MODEL = preset("yao").with_parameters(
    relaxation_drift=np.zeros(10), relaxation_sigma=np.full(10, 0.2e-6), read_noise=NOISE
)
TIMES = np.array([1.3e-3, 0.013, 0.13, 1.3, 13.0, 130.0])


def looks_of(share: float, seed: int, cells: int = 2000) -> Looks:
    """Draw walks half decade by half decade, most of which stand still where `share` is small."""
    rng = np.random.default_rng(seed)
    decades = np.log10(1 + TIMES / 1e-3)
    nodes = int(decades[-1] / 0.5) + 1
    moves = rng.random((cells, nodes)) < share
    steps = np.where(moves, rng.standard_t(4, (cells, nodes)) * np.sqrt(0.5 / share), 0.0)
    walk = np.sum(
        [np.sqrt(np.clip(decades - 0.5 * k, 0, 0.5)) * steps[:, k, None] for k in range(nodes)],
        axis=0,
    )
    level = rng.uniform(3e-6, 19e-6, cells)
    g = (level[:, None] + 0.2e-6 * walk) * (1 + NOISE * rng.normal(size=walk.shape))
    series = np.repeat(np.arange(cells), len(TIMES))
    nothing, ones = np.zeros(g.size), np.ones(g.size)
    return Looks(series, series, np.tile(TIMES, cells), nothing, g.ravel(), ones)


@pytest.mark.parametrize(("share", "seed"), [(0.2, 1), (0.35, 2), (0.6, 3)])
def test_the_share_of_moves_is_found_where_it_was_planted(share: float, seed: int) -> None:
    found = fit_share(looks_of(share, seed), MODEL)

    assert found is not None
    value, error = found
    assert abs(value - share) < 3.5 * error + 0.02 * share
    assert error < 0.12 * share


def test_cells_that_always_move_are_not_said_to_stand_still() -> None:
    assert fit_share(looks_of(1.0, 4), MODEL) is None


def test_few_looks_tell_no_shape() -> None:
    assert fit_share(looks_of(0.3, 5, cells=80), MODEL) is None


def test_what_is_drawn_for_a_share_is_what_cells_of_that_share_do() -> None:
    changes = changes_of(looks_of(0.35, 6), MODEL)
    at = changes.elapsed < 0.02  # within one or two half decades

    like = draw_changes(changes, MODEL, 0.35, np.random.default_rng(1))
    unlike = draw_changes(changes, MODEL, 1.0, np.random.default_rng(1))

    assert two_sample_test(changes.change[at], like[at]).agrees(level=0.001)
    assert not two_sample_test(changes.change[at], unlike[at]).agrees(level=0.001)
    # The share changes the shape alone: 2,000 numbers of kurtosis 30 know a deviation to 6 %.
    assert np.std(like[at]) == pytest.approx(np.std(unlike[at]), rel=0.2)


def test_cells_that_were_stressed_in_between_do_not_count() -> None:
    looks = looks_of(0.35, 7)
    looks.reads[looks.elapsed > 1] = 1000

    assert changes_of(looks, MODEL).elapsed.max() < 1


def test_cells_that_began_outside_the_window_do_not_count() -> None:
    """The law of relaxation is known within the window alone."""
    looks = looks_of(0.35, 8, cells=3)
    first = looks.elapsed == TIMES[0]
    looks.conductance[first] = [MODEL.window_low - 1e-7, 10e-6, MODEL.window_high + 1e-7]

    assert set(changes_of(looks, MODEL).cell.tolist()) == {1}


def test_both_reads_of_a_change_add_their_noise() -> None:
    """Var(later - first) = (noise g)^2 (1 / n + 1 / m) for averages of n and m readings."""
    looks = looks_of(0.35, 9, cells=1)
    looks.conductance[0] = 10e-6
    looks.averages[:] = [4.0, 1.0, 2.0, 8.0, 16.0, 4.0]

    reading = changes_of(looks, MODEL).reading

    assert reading == pytest.approx(1e-10 * np.array([1.25, 0.75, 0.375, 0.3125, 0.5]))


def test_changes_in_units_of_the_law_have_mean_0_and_deviation_1() -> None:
    """A walk that drifts, told by noisy reads: standardised() takes off just what was put in."""
    model = MODEL.with_parameters(relaxation_drift=np.full(10, 0.3e-6), read_noise=0.02)
    rng = np.random.default_rng(10)
    level, decades = np.full(20_000, 10e-6), np.log10(1 + 0.5 / 1e-3)
    series = np.repeat(np.arange(level.size), 2)
    walk = 0.3e-6 * decades + 0.2e-6 * np.sqrt(decades) * rng.normal(size=level.size)
    looked = np.stack([level, level + walk], axis=1) + 0.2e-6 * rng.normal(size=(level.size, 2))
    nothing, ones = np.zeros(series.size), np.ones(series.size)
    times = np.tile([1e-9, 0.5], level.size)
    changes = changes_of(Looks(series, series, times, nothing, looked.ravel(), ones), model)

    z = standardised(changes, changes.change, model)

    assert z.mean() == pytest.approx(0.0, abs=5 / np.sqrt(level.size))
    assert z.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * level.size))


def test_what_is_drawn_drifts_as_the_law_says() -> None:
    model = MODEL.with_parameters(relaxation_drift=np.full(10, 0.3e-6))
    changes = changes_of(looks_of(0.35, 11), MODEL)

    drawn = draw_changes(changes, model, 1.0, np.random.default_rng(1))

    decades = np.log10((1e-3 + 130.0) / (1e-3 + TIMES[0]))
    last = drawn[changes.elapsed > 100]
    expected = 0.3e-6 * decades
    assert last.mean() == pytest.approx(expected, abs=5 * 0.5e-6 / np.sqrt(last.size))
