"""White noise and 1/f noise of reads, planted and found."""

import numpy as np
import pytest

from labctl_data.fit.slow_noise import fit_slow_noise

INTERVAL = 0.05
READS = 8192


def trace(white: float, slow: float, rng: np.random.Generator) -> np.ndarray:
    """Draw reads of one cell: a number a decade of time constants, each held for its time."""
    time = np.arange(READS) * INTERVAL
    phase, factor = rng.random(), np.ones(READS)
    for decade in range(-6, 6):
        turn = (time / 10 ** (decade + phase)).astype(np.int64)
        factor += slow * rng.normal(size=READS)[np.unique(turn, return_inverse=True)[1]]
    return 2e-5 * factor * (1 + white * rng.normal(size=READS))


@pytest.mark.parametrize(("white", "slow"), [(0.01, 0.003), (0.005, 0.005), (0.0, 0.004)])
def test_white_and_slow_noise_are_parted(white: float, slow: float) -> None:
    rng = np.random.default_rng(1)

    found = fit_slow_noise([trace(white, slow, rng) for _ in range(12)], INTERVAL)

    assert found.slow == pytest.approx(slow, rel=0.06)
    assert found.white == pytest.approx(white, rel=0.05, abs=0.002)
    assert found.slow_error < 0.06 * slow
    # log10(0.05 s / 1 us) + 1/ln 10 decades are faster than the interval.
    assert found.neighbours == pytest.approx(np.hypot(white, slow * np.sqrt(5.133)), rel=0.03)


def test_noise_that_is_white_is_not_called_slow() -> None:
    rng = np.random.default_rng(2)

    found = fit_slow_noise([trace(0.01, 0.0, rng) for _ in range(4)], INTERVAL)

    assert found.slow == 0.0
    assert found.white == pytest.approx(0.01, rel=0.02)
    assert found.white_error < 0.01 * 0.01
