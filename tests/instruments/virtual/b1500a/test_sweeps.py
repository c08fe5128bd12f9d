"""Staircases and samples of the virtual B1500A."""

import numpy as np
import pytest

from tests.instruments.virtual.b1500a.conftest import (
    data,
    expected,
    say,
)


def test_a_staircase_measures_each_step_and_ends_where_it_shall(rack) -> None:
    say(rack, "FMT 11,1;AAD 1,1;WT 0,0.01;WM 1,2;WV 1,1,0,0,0.2,5,1E-3;MM 2,1")
    before = rack.clock.now()

    found = data(say(rack, "XE"))

    levels = [value for _, _, kind, value in found if kind == "V"]
    currents = [value for _, _, kind, value in found if kind == "I"]
    assert levels == [0.0, 0.05, 0.1, 0.15, 0.2]
    assert [status for status, _, kind, _ in found if kind == "V"] == ["W"] * 4 + ["E"]
    for level, value in zip(levels, currents, strict=True):
        assert value == pytest.approx(expected(rack, level), rel=1e-4, abs=1e-12)
    assert rack.clock.now() - before > 5 * 0.01
    assert say(rack, "*LRN? 1").startswith("DV1,0,0.2,")


def test_a_double_staircase_with_a_synchronous_source_steps_both(rack) -> None:
    say(rack, "CN 2;WV 1,3,0,0,0.2,3,1E-3;WSV 2,0,0.3,0.1,1E-3;MM 2,1;FMT 1,2")

    found = data(say(rack, "XE"))

    assert [value for _, channel, _, value in found if channel == "B"] == pytest.approx(
        [0.3, 0.2, 0.1, 0.1, 0.2, 0.3]
    )


def test_a_sweep_that_meets_its_compliance_stops_where_that_is_asked(rack) -> None:
    say(rack, "WM 2,2;WV 1,1,0,0.1,0.4,4,3E-6;MM 2,1")

    found = data(say(rack, "XE"))

    assert [status for status, *_ in found] == ["N", "C", "V", "V"]
    assert found[-1][3] == 199.999e99
    assert say(rack, "*LRN? 1").startswith("DV1,0,0.1,")


def test_samples_are_taken_at_their_interval(rack) -> None:
    say(rack, "FMT 1,1;TSC 1;MV 1,0,0,0.2,1E-3;MT 0,0.01,4;MSC 1,1;MM 10,1;TSR")

    found = data(say(rack, "XE"))

    times = [value for _, _, kind, value in found if kind == "T"]
    assert [value for _, _, kind, value in found if kind == "X"] == [1, 2, 3, 4]
    assert np.diff(times) == pytest.approx(0.01, abs=2e-3)
    assert found[2][3] == pytest.approx(expected(rack, 0.2), rel=1e-3)
    assert say(rack, "*LRN? 1").startswith("DV1,0,0,")
