"""Suspenders: what trips them, and what they do to a run."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from labctl.campaign.schema import SuspenderTable
from labctl.campaign.watching import Place, Watch, wrong
from labctl.engine import Control, run
from labctl_data.run_file import open_run
from labctl_instruments import open_bench
from labctl_procedures import IVSweep


@pytest.fixture
def place(tmp_path):
    """Return a function that makes a place whose chuck shows the temperatures given, in turn."""

    def make(*kelvin, on_wait=lambda seconds: None):
        shown = list(kelvin)
        told = []
        station = SimpleNamespace(temperature=lambda: shown.pop(0) if shown[1:] else shown[0])
        waited = []

        def wait(seconds):
            waited.append(seconds)
            on_wait(seconds)

        made = Place(station, tmp_path, Control(), wait, lambda kind, text: told.append(kind))
        return made, told, waited

    return make


def _rule(**facts):
    return SuspenderTable(**{"watch": "temperature", "above": 310.0, **facts})


@pytest.mark.parametrize(
    ("value", "said"),
    [(309.0, ""), (311.0, "temperature 311.00 K is above 310.00 K"), (289.0, "is below 290.00 K")],
)
def test_a_value_beyond_a_limit_is_named_with_its_unit(value, said):
    found = wrong(_rule(below=290.0), value)

    assert (said in found) if said else (found == "")


def test_free_space_is_given_with_its_prefix(tmp_path):
    rule = SuspenderTable.model_validate({"watch": "disk", "below": "2GB"})

    assert wrong(rule, 1.5e9) == "disk 1.5 GB is below 2 GB"


@pytest.mark.parametrize("do", ["skip", "stop"])
def test_a_rule_that_says_so_ends_the_run(place, do):
    where, _, _ = place(320.0)
    watch = Watch([_rule(do=do)], where)

    watch.look()

    assert watch.must_end()
    assert (watch.verdict, watch.reason) == (do, "temperature 320.00 K is above 310.00 K")


def _runner(control, until):
    """Wait where a run would, until `until`."""

    def go():
        while not until.is_set():
            control.wait(until.is_set)

    thread = threading.Thread(target=go)
    thread.start()
    return thread


def test_wait_rests_the_run_for_its_time_and_goes_on(place):
    went_on = threading.Event()
    where, told, waited = place(320.0, 320.0, 300.0)
    watch = Watch([_rule(do="wait", wait=600.0)], where)
    thread = _runner(where.control, went_on)

    watch.look()
    while "went-on" not in told:
        where.control.await_waiting(0.01)
    went_on.set()
    thread.join()

    assert waited == [600.0]
    assert told == ["suspended", "went-on"]
    assert watch.verdict == ""


def test_pause_looks_again_until_it_is_as_it_should_be(place):
    went_on = threading.Event()
    where, told, waited = place(320.0, 318.0, 305.0, 300.0)
    watch = Watch([_rule(do="pause", wait=60.0)], where)
    thread = _runner(where.control, went_on)

    watch.look()
    while "went-on" not in told:
        where.control.await_waiting(0.01)
    went_on.set()
    thread.join()

    assert waited == [60.0, 60.0]


def test_what_stays_wrong_stops_the_campaign(place):
    went_on = threading.Event()
    where, _, waited = place(320.0)
    watch = Watch([_rule(do="pause", wait=60.0, at_most=2)], where)
    thread = _runner(where.control, went_on)

    watch.look()
    while not watch.verdict:
        where.control.await_waiting(0.01)
    went_on.set()
    thread.join()

    assert watch.verdict == "stop"
    assert "still wrong after 2" in watch.reason
    assert waited == [60.0, 60.0]


def test_compliance_is_judged_by_the_share_of_the_last_points(place):
    where, _, _ = place(300.0)
    rule = SuspenderTable(watch="compliance", above=0.5, of=10, do="skip")
    watch = Watch([rule], where)

    watch.see({"In compliance": np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], np.uint8)})
    before = watch.verdict
    watch.see({"In compliance": np.array([1, 1, 1, 1, 1, 1], np.uint8)})

    assert before == ""
    assert watch.verdict == "skip"
    assert watch.reason.startswith("compliance 0.6 is above 0.5")


def test_a_run_that_is_suspended_rests_the_bench_at_a_pulse_boundary_and_is_completed(tmp_path):
    rule = SuspenderTable(watch="compliance", above=0.5, of=5, do="wait", wait=100.0, at_most=50)
    procedure = IVSweep(cells="0/0/0:2", cycles=2, compliance="1uA", step="0.25V")
    told = []
    with open_bench("sim-board", seed=1) as station:
        control = Control()
        where = Place(station, tmp_path, control, station.wait, lambda *words: told.append(words))
        watch = Watch([rule], where)

        result = run(
            procedure,
            station,
            tmp_path / "run.h5",
            control=control,
            on_rows=watch.see,
            should_stop=watch.must_end,
        )

    events = [event.kind for event in open_run(result.file).events]
    assert result.status == "complete"
    assert events.count("paused") == events.count("resumed") >= 1
    assert [kind for kind, _ in told][:2] == ["suspended", "went-on"]
    time = open_run(result.file).record("time")
    assert time[-1] - time[0] > 100.0
