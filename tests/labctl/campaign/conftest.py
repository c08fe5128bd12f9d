"""Plans in a folder of their own."""

from __future__ import annotations

import pytest

from labctl.campaign.carrying_out import carry_out
from labctl.campaign.home import new_home
from labctl.campaign.loading import load_plan


@pytest.fixture
def plan_file(tmp_path):
    """Return a function that writes a plan and returns its path."""

    def write(text, name="plan"):
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def campaign(plan_file, tmp_path):
    """Return a function that carries a plan out; it returns home and jobs."""

    def carry(text, on_entry=None):
        home = new_home(load_plan(plan_file(text), bench="sim-board", seed=1), tmp_path / "home")
        carry_out(home, on_entry=on_entry)
        return home, home.queue.jobs()

    return carry
