"""The morning report: complete, and the worst first."""

from __future__ import annotations

import json

from labctl.cli.root import run_command_line
from labctl.report.night import compose_night, write_night
from labctl.report.page import Listing
from labctl_instruments.virtual import rack

PLAN = """
[jobs.loops]
procedure = "IVSweep"
parameters = { cells = "0/9/0", cycles = 1, step = "0.5V" }
[jobs.write]
procedure = "WriteVerify"
parameters = { cells = "0/0:2/:", levels = 4, window = "1uS", after = "" }
sweep = { set_gate = ["1.7V", "1.8V"] }
[jobs.poor]
procedure = "WriteVerify"
parameters = { cells = "0/2:4/:", levels = 32, limit = 5, after = "" }
"""


def _plant(entry):
    if entry.kind == "begun" and "1.8V" in entry.text:
        list(rack._racks.values())[-1].faults.inject("garbage", "board", probability=1.0)
    elif entry.kind == "failed":
        list(rack._racks.values())[-1].faults.clear()


def test_the_report_tells_of_every_job_and_begins_with_what_failed(campaign, tmp_path):
    home, jobs = campaign(PLAN, on_entry=_plant)

    page = compose_night(home)
    html = write_night(home, tmp_path / "night.html").read_text(encoding="utf-8")

    attention, *_ = page.sections
    (listing,) = [part for part in attention.parts if isinstance(part, Listing)]
    assert [row[0] for row in listing.rows] == ["failed", "yield"]
    assert "write (set_gate=1.8V)" in listing.rows[0][1]
    assert [job.state.value for job in jobs] == ["done", "done", "failed", "done"]
    for told in ("loops", "write (set_gate=1.7V)", "write (set_gate=1.8V)", "poor"):
        assert told in html
    assert "3 of 4" in html
    titles = [section.title for section in page.sections]
    assert {"The night", "Jobs", "Sweep \u2018write\u2019", "Events", "Provenance"} <= set(titles)
    assert "loops: Current and voltage" in titles


def test_a_report_needs_nothing_but_itself(campaign, tmp_path):
    home, _ = campaign(PLAN.partition("[jobs.write]")[0])

    html = write_night(home, tmp_path / "night.html").read_text(encoding="utf-8")

    assert "src=" not in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_the_verbs_of_a_campaign_tell_of_one_and_the_same(capsys, tmp_path):
    plan = tmp_path / "night.toml"
    plan.write_text(PLAN.partition("[jobs.write]")[0])

    def labctl(*words):
        code = run_command_line(["campaign", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    _, before = labctl("status", str(plan))
    code, dry = labctl("run", str(plan), "--bench", "sim-board", "--dry-run")
    left = sorted(path.name for path in tmp_path.iterdir())
    done = labctl("run", str(plan), "--bench", "sim-board")
    _, status = labctl("status", str(plan))
    again = labctl("resume", str(plan))
    stopped = labctl("stop", str(plan))

    assert "no campaign" in before["error"]
    assert (code, dry["status"]) == (0, "predicted")
    assert dry["jobs"][0]["rows"] == status["jobs"][0]["facts"]["rows"]
    assert left == ["night.toml"]
    assert done[0] == 0
    assert (done[1]["status"], done[1]["jobs"][0]["state"]) == ("finished", "done")
    assert done[1]["report"].endswith("_report.html")
    assert status["jobs"] == done[1]["jobs"]
    assert (again[0], stopped[0]) == (2, 2)
