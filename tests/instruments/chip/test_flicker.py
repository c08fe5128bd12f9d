"""1/f read noise: slow, the same for all who look at that time, and spread over all decades."""

from collections.abc import Callable

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import SoftBoundModel, preset
from labctl_instruments.chip import Chip

from .conftest import EVERY

Make = Callable[..., Chip]
AMPLITUDE = 0.01


def _flickering(amplitude: float = AMPLITUDE) -> SoftBoundModel:
    return preset("yao").without_noise().with_parameters(flicker_noise=amplitude)


def test_the_spectrum_falls_as_one_over_frequency() -> None:
    """S(f) = a^2 / (f ln 10) of the relative current: a^2 in each decade of frequency.

    2,048 reads of 512 cells, 1 us apart: fast enough that nothing faster folds back.
    """
    chip = Chip(_flickering(), Geometry(1, 32, 16), seed=3)
    cells = np.arange(512)
    truth = 0.2 * chip.conductances(cells, 0.0)
    step = 1e-6
    times = step * np.arange(2048)
    reads = np.stack([chip.currents(cells, 0.2, 1, time) / truth - 1.0 for time in times])

    taper = np.hanning(len(times))[:, np.newaxis]
    power = np.abs(np.fft.rfft(reads * taper, axis=0)) ** 2
    density = (2 * step / (taper**2).sum() * power).mean(axis=1)
    frequency = np.fft.rfftfreq(len(times), step)
    some = slice(4, 60)

    slope = np.polyfit(np.log(frequency[some]), np.log(density[some]), 1)[0]
    level = density[some] * frequency[some] * np.log(10) / AMPLITUDE**2
    assert slope == pytest.approx(-1.0, abs=0.1)
    assert level.mean() == pytest.approx(1.0, abs=0.12)


def test_slow_noise_does_not_average_down(make: Make) -> None:
    """Twelve decades of time constants: a root of twelve times a decade's part."""
    chip = make(_flickering())
    truth = 0.2 * chip.conductances(EVERY, 0.0)

    for averages in (1, 1000):
        noise = chip.currents(EVERY, 0.2, averages, 5.0) / truth - 1.0

        expected = AMPLITUDE * np.sqrt(12)
        assert noise.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * len(EVERY)))


def test_two_looks_at_one_moment_see_the_same(make: Make) -> None:
    chip = make(_flickering())

    first, second = (chip.currents(EVERY, 0.2, 1, 7.25) for _ in range(2))

    np.testing.assert_array_equal(first, second)


def test_looks_a_microsecond_apart_differ_less_than_looks_a_day_apart(make: Make) -> None:
    chip = make(_flickering())
    start, soon, late = (chip.currents(EVERY, 0.2, 1, 1e5 + dt) for dt in (0.0, 1e-6, 8.64e4))

    assert np.std(soon - start) < 0.5 * np.std(late - start)


def test_sums_of_a_mac_wander_with_their_cells(make: Make) -> None:
    plan = MacPlan(
        np.arange(16)[np.newaxis], np.array([[0, 0]]), np.array([[1, -1]]), adc_full_scale=1e-4
    )
    codes, rows = np.full((1, 16), 255, np.uint8), np.arange(2)[np.newaxis]

    wandering, still = make(_flickering(0.1)), make(_flickering(0.0))

    sums = {int(wandering.mac(codes, rows, plan, 10.0**k)[0][0, 0]) for k in range(6)}
    assert len(sums) > 3
    assert len({int(still.mac(codes, rows, plan, 10.0**k)[0][0, 0]) for k in range(6)}) == 1


def test_a_chip_without_noise_does_not_flicker(make: Make) -> None:
    chip = make(preset("yao").with_parameters(flicker_noise=0.1), noise=False)

    np.testing.assert_array_equal(
        chip.currents(EVERY, 0.2, 1, 1.0), chip.currents(EVERY, 0.2, 1, 1e5)
    )
