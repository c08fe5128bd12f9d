"""What stands behind an open simulated bench, changed while it is open."""

from __future__ import annotations

import contextlib
import math

import pytest

from labctl_data.cells import Cells
from labctl_instruments import open_bench
from labctl_instruments.bench.opening import simulation_behind
from labctl_instruments.errors import InstrumentError, RackError


@pytest.fixture
def station():
    with open_bench("sim-board") as station:
        yield station


def test_a_fault_planted_in_an_open_bench_strikes_its_next_answer_and_is_then_over(station):
    simulation = simulation_behind(station)
    cells = Cells.from_text("0/0:2/0:2", station.geometry)
    station.read(cells)

    simulation.plant("late", "board")
    assert [fault.kind for fault in simulation.planned] == ["late"]
    with contextlib.suppress(InstrumentError):  # or asked again
        station.read(cells)

    assert simulation.planned == ()
    told = [event.message for event in simulation._rack.log.events]
    assert told.count(b"fault: the answer is late") == 1


def test_a_fault_that_was_cleared_does_not_strike(station):
    simulation = simulation_behind(station)

    simulation.plant("disconnect", "board", probability=1.0)
    simulation.clear()

    assert simulation.planned == ()
    station.read(Cells.from_text("0/0/0", station.geometry))


def test_only_instruments_that_can_suffer_a_fault_are_its_victims(station):
    assert simulation_behind(station).victims["timeout"] == ("board", "clock")
    assert simulation_behind(station).victims["stuck-relay"] == ()
    with pytest.raises(RackError, match="role matrix"):
        simulation_behind(station).plant("stuck-relay", "board", channel="1A01")


def test_bench_time_goes_on_where_it_was_when_its_speed_changes(station):
    simulation = simulation_behind(station)
    station.wait(1000.0)
    before = station.now()

    simulation.pace(10_000.0)
    station.wait(100.0)

    assert simulation.speed == 10_000.0
    assert station.now() - before >= 100.0
    simulation.pace(math.inf)
    now = station.now()
    station.wait(1e6)
    assert station.now() - now == pytest.approx(1e6, abs=1.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_time_is_not_made_to_stand_still(station, speed):
    with pytest.raises(RackError, match="above 0"):
        simulation_behind(station).pace(speed)


def test_nothing_stands_behind_a_station_that_was_not_opened_here():
    class Stranger:
        """A station of somebody else's."""

    assert simulation_behind(Stranger()) is None
