"""Campaigns that are killed and gone on with, and a night in which things go wrong."""

from __future__ import annotations

import math
import signal
from pathlib import Path

import numpy as np
import pytest
from kill_and_resume import chip_counts, served
from kill_campaigns import carry_out_with_kills, wrong_with
from night import FAULTS, PROMPTLY, carried_out
from queue_figures import added_under_fire, changed

from labctl.campaign.home import CampaignHome
from labctl.campaign.loading import find_plan
from labctl.report.night import write_night

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


def test_a_killed_campaign_goes_on_and_neither_measures_nor_pulses_twice(tmp_path: Path) -> None:
    with served("sim-board", tmp_path) as bench:
        before = chip_counts(bench)
        kills = carry_out_with_kills(bench, tmp_path, np.random.default_rng(3), most=1)
        found = wrong_with(CampaignHome(tmp_path / "home"), before, chip_counts(bench))

    assert kills == 1
    assert found == []


def test_every_fault_of_a_night_is_told_soon_the_bench_at_rest(tmp_path: Path) -> None:
    whole = find_plan("simulated-night").read_text(encoding="utf-8")
    groups = '["0/0:32/:", "0/32:64/:", "0/64:96/:"]'
    assert groups in whole
    plan = tmp_path / "night.toml"  # with fewer looks at fewer cells; `night.py` has them all
    text = whole.replace(groups, '["0/0:8/:"]').replace("per_decade = 3", "per_decade = 1")
    plan.write_text(text, encoding="utf-8")

    home, planter = carried_out(tmp_path / "home", plan=str(plan))
    page = write_night(home, tmp_path / "night.html").read_text(encoding="utf-8")

    assert home.status == "finished"
    assert max(entry.time for entry in home.entries()) > 12 * 3600
    assert planter.struck.keys() == FAULTS.keys()
    for job, struck in planter.struck.items():
        assert not math.isnan(struck.seconds), f"{job}: {struck.kind} was not told"
        assert struck.seconds <= PROMPTLY
        assert not struck.was_on
        assert job in page


def test_jobs_that_were_said_to_be_queued_are_there_when_their_writers_are_killed(
    tmp_path: Path,
) -> None:
    said, kills = added_under_fire(tmp_path / "queue.sqlite", 100, np.random.default_rng(2))

    assert kills >= 4
    assert changed(tmp_path / "queue.sqlite", said) == 0
