"""A campaign from the window: opened, checked, carried out by its own process, watched, stopped."""

from __future__ import annotations

import pytest

from labctl.campaign.home import home_of
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.campaign import CampaignStatus
from tests.gui.driving import PATIENCE, click

SHORT = """
description = "Two sweeps."
[jobs.sweep]
procedure = "IVSweep"
bench = "{bench}"
sweep = {{ cells = ["0/0/0", "0/1/1"] }}
"""
LONG = """
description = "What would go on for minutes."
[jobs.write]
procedure = "WriteVerify"
bench = "{bench}"
parameters = {{ cells = "0/:/:", window = "2 nS", limit = 100000 }}
"""


@pytest.fixture
def opened(window, qtbot, tmp_path, bench):
    """A function that opens a plan in the window's campaign view."""

    def open_plan(text):
        plan = tmp_path / "night.toml"
        plan.write_text(text.format(bench=bench))
        window.views.setCurrentWidget(window.campaign)
        window.campaign.plan_box.setCurrentText(str(plan))
        click(qtbot, window.campaign.open_button)
        return str(plan)

    return open_plan


def begin(window, qtbot):
    button = window.campaign.start_button
    qtbot.waitUntil(button.isEnabled, timeout=PATIENCE)
    click(qtbot, button)
    assert window.session.status.phase is BenchPhase.READY
    assert button.text() == "Close bench and start"
    click(qtbot, button)


@pytest.mark.parametrize(
    ("state", "start", "resume"),
    [
        ("", True, False),
        ("finished", True, False),
        ("stopped", False, True),
        ("interrupted", False, True),
        ("running", False, False),
    ],
)
def test_what_can_be_done_with_a_campaign_follows_from_its_state(state, start, resume):
    status = CampaignStatus(plan="night", jobs=(None,), state=state)

    assert (status.can_start, status.can_resume) == (start, resume)


def test_a_plan_that_is_wrong_is_refused_with_the_reason(window, qtbot, opened):
    opened(SHORT.replace("IVSweep", "NoSuchThing"))

    qtbot.waitUntil(lambda: "NoSuchThing" in window.campaign.note.text(), timeout=PATIENCE)
    assert not window.campaign.start_button.isEnabled()


def test_a_campaign_is_checked_carried_out_and_the_bench_is_open_again(window, qtbot, opened):
    plan = opened(SHORT)
    qtbot.waitUntil(lambda: window.campaign.table.rowCount() == 2, timeout=PATIENCE)
    qtbot.waitUntil(window.campaign.check_button.isEnabled, timeout=PATIENCE)
    click(qtbot, window.campaign.check_button)
    qtbot.waitUntil(lambda: "2 jobs" in window.campaign.forecast.text(), timeout=PATIENCE)

    begin(window, qtbot)

    qtbot.waitUntil(lambda: window.session.station is None, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.campaigns.status.state == "finished", timeout=2 * PATIENCE)
    qtbot.waitUntil(lambda: window.session.status.phase is BenchPhase.READY, timeout=PATIENCE)
    states = [window.campaign.table.item(row, 4).text() for row in range(2)]
    assert states == ["done", "done"]
    assert home_of(plan, None).status == "finished"


def test_stop_ends_the_campaign_and_it_can_be_resumed(window, qtbot, opened):
    plan = opened(LONG)
    begin(window, qtbot)
    qtbot.waitUntil(lambda: window.campaigns.status.state == "running", timeout=2 * PATIENCE)

    click(qtbot, window.header.stop_button)

    qtbot.waitUntil(lambda: window.campaigns.status.can_resume, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.session.status.phase is BenchPhase.READY, timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.campaign.start_button.text() == "Resume", timeout=PATIENCE)
    assert home_of(plan, None).status == "stopped"


def test_a_window_that_is_closed_leaves_its_campaign_to_itself(window, qtbot, opened):
    plan = opened(LONG)
    begin(window, qtbot)
    qtbot.waitUntil(lambda: window.campaigns.status.state == "running", timeout=2 * PATIENCE)
    process = window.campaigns._process

    window.end()

    home = home_of(plan, None)
    assert home.status == "running"
    process.terminate()
    process.wait(PATIENCE / 1000)
    assert home.status == "stopped"
