"""Runs during which a part of all answers is spoilt; the full day is `faulted_runs.py`."""

from pathlib import Path

import pytest

from tests.house.faulted_runs import Day, spend


@pytest.fixture(scope="module", params=["sim-board", "sim-smu"])
def day(request, tmp_path_factory) -> Day:
    folder: Path = tmp_path_factory.mktemp("faulted")
    return spend(request.param, 0.5, fraction=0.04, seed=3, folder=folder)


def test_runs_end_though_answers_are_lost_garbage_cut_short_or_late(day: Day) -> None:
    assert day.statuses == {"complete": 4}
    assert day.spoilt > 20


def test_no_answer_is_taken_for_that_of_another_query(day: Day) -> None:
    assert day.readings > 400
    assert day.wrong == 0


def test_no_message_that_pulses_is_sent_twice_and_no_pulse_given_twice(day: Day) -> None:
    assert 100 < day.shots <= day.messages
    assert 100 < day.chip_pulses <= day.ledger_pulses
