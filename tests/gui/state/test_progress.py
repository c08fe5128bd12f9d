"""Progress with its estimate, and the journal."""

from __future__ import annotations

import logging

import pytest

from labctl_gui.state.journal import Journal
from labctl_gui.state.progress import ProgressMeter, duration_text


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_quarter_done_in_ten_seconds_leaves_thirty():
    clock = Clock()
    meter = ProgressMeter(clock)
    meter.start("writing", 100)

    clock.now += 10
    meter.advance(25)

    assert meter.now.fraction == 0.25
    assert meter.now.remaining == 30.0


def test_nobody_knows_how_long_a_step_takes_before_its_first_part_is_done():
    meter = ProgressMeter(Clock())

    meter.start("writing", 100)

    assert meter.now.remaining is None


def test_the_clock_of_a_finished_step_stands():
    clock = Clock()
    meter = ProgressMeter(clock)
    meter.start("writing", 2)
    clock.now += 5
    meter.finish()

    clock.now += 1000

    assert meter.now.elapsed == 5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration_text(seconds) == text


def test_a_journal_hands_out_each_line_once_with_its_traceback():
    journal, log = Journal(), logging.getLogger("journal under test")
    log.addHandler(journal)
    log.setLevel(logging.INFO)
    log.propagate = False
    log.info("first")
    seen = journal.written
    try:
        int("the reason")
    except ValueError:
        log.exception("second")

    (line,) = journal.since(seen)

    assert line.text == "second"
    assert line.detail.splitlines()[-1].startswith("ValueError: invalid literal")
