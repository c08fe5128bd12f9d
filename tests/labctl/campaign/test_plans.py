"""Plan files: what they multiply out to, and what is refused of them, and how."""

from __future__ import annotations

from datetime import datetime

import pytest

from labctl.campaign.errors import PlanError
from labctl.campaign.loading import load_plan, shipped_plans
from labctl.campaign.quiet import seconds_of_quiet

JOB = """
[jobs.loops]
procedure = "IVSweep"
parameters = { cells = "0/0/0", cycles = 1 }
"""


def test_a_sweep_is_multiplied_out_with_its_last_key_turning_fastest(plan_file):
    plan = load_plan(
        plan_file(
            JOB + 'bench = ["sim-board", "sim-smu"]\nrepeat = 2\n'
            'sweep = { positive = ["1V", "1.2V"], step = ["0.1V", "0.2V"] }'
        )
    )

    assert len(plan.steps) == 2 * 2 * 2 * 2
    assert [step.number for step in plan.steps] == list(range(1, 17))
    assert plan.steps[0].label == "loops (sim-board positive=1V step=0.1V 1 of 2)"
    assert plan.steps[2].point == {"positive": "1V", "step": "0.2V"}
    assert {step.request.bench for step in plan.steps[8:]} == {"sim-smu"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"plan.toml: key 'jobs' is missing"),
        ("[jobs", r"plan.toml: cannot be read"),
        ('[[jobs]]\nname = "a"', r"plan.toml: jobs: each is a table .* \[jobs.NAME\]"),
        (JOB + "procdure = 1", r"plan.toml \[jobs.loops\]: unknown key 'procdure'"),
        (JOB + "repeat = 0", r"plan.toml \[jobs.loops\]: repeat = 0"),
        (JOB + 'after = ["write"]', r"\[jobs.loops\]: after: 'write' is not an earlier job"),
        (JOB + 'when = "loops.rows > 1"', r"\[jobs.loops\]: when: 'loops' is not an earlier job"),
        (JOB + 'stop_if = "rows >"', r"\[jobs.loops\]: stop_if: 'rows >' is no condition"),
        (JOB + "interleave = true", r"\[jobs.loops\]: interleave is for Retention"),
        (JOB + "sweep = { step = [] }", r"\[jobs.loops\]: sweep.step has no value"),
        (JOB + "sweep = { cycles = [2] }", r"\[jobs.loops\]: sweep.cycles: .* in parameters too"),
        (JOB + 'sweep = { positive = ["4V"] }', r"\[jobs.loops\]: .*exceeds voltage = 3.5 V"),
        (JOB + 'bench = "nowhere"', r"\[jobs.loops\]: .*no such bench file"),
        (JOB + 'start_at = "noon"', r"\[jobs.loops\]: start at 'noon': expected 23:30"),
        (JOB.replace("IVSweep", "Sweep"), r"\[jobs.loops\]: procedure 'Sweep' is unknown"),
        (JOB.replace("cycles", "cycels"), r"\[jobs.loops\]: IVSweep: parameter 'cycels'"),
        (JOB.replace("loops", "Loops"), r"plan.toml \[jobs"),
        ('quiet_hours = ["22-6"]' + JOB, r"plan.toml \[quiet_hours\]: .*no time of day"),
        ('time_budget = "12V"' + JOB, r"time_budget = '12V'"),
        (JOB + '[[suspenders]]\nwatch = "disk"', r"\[suspenders.0\]: .*needs above or below"),
        (JOB + '[[suspenders]]\nwatch = "mood"\nabove = 1', r"\[suspenders.0\]: watch = 'mood'"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said_with_file_table_and_key(plan_file, text, said):
    with pytest.raises(PlanError, match=said):
        load_plan(plan_file(text))


@pytest.mark.parametrize(
    "table",
    [
        '[notify.webhook]\naddress_variable = "https://chat.example/s3cret-path"',
        '[notify.email]\nhost = "m"\nsender = "a@b"\nto = ["c@d"]\npassword_variable = "s3cret-!"',
        '[notify.webhook]\naddress = "https://chat.example/s3cret-path"',
    ],
)
def test_a_secret_that_stands_in_a_plan_is_refused_and_not_repeated(plan_file, table):
    with pytest.raises(PlanError, match=r"\[notify") as refused:
        load_plan(plan_file(JOB + table))

    assert "s3cret" not in str(refused.value)


def test_a_password_is_not_sent_in_the_clear(plan_file):
    mail = '[notify.email]\nhost = "m"\nsender = "a@b"\nto = ["c@d"]\nsecurity = "plain"\n'

    with pytest.raises(PlanError, match="in the clear"):
        load_plan(plan_file(JOB + mail + 'user_variable = "U"\npassword_variable = "P"'))


@pytest.mark.parametrize("name", shipped_plans())
def test_a_shipped_plan_is_valid(name):
    bench = "sim-flash" if name == "flash" else "sim-board"

    assert load_plan(name, bench=bench).steps


def test_a_plan_that_is_not_there_names_those_that_are():
    with pytest.raises(PlanError, match="shipped are characterise"):
        load_plan("charcterise")


def test_a_bench_file_is_looked_for_beside_the_plan(plan_file, tmp_path):
    from labctl_instruments import load_bench

    (tmp_path / "mine.toml").write_text(load_bench("sim-board").text)

    plan = load_plan(plan_file(JOB + 'bench = "mine.toml"'))

    assert plan.steps[0].request.bench == str(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("hours", "now", "expected"),
    [
        (["08:00-18:00"], "2026-07-01T12:00", 6 * 3600),
        (["08:00-18:00"], "2026-07-01T07:59", 0),
        (["08:00-18:00"], "2026-07-01T18:00", 0),
        (["22:00-06:00"], "2026-07-01T23:00", 7 * 3600),
        (["22:00-06:00"], "2026-07-01T05:30", 1800),
        (["22:00-02:00", "02:00-06:00"], "2026-07-01T23:00", 7 * 3600),
        ([], "2026-07-01T23:00", 0),
    ],
)
def test_quiet_hours_last_until_their_end_also_over_midnight(hours, now, expected):
    assert seconds_of_quiet(hours, datetime.fromisoformat(now).astimezone()) == expected
