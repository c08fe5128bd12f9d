"""Where a campaign lives: its folder with the plan, the queue, the journal and the run files."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from labctl.campaign.errors import CampaignBusyError, CampaignError
from labctl.campaign.journal import Entry, read_journal
from labctl.campaign.loading import find_plan, parse_plan
from labctl.campaign.steps import Plan, Step
from labctl.configuration import load_configuration
from labctl.queue import JobQueue, QueueBusyError
from labctl.queue.runner_lock import RunnerLock, is_held

_LOCK = "campaign"
_PLAN, _OPTIONS, _QUEUE, _JOURNAL = "plan.toml", "options.json", "queue.sqlite", "journal.jsonl"
ENDED = ("finished", "stopped")
"""Kinds of entries after which nobody is carrying the campaign out."""


@dataclass(frozen=True)
class CampaignHome:
    """The folder of one campaign."""

    folder: Path
    """The folder."""

    @property
    def plan_path(self) -> Path:
        """The campaign's own copy of its plan."""
        return self.folder / _PLAN

    def plan(self) -> Plan:
        """Return the plan as the campaign began with it."""
        try:
            text = self.plan_path.read_text(encoding="utf-8")
            options = json.loads((self.folder / _OPTIONS).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CampaignError(f"{self.folder}: the campaign's plan cannot be read") from error
        return parse_plan(
            tomllib.loads(text),
            path=Path(options["plan"]),
            text=text,
            bench=options["bench"],
            seed=options["seed"],
            check=False,
        )

    @property
    def queue(self) -> JobQueue:
        """The campaign's queue: one job a step, numbered alike."""
        return JobQueue(self.folder / _QUEUE)

    @property
    def journal_path(self) -> Path:
        """What happened when."""
        return self.folder / _JOURNAL

    def file_of(self, step: Step) -> Path:
        """Return the run file of a step."""
        return self.folder / f"{step.number:03d}_{step.job}.h5"

    def entries(self) -> list[Entry]:
        """Return what happened so far."""
        return read_journal(self.journal_path)

    @property
    def began(self) -> datetime:
        """When the campaign began."""
        entries = self.entries()
        if not entries:
            raise CampaignError(f"{self.folder}: the campaign has no journal: {_JOURNAL} is gone")
        return entries[0].at

    def lock(self) -> RunnerLock:
        """Carry the campaign out, alone.

        Raises
        ------
        CampaignBusyError
            If another process does.
        """
        try:
            return RunnerLock(self.folder / _QUEUE, _LOCK)
        except QueueBusyError as busy:
            raise CampaignBusyError(
                f"{self.folder}: another process is carrying the campaign out"
            ) from busy

    @property
    def status(self) -> str:
        """running, finished, stopped, or interrupted where its process died."""
        if is_held(self.folder / _QUEUE, _LOCK):
            return "running"
        last = [entry.kind for entry in self.entries() if entry.kind in (*ENDED, "resumed")]
        return last[-1] if last and last[-1] in ENDED else "interrupted"


def new_home(plan: Plan, folder: Path | None) -> CampaignHome:
    """Make the folder of a new campaign, with its plan in it and its jobs in its queue.

    Raises
    ------
    CampaignError
        If there is one that has not ended, or the folder holds something.
    """
    if folder is None:
        latest = _latest(plan.name)
        if latest is not None and latest.status != "finished":
            raise CampaignError(
                f"campaign '{plan.name}' in {latest.folder} is {latest.status}: go on with it by "
                "'labctl campaign resume', or name another folder"
            )
        folder = _next_folder(plan.name)
    if folder.exists() and any(folder.iterdir()):
        raise CampaignError(f"{folder}: there is something in it already; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    home = CampaignHome(folder.resolve())
    home.plan_path.write_text(plan.text, encoding="utf-8")
    options = {"plan": str(plan.path), "bench": plan.bench, "seed": plan.seed}
    (folder / _OPTIONS).write_text(json.dumps(options), encoding="utf-8")
    home.queue.add_all(replace(step.request, output=home.file_of(step)) for step in plan.steps)
    return home


def home_of(plan: str, folder: Path | None) -> CampaignHome:
    """Return the newest campaign of a plan, or the one in `folder`.

    Raises
    ------
    CampaignError
        If there is none.
    """
    found = _latest(_name_of(plan)) if folder is None else CampaignHome(folder.resolve())
    if found is None or not found.plan_path.is_file():
        where = folder or campaigns_folder()
        raise CampaignError(f"{where}: no campaign of '{plan}' has been run")
    return found


def campaigns_folder() -> Path:
    """Return where campaigns live: in the user's data folder."""
    return load_configuration().data_folder / "campaigns"


def _name_of(plan: str) -> str:
    """Return the name of a plan whose file may be gone since."""
    return Path(plan).stem if plan.endswith(".toml") else find_plan(plan).stem


def _next_folder(name: str) -> Path:
    number = 1
    while (folder := _numbered(name, number)).exists():
        number += 1
    return folder


def _latest(name: str) -> CampaignHome | None:
    number = 1
    while _numbered(name, number + 1).exists():
        number += 1
    folder = _numbered(name, number)
    return CampaignHome(folder) if folder.exists() else None


def _numbered(name: str, number: int) -> Path:
    return campaigns_folder() / (name if number == 1 else f"{name}-{number}")
