import numpy as np
import pytest
from scipy.stats import norm

from labctl_procedures.write_summary import separate_fraction


def test_a_drift_that_all_levels_share_leaves_them_separate() -> None:
    wanted = np.repeat(np.linspace(2e-6, 20e-6, 32), 8)

    assert separate_fraction(wanted - 1e-6, wanted) == 1.0


def test_cells_spread_by_half_a_pitch_are_confused_as_gaussian_tails_say() -> None:
    rng = np.random.default_rng(1)
    wanted = np.repeat(np.arange(32.0), 2000)

    found = wanted + rng.normal(0.0, 0.5, wanted.size)

    # 30 inner levels lose both tails beyond half a pitch (one sigma), the outer two one of them
    expected = 1 - (30 * 2 + 2) / 32 * norm.sf(1.0)
    assert separate_fraction(found, wanted) == pytest.approx(expected, abs=0.006)
