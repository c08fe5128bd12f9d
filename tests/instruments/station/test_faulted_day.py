"""Part of the day that `tests/benchmarks/faulted_day.py` spends with spoilt answers."""

import pytest

from tests.benchmarks.faulted_day import spend


@pytest.mark.parametrize("seed", [1, 2])
def test_bench_time_with_spoilt_answers_ends_at_rest_without_a_wrong_reading_or_a_pulse_twice(seed):
    day = spend(0.4, fraction=0.03, seed=seed)

    assert day.seconds >= 0.4 * 3600
    assert day.answers_spoilt > 10
    assert day.reads > 20
    assert day.wrong == 0
    assert day.pulses_done <= day.pulses_given <= day.pulses_asked
    assert day.is_at_rest
