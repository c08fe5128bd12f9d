"""Time and faults of the simulated bench that is open, changed from the window."""

from __future__ import annotations

import pytest

from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.rack_desk import AT_ONCE, Trouble
from tests.gui.patience import SECONDS, wait_until


def test_a_fault_is_planted_listed_and_cleared_without_reopening(session):
    station = session.station

    session.rack.plant(Trouble("timeout", "board", nth=7))
    session.rack.plant(Trouble("late", "clock", share=0.01))
    session.rack.settled(SECONDS)
    assert session.rack.facts.planned == (
        "timeout of board: chance 7 since it was planted",
        "late of clock: 1 % of its chances",
    )

    session.rack.clear()
    session.rack.settled(SECONDS)
    assert session.rack.facts.planned == ()
    assert session.station is station


def test_a_fault_that_strikes_a_read_is_told_and_the_bench_is_ready_again(session):
    session.rack.plant(Trouble("disconnect", "board"))
    session.rack.settled(SECONDS)

    session.read_pe(0)
    assert session.settled(SECONDS)

    assert session.rack.facts.planned == ()
    session.read_pe(0)
    assert session.settled(SECONDS)
    assert session.status.phase is BenchPhase.READY
    assert session.chip_map.version > 0


def test_a_fault_that_this_bench_cannot_suffer_is_refused_with_the_reason(session):
    session.rack.plant(Trouble("stuck-relay", "board", channel="1A01"))
    session.rack.settled(SECONDS)
    assert "role matrix" in session.rack.problem

    session.rack.clear()
    session.rack.settled(SECONDS)
    assert session.rack.problem == ""


def test_bench_time_is_made_real_and_a_jump_again(session):
    assert session.rack.facts.speed == AT_ONCE

    session.rack.pace(60.0)
    session.rack.settled(SECONDS)
    assert session.rack.facts.speed == 60.0

    session.rack.pace(AT_ONCE)
    session.rack.settled(SECONDS)
    assert session.rack.facts.speed == AT_ONCE


def test_without_a_bench_there_is_nothing_to_change(closed_session):
    closed_session.rack.pace(1.0)

    assert closed_session.rack.facts is None
    assert closed_session.settled(SECONDS)


def test_stop_ends_a_wait_that_passes_with_the_wall_and_leaves_the_bench_ready(session):
    session.rack.pace(1.0)
    session.rack.settled(SECONDS)
    begun = session.station.now()
    session.order("wait 1d")
    wait_until(lambda: session.station.last_time > begun and session.status.activity == "wait 1d")

    session.stop()

    assert session.settled(SECONDS)
    assert session.status.phase is BenchPhase.READY
    assert session.station.now() - begun < 3600


def test_a_wait_ends_at_once_when_the_pace_is_changed_meanwhile(session):
    session.rack.pace(1.0)
    session.rack.settled(SECONDS)
    begun = session.station.now()
    session.order("wait 1d")
    wait_until(lambda: session.status.activity == "wait 1d")

    session.rack.pace(AT_ONCE)

    assert session.settled(SECONDS)
    assert session.station.now() - begun == pytest.approx(86_400, abs=SECONDS)
