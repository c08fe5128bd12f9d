"""Distances, tests and intervals against closed forms and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from labctl_data.statistics import (
    ks_distance,
    ks_distance_by_level,
    two_sample_test,
    wilson_interval,
)

SAMPLES = st.lists(st.integers(0, 20), min_size=1, max_size=60)


@given(SAMPLES, SAMPLES)
def test_the_distance_is_the_largest_gap_of_the_two_distribution_functions(
    a: list[int], b: list[int]
) -> None:
    gaps = [abs(np.mean(np.array(a) <= x) - np.mean(np.array(b) <= x)) for x in range(21)]

    assert ks_distance(a, b) == pytest.approx(max(gaps))


def test_samples_that_do_not_overlap_are_at_distance_one() -> None:
    assert ks_distance([1, 2, 3], [4, 5]) == 1.0


def test_nan_is_left_out() -> None:
    assert ks_distance([1, 2, np.nan], [1, 2]) == 0.0


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="empty sample"):
        ks_distance([], [1.0])


def test_unequal_shares_of_levels_do_not_count_as_a_difference() -> None:
    rng = np.random.default_rng(1)
    low, high = rng.poisson(200, 1000), rng.poisson(20, 1000)
    a = np.concatenate([low, high[:100]])
    b = np.concatenate([low[:100], high])
    levels_a, levels_b = [0] * 1000 + [1] * 100, [0] * 100 + [1] * 1000

    assert ks_distance(a, b) > 0.8
    assert ks_distance_by_level(a, levels_a, b, levels_b) < 0.1


def test_samples_of_one_distribution_agree_and_shifted_ones_do_not() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=500), rng.normal(size=500)

    assert two_sample_test(a, b).agrees()
    assert not two_sample_test(a, b + 0.3).agrees()


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (3, 10), (990, 1000)])
def test_the_wilson_interval_is_that_of_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(method="wilson")

    assert wilson_interval(k, n) == pytest.approx((expected.low, expected.high))
