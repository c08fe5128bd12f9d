"""Campaigns, carried out on the simulated board."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from labctl.campaign.carrying_out import STOP, carry_out
from labctl.campaign.errors import CampaignBusyError, CampaignError
from labctl.campaign.home import home_of, new_home
from labctl.campaign.loading import load_plan
from labctl.campaign.progress import states
from labctl.queue import JobState
from labctl_data.run_file import open_run
from labctl_instruments.virtual import rack

LOOPS = 'procedure = "IVSweep"\nparameters = { cells = "0/9/0", cycles = 1, step = "0.5V" }\n'
WRITE = """procedure = "WriteVerify"
parameters = { cells = "0/0:2/:", levels = 4, window = "1uS", after = "" }
"""


def _told(home, *kinds):
    return [entry.text for entry in home.entries() if entry.kind in kinds]


def test_jobs_are_made_in_order_on_one_chip_and_the_campaign_is_finished(campaign):
    home, jobs = campaign(f"[jobs.a]\n{LOOPS}\n[jobs.b]\n{LOOPS}\nrepeat = 2")

    assert [job.state for job in jobs] == [JobState.DONE] * 3
    assert [job.run_file.name for job in jobs] == ["001_a.h5", "002_b.h5", "003_b.h5"]
    assert home.status == "finished"
    assert _told(home, "finished") == ["plan: 3 done"]


def test_conditions_leave_jobs_out_branch_and_stop(campaign):
    home, jobs = campaign(
        f"""
        [jobs.write]
        {WRITE}
        branch = {{ if = "write.converged > 0.5", then = ["good"], otherwise = ["bad"] }}
        [jobs.good]
        {LOOPS}
        [jobs.bad]
        {LOOPS}
        [jobs.rest]
        {LOOPS}
        after = ["bad"]
        [jobs.never]
        {LOOPS}
        when = "write.converged < 0.5"
        [jobs.last]
        {LOOPS}
        stop_if = "last.rows > 1"
        [jobs.unmade]
        {LOOPS}
        """
    )

    found = {step.job: job.state.value for step, job in zip(home.plan().steps, jobs, strict=True)}
    assert found == {
        "write": "done",
        "good": "done",
        "bad": "skipped",
        "rest": "skipped",
        "never": "skipped",
        "last": "done",
        "unmade": "waiting",
    }
    assert "it is after 'bad', which is skipped" in jobs[3].error
    assert home.status == "stopped"
    assert _told(home, "stopped") == ["after last: 'last.rows > 1' is true"]


def test_a_condition_on_what_is_not_known_is_not_true(campaign):
    _, jobs = campaign(f"[jobs.a]\n{LOOPS}\n[jobs.b]\n{LOOPS}\nwhen = 'a.converged > 0'")

    assert jobs[1].state is JobState.SKIPPED
    assert "a.converged is not known" in jobs[1].error


def test_retention_of_several_groups_goes_on_side_by_side_each_in_its_file(campaign):
    _, jobs = campaign(
        """
        [jobs.keep]
        procedure = "Retention"
        interleave = true
        parameters = { levels = 2, window = "1uS", first = "1s", duration = "1h", per_decade = 1 }
        sweep = { cells = ["0/0/:", "0/1/:", "0/2/:"] }
        [jobs.between]
        """
        + LOOPS
    )

    runs = [open_run(job.run_file) for job in jobs[:3]]
    assert [job.state for job in jobs] == [JobState.DONE] * 4
    for run in runs:
        looks = run.records()["time"].reshape(-1, 16)[:, 0] - run.map("verified_at")[0][-1]
        assert looks == pytest.approx([1, 10, 100, 3600], abs=0.01)
        assert run.status == "complete"
        assert len(run.segments) > 1
    # None was written after another had been followed to its end, and the loop came between.
    ends = [float(run.record("time").max()) for run in runs]
    began = [float(run.map("verified_at")[0][-1]) for run in runs]
    assert max(began) < min(ends)
    assert float(open_run(jobs[3].run_file).record("time").max()) < min(ends)


def test_a_look_that_is_missed_is_left_out_and_the_others_are_made(campaign):
    _, jobs = campaign(
        f"""
        [jobs.keep]
        procedure = "Retention"
        interleave = true
        parameters = {{ cells = "0/0/:", levels = 2, first = "1s", duration = "10h" }}
        [jobs.long]
        procedure = "WriteVerify"
        parameters = {{ cells = "0/1/:", levels = 2, window = "1uS", after = "30min" }}
        [jobs.last]
        {LOOPS}
        """
    )

    looks = open_run(jobs[0].run_file).record("elapsed").reshape(-1, 16)
    made = [1, 3.16, 10, 31.6, 3162, 10_000, 36_000]  # those of the half hour are missed
    assert jobs[0].state is JobState.DONE
    assert np.nanmedian(looks, axis=1) == pytest.approx(made, rel=0.1)


def test_jobs_wait_for_their_time_and_the_budget_ends_them(campaign):
    home, jobs = campaign(
        f"""time_budget = "2h"
        [jobs.later]
        {LOOPS}
        start_at = "+1h"
        [jobs.first]
        {LOOPS}
        [jobs.too_late]
        {LOOPS}
        start_at = "+3h"
        """
    )

    began = {each.job: each.began for each in states(home)}
    assert began["first"] < 60
    assert began["later"] == pytest.approx(3600, abs=1)
    assert jobs[2].state is JobState.SKIPPED
    assert "time budget" in jobs[2].error


def test_no_job_is_begun_in_quiet_hours(plan_file, tmp_path):
    hours = "00:00-23:59"
    text = f'quiet_hours = ["{hours}"]\n[jobs.a]\n{LOOPS}'
    home = new_home(load_plan(plan_file(text), bench="sim-board"), tmp_path / "home")

    carry_out(home)

    (step,) = states(home)
    at = (home.began + timedelta(seconds=step.began)).astimezone()
    assert (at.hour, at.minute) == (23, 59)


@pytest.fixture
def begun(plan_file, tmp_path):
    text = f"[jobs.a]\n{LOOPS}\n[jobs.b]\n{LOOPS}\n[jobs.c]\n{LOOPS}"
    return new_home(load_plan(plan_file(text), bench="sim-board"), tmp_path / "home")


def test_what_was_done_before_a_stop_is_not_done_again(begun):
    def stop(entry):
        if entry.kind == "ended" and entry.text.startswith("a"):
            begun.queue.ask(STOP, "1")

    first = carry_out(begun, on_entry=stop)
    stopped = [job.state.value for job in begun.queue.jobs()]
    stamp = begun.queue.job(1).run_file.stat().st_mtime_ns
    second = carry_out(begun)

    assert (first, second) == ("stopped", "finished")
    assert stopped == ["done", "waiting", "waiting"]
    assert [job.state.value for job in begun.queue.jobs()] == ["done"] * 3
    assert begun.queue.job(1).run_file.stat().st_mtime_ns == stamp
    assert _told(begun, "begun").count("a") == 1


def test_a_campaign_is_carried_out_by_one_process(begun):
    with begun.lock():
        assert begun.status == "running"
        with pytest.raises(CampaignBusyError):
            carry_out(begun)

    assert begun.status == "interrupted"


def test_a_campaign_that_has_not_ended_is_not_begun_anew(plan_file):
    plan = load_plan(plan_file(f"[jobs.a]\n{LOOPS}"), bench="sim-board")
    new_home(plan, None)

    with pytest.raises(CampaignError, match="is interrupted: go on with it"):
        new_home(plan, None)
    carry_out(home_of("plan.toml", None))
    assert new_home(plan, None).folder.name == "plan-2"


def test_a_folder_with_something_in_it_is_left_alone(begun, tmp_path):
    with pytest.raises(CampaignError, match="something in it already"):
        new_home(begun.plan(), tmp_path)


def test_a_run_that_fails_at_an_instrument_waits_goes_on_and_is_done(campaign):
    planted = []

    def plant(entry):
        if entry.kind == "begun" and not planted:
            planted.append(entry)
            newest = list(rack._racks.values())[-1]
            newest.faults.inject("disconnect", "board", nth=5)

    rule = '[[suspenders]]\nwatch = "instrument-errors"\ndo = "wait"\nwait = "30s"'
    home, (job,) = campaign(f"[jobs.write]\n{WRITE}\n{rule}", on_entry=plant)

    run = open_run(job.run_file)
    assert job.state is JobState.DONE
    assert len(run.segments) == 2
    assert [event.kind for event in run.events].count("fault") == 1
    assert [e.kind for e in home.entries()][2:5] == ["failed", "suspended", "went-on"]
    assert home.entries()[4].time - home.entries()[3].time == pytest.approx(30, abs=0.1)


def test_a_run_that_fails_without_a_rule_is_failed_and_the_next_is_made(campaign):
    def plant(entry):
        if entry.text == "write":
            newest = list(rack._racks.values())[-1]
            newest.faults.inject("disconnect", "board", nth=5)

    _, jobs = campaign(f"[jobs.write]\n{WRITE}\n[jobs.loops]\n{LOOPS}", on_entry=plant)

    assert [job.state for job in jobs] == [JobState.FAILED, JobState.DONE]
