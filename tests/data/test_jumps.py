"""How often cells move while they relax: found where it was planted, unsaid where it cannot be."""

import numpy as np
import pytest

from labctl_data.fit.jumps import changes_of, draw_changes, fit_share
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
    walk = sum(
        np.sqrt(np.clip(decades - 0.5 * k, 0, 0.5)) * steps[:, k, None] for k in range(nodes)
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
