"""The reference of plan files is that of the schema, and the plan of the guide is valid."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from labctl.campaign import schema
from labctl.campaign.loading import load_plan
from labctl.cli.root import run_command_line

DOCS = Path(__file__).parents[3] / "docs"


def test_the_reference_has_the_keys_of_the_schema_and_no_others():
    text = (DOCS / "campaigns.md").read_text(encoding="utf-8")
    tables = [
        set(re.findall(r"^\| `(\w+)` \|", table, re.M)) for table in text.split("| key | default |")
    ][1:]

    models = ("PlanFile", "JobTable", "BranchTable", "SuspenderTable", "NotifyTable")
    for model, keys in zip((*models, "EmailTable", "WebhookTable"), tables, strict=True):
        fields = getattr(schema, model).model_fields
        assert keys == {field.alias or name for name, field in fields.items()}, model


def test_what_the_guide_does_with_its_plan_works_in_the_order_it_is_told(tmp_path, monkeypatch):
    guide = (DOCS / "leave-it-overnight.md").read_text(encoding="utf-8")
    plan, *_ = re.findall(r"^```toml\n(.*?)^```", guide, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    Path("night.toml").write_text(plan, encoding="utf-8")

    told = re.findall(r"^labctl (.* night\.toml.*)$", guide, re.M)

    assert len(told) == 4
    for line in told:
        assert run_command_line(shlex.split(line)) == 0, line
    assert Path("morning.html").stat().st_size > 10_000


def test_the_plan_and_the_messages_of_the_guide_are_valid(plan_file):
    guide = (DOCS / "leave-it-overnight.md").read_text(encoding="utf-8")
    night, notify = re.findall(r"^```toml\n(.*?)^```", guide, re.M | re.S)

    plan = load_plan(plan_file(night + notify))

    assert len(plan.steps) == 3
    assert plan.file.notify.webhook.address_variable == "LAB_WEBHOOK"
