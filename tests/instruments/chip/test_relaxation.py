"""Cells relax in log time, by a walk that does not care when it is watched."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from labctl_data.cells import Geometry
from labctl_data.model import SoftBoundModel, preset
from labctl_instruments.chip import ROOM_TEMPERATURE, Chip

MANY = Geometry(4, 128, 16)
CELLS = np.arange(MANY.n_cells)


@pytest.fixture
def pulsed(yao: SoftBoundModel) -> Callable[[], Chip]:
    """Make a chip whose cells have all just been put to about 11 uS by a pulse without spread."""
    still = yao.without_spread().with_parameters(
        set_sigma=np.zeros(10), rtn_fraction=0.0, relaxation_drift=np.zeros(10)
    )

    def made() -> Chip:
        chip = Chip(still, MANY, seed=9)
        chip.imprint(CELLS, 11e-6)
        chip.pulse(CELLS, 0, 2.0, 50e-9, 1.8, 0.0)
        return chip

    return made


@pytest.mark.parametrize("elapsed", [1e-6, 1e-3, 0.8, 3600.0, 2.6e6])
def test_the_variance_of_relaxation_is_the_number_of_decades(
    pulsed: Callable[[], Chip], elapsed: float
) -> None:
    chip = pulsed()
    start = chip.conductances(CELLS, 0.0)

    walk = (chip.conductances(CELLS, elapsed) - start) / 0.19e-6

    decades = np.log10(1.0 + elapsed / 1e-3)
    tolerance = 4 * np.sqrt((stats.kurtosis(walk) + 2.0) / len(CELLS))
    assert walk.var() == pytest.approx(decades, rel=tolerance)


def test_relaxation_has_heavy_tails_at_first(pulsed: Callable[[], Chip]) -> None:
    chip = pulsed()
    start = chip.conductances(CELLS, 0.0)

    walk = (chip.conductances(CELLS, 1e-3) - start) / (0.19e-6 * np.sqrt(np.log10(2.0)))

    assert stats.kstest(walk * np.sqrt(2.0), stats.t(4).cdf).pvalue > 0.01


def test_watching_does_not_change_the_walk(pulsed: Callable[[], Chip]) -> None:
    watched, left_alone = pulsed(), pulsed()

    for time in np.geomspace(1e-5, 1e5, 40):
        watched.conductances(CELLS, time)

    np.testing.assert_array_equal(
        watched.conductances(CELLS, 1e5), left_alone.conductances(CELLS, 1e5)
    )


def test_looking_back_in_time_finds_what_was(pulsed: Callable[[], Chip]) -> None:
    chip = pulsed()
    early = chip.conductances(CELLS, 0.02)

    chip.conductances(CELLS, 1e4)

    np.testing.assert_array_equal(chip.conductances(CELLS, 0.02), early)


def test_decades_of_one_cell_are_independent(pulsed: Callable[[], Chip]) -> None:
    chip = pulsed()

    at = np.stack([chip.conductances(CELLS, t) for t in (0.0, 0.099, 9.999, 999.999)])
    first, second, third = np.diff(at, axis=0)

    for one, other in ((first, second), (second, third), (first, third)):
        assert abs(stats.spearmanr(one, other).statistic) < 4 / np.sqrt(len(CELLS))


def test_the_mean_drifts_by_decades(yao: SoftBoundModel) -> None:
    drift = yao.with_parameters(
        relaxation_sigma=np.zeros(10),
        relaxation_drift=np.full(10, -0.05e-6),
        set_sigma=np.zeros(10),
    )
    chip = Chip(drift, Geometry(1, 4, 4), seed=1)
    cells = np.arange(16)
    chip.pulse(cells, 1, 1.8, 50e-9, 4.7, 0.0)

    start = chip.conductances(cells, 0.0)

    np.testing.assert_allclose(chip.conductances(cells, 99.999) - start, -0.25e-6, rtol=1e-6)


def test_a_cell_never_pulsed_has_settled(yao: SoftBoundModel) -> None:
    chip = Chip(yao, MANY, seed=1)

    np.testing.assert_array_equal(chip.conductances(CELLS, 0.0), chip.conductances(CELLS, 1e7))


def test_heat_speeds_relaxation_up_by_arrhenius(pulsed: Callable[[], Chip]) -> None:
    """At 1 eV, 85 C is exp(1 eV / k (1/298.15 - 1/358.15)) = 679 times faster."""
    cold, hot = pulsed(), pulsed()
    acceleration = np.exp(1.0 / 8.617333262e-5 * (1 / ROOM_TEMPERATURE - 1 / 358.15))

    hot.set_temperature(358.15, 0.0)

    assert acceleration == pytest.approx(679, rel=0.01)
    np.testing.assert_allclose(
        hot.conductances(CELLS, 10.0), cold.conductances(CELLS, 10.0 * acceleration), rtol=1e-9
    )


def test_telegraph_noise_has_two_states_and_its_dwell_time(yao: SoftBoundModel) -> None:
    telegraphic = yao.with_parameters(read_noise=0.0, rtn_fraction=1.0, rtn_amplitude=0.02)
    chip = Chip(telegraphic, Geometry(1, 4, 4), seed=4)
    own = chip.cell_parameters()
    cell, dwell = [3], own["rtn_time"].reshape(-1)[3]
    truth = 0.2 * chip.conductances(cell, 0.0)[0]

    middles = (np.arange(4000) + 0.5) * dwell
    states = np.array([chip.currents(cell, 0.2, 1, time)[0] for time in middles]) / truth - 1.0

    values, counts = np.unique(np.round(states, 9), return_counts=True)
    half = own["rtn_amplitude"].reshape(-1)[3] / 2
    np.testing.assert_allclose(values, [-half, half], rtol=1e-6)
    assert stats.binomtest(int(counts[0]), 4000).pvalue > 0.001


def test_cells_that_jump_rarely_jump_far_and_spread_alike(yao: SoftBoundModel) -> None:
    """Of the half decades of 4,096 cells a share q moves, with the same variance in all."""
    share, sigma = 0.35, 0.19e-6
    model = yao.without_variation().with_parameters(
        relaxation_drift=np.zeros(10), relaxation_sigma=np.full(10, sigma), relaxation_share=share
    )
    chip = Chip(model, Geometry(2, 128, 16), seed=11)
    cells = np.arange(chip.geometry.n_cells)
    chip.imprint(cells, 8e-6)
    chip.pulse(cells, 0, 2.0, 50e-9, 1.8, 0.0)
    looks = [chip.conductances(cells, 1e-3 * (10.0 ** (k / 2) - 1.0)) for k in range(9)]

    moves = np.diff(looks, axis=0)

    moved = np.abs(moves) > 1e-12
    error = 4 * np.sqrt(share * (1 - share) / moves.size)
    assert moved.mean() == pytest.approx(share, abs=error)
    assert moves.std() == pytest.approx(sigma * np.sqrt(0.5), rel=0.1)
    assert stats.kurtosis(moves[moved]) > 1.0


@pytest.mark.parametrize(("name", "part"), [("yao", 0.05), ("yao-quiet", 0.3)])
def test_reads_of_a_whole_test_set_matter_little_beside_the_time_they_take(
    name: str, part: float
) -> None:
    """Why reads and MACs are not counted as disturb: 1e7 reads at 0.2 V against an hour alone.

    A cell of a convolution meets some 1e7 one-bits in 10,000 images.
    """
    model = preset(name).without_spread()
    read, alone = (Chip(model, MANY, seed=12) for _ in range(2))
    for chip in (read, alone):
        chip.imprint(CELLS, 8e-6)
        chip.pulse(CELLS, 0, 2.0, 50e-9, 1.8, 0.0)
    begin = alone.conductances(CELLS, 0.0)

    read.stress(CELLS, 0.2, 50e-9, 10_000_000, 0.0)

    by_time = alone.conductances(CELLS, 3600.0) - begin
    by_reads = read.conductances(CELLS, 3600.0) - alone.conductances(CELLS, 3600.0)
    assert 0.0 < by_reads.std() < part * by_time.std()
    assert abs(by_reads.mean()) < 0.581e-6 / 50


def test_a_full_pulse_takes_back_what_had_relaxed_before_it(yao: SoftBoundModel) -> None:
    """So trains take as many pulses on a slow bench as on a fast one."""
    chip = Chip(yao.without_variation().with_parameters(set_step=np.full(10, 1e-15)), MANY, seed=13)
    chip.imprint(CELLS, 8e-6)
    chip.pulse(CELLS, 0, 2.0, 50e-9, 1.8, 0.0)
    relaxed = chip.conductances(CELLS, 1e4)

    chip.pulse(CELLS, 0, 2.0, 50e-9, 1.8, 1e4)

    assert np.abs(relaxed - 8e-6).mean() > 0.1e-6
    np.testing.assert_allclose(chip.conductances(CELLS, 1e4), 8e-6, rtol=1e-6)
