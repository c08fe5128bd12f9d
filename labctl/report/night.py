"""The morning report: what a campaign came to, and what needs attention first."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from labctl.campaign.home import CampaignHome
from labctl.campaign.progress import StepState, states
from labctl.campaign.steps import Plan
from labctl.report import compose, labctl_version
from labctl.report.page import Page, Section, render
from labctl.report.section_night import (
    Night,
    attention_section,
    events_section,
    jobs_section,
    night_keys,
    night_section,
    sweep_sections,
)
from labctl_data.errors import LabctlError
from labctl_data.run_file import Run, open_run

log = logging.getLogger(__name__)

_MOST_RUNS = 10
"""Runs of which figures are drawn: one a job of the plan."""


def write_night(home: CampaignHome, path: Path) -> Path:
    """Draw the page of a campaign, ended or not, and write it.

    Parameters
    ----------
    home : CampaignHome
        The campaign's folder.
    path : Path
        The page.

    Returns
    -------
    Path
        `path`.
    """
    path.write_text(render(compose_night(home)), encoding="utf-8")
    return path


def compose_night(home: CampaignHome) -> Page:
    """Return the page of a campaign: see `write_night`."""
    plan = home.plan()
    night = _night(home, plan)
    shown = list(_shown(night.steps))
    return Page(
        title=f"Morning report: {night.name}",
        subtitle=_subtitle(plan, night),
        keys=night_keys(night),
        sections=[
            attention_section(night),
            night_section(night),
            jobs_section(night),
            *sweep_sections(night),
            *_results(shown),
            events_section(night),
            *_provenance([run for _, run in shown]),
        ],
        program=f"labctl {labctl_version()}",
    )


def _night(home: CampaignHome, plan: Plan) -> Night:
    entries = home.entries()
    found = tuple(states(home))
    return Night(
        name=plan.name,
        status=home.status,
        began=home.began,
        elapsed=max((entry.time for entry in entries), default=0.0),
        steps=found,
        entries=tuple(entries),
        run_events={step.number: _events(step) for step in found},
        points={step.number: step.point for step in plan.steps},
    )


def _events(step: StepState) -> list[tuple[str, str]]:
    run = _opened(step)
    return [] if run is None else [(event.kind, event.text) for event in run.events]


def _opened(step: StepState) -> Run | None:
    if step.file is None or not step.file.exists():
        return None
    try:
        return open_run(step.file)
    except LabctlError as error:
        log.warning("%s: %s", step.file, error)
        return None


def _shown(steps: tuple[StepState, ...]) -> Iterator[tuple[StepState, Run]]:
    """Yield the last run of each job that was done and holds rows."""
    last = {step.job: step for step in steps if step.state == "done"}
    for step in list(last.values())[:_MOST_RUNS]:
        run = _opened(step)
        if run is not None and run.rows:
            yield step, run


def _results(shown: list[tuple[StepState, Run]]) -> list[Section]:
    """Return what is drawn of single runs, each under the name of its job."""
    return [
        replace(section, title=f"{step.job}: {section.title}", lead=_which(step) + section.lead)
        for step, run in shown
        for section in compose([run], title="").sections[:1]
    ]


def _which(step: StepState) -> str:
    """Return which of several is shown; empty where there is only one."""
    return "" if step.label == step.job else f"Shown is the last, {step.label}. "


def _provenance(runs: list[Run]) -> list[Section]:
    return list(compose(runs, title="").sections[-1:]) if runs else []


def _subtitle(plan: Plan, night: Night) -> str:
    benches = dict.fromkeys(Path(step.bench).stem for step in night.steps)
    parts = [plan.file.description, ", ".join(benches), f"{night.began.astimezone():%d %B %Y}"]
    return " \u00b7 ".join(part.rstrip(".") for part in parts if part)
