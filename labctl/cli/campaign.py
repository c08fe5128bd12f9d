"""`labctl campaign`: plans of many measurements, carried out overnight."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.options import NewFile, VerbGroup, seed_option
from labctl.cli.output import facts_table, headed, json_option, plain, say, table
from labctl.errors import FailedError

if TYPE_CHECKING:
    from labctl.campaign.home import CampaignHome
    from labctl.campaign.journal import Entry
    from labctl.campaign.steps import Plan

_plan_argument = click.argument("plan", metavar="PLAN")
_folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The campaign's folder; by default campaigns/<name of the plan> in your data folder.",
)


@click.group("campaign", cls=VerbGroup)
def command() -> None:
    """Carry out a plan of many measurements, overnight; PLAN is a TOML file or a shipped name."""


def _verb(function: Callable[..., Any]) -> Callable[..., Any]:
    return _plan_argument(_folder_option(json_option(function)))


@command.command("run")
@_verb
@click.option(
    "--bench", metavar="BENCH", help="Bench of the jobs that name none, instead of the plan's."
)
@seed_option
@click.option("--dry-run", is_flag=True, help="Rehearse every job; predict time and pulses.")
def run(
    plan: str,
    bench: str | None,
    seed: int | None,
    dry_run: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Carry out PLAN from its beginning.

    \b
    labctl campaign run characterise --bench sim-board --dry-run
    labctl campaign run night.toml --folder tonight

    Ctrl-C, SIGTERM and `labctl campaign stop` end it at a pulse boundary; after these, and after
    any crash, `labctl campaign resume` goes on.
    """  # noqa: D301  (click reads the \b)
    from labctl.campaign.home import new_home
    from labctl.campaign.loading import load_plan

    loaded = load_plan(plan, bench=bench, seed=seed)
    if dry_run:
        _predict(loaded, as_json)
        return
    _warn_of_missing(loaded)
    _carry_out(new_home(loaded, folder), as_json)


@command.command("resume")
@_verb
def resume(plan: str, folder: Path | None, as_json: bool) -> None:
    """Go on with a campaign that was stopped, or whose process died.

    It keeps to the plan as it was when the campaign began. What is measured is not measured again.
    """
    from labctl.campaign.home import home_of

    home = home_of(plan, folder)
    if home.status == "finished":
        raise click.UsageError(f"{home.folder}: the campaign is finished; there is nothing to do")
    _warn_of_missing(home.plan())
    _carry_out(home, as_json)


@command.command("status")
@_verb
def status(plan: str, folder: Path | None, as_json: bool) -> None:
    """Say how far the newest campaign of PLAN has come."""
    from labctl.campaign.home import home_of

    home = home_of(plan, folder)
    pages = sorted(home.folder.glob("*_report*.html"))
    _show(home, as_json, report=pages[-1] if pages else None)


@command.command("stop")
@_verb
def stop(plan: str, folder: Path | None, as_json: bool) -> None:
    """End a campaign at its next pulse boundary; it can be resumed."""
    from labctl.campaign.carrying_out import STOP
    from labctl.campaign.home import home_of

    home = home_of(plan, folder)
    if home.status != "running":
        raise click.UsageError(f"{home.folder}: the campaign is {home.status}, not running")
    home.queue.ask(STOP, "1")
    _show(home, as_json)


@command.command("report")
@_verb
@click.option(
    "-o",
    "--output",
    type=NewFile(".html"),
    help="The page; must not exist. By default a dated name in the campaign's folder.",
)
def report(plan: str, folder: Path | None, output: Path | None, as_json: bool) -> None:
    """Draw the morning report of a campaign, also while it is going on."""
    from labctl.campaign.home import home_of

    home = home_of(plan, folder)
    path = _report(home, output)
    say(as_json, {"file": path}, headed(path))


def _carry_out(home: CampaignHome, as_json: bool) -> None:
    from labctl.campaign.carrying_out import carry_out
    from labctl.cli.progress import ProgressBar

    click.echo(f"campaign in {home.folder}", err=True)
    with ProgressBar() as progress:
        ended = carry_out(home, progress=progress, on_entry=_tell)
    page = _report(home, None)
    _show(home, as_json, report=page)
    failed = [job for job in home.queue.jobs() if job.state == "failed"]
    if ended != "finished":
        why = [entry.text for entry in home.entries() if entry.kind == "stopped"][-1]
        raise FailedError(f"{home.folder}: stopped: {why}", said=True)
    if failed:
        told = f"{len(failed)} of its jobs failed, the first: {failed[0].error}"
        raise FailedError(f"{home.folder}: {told}", said=True)


def _report(home: CampaignHome, output: Path | None) -> Path:
    from datetime import datetime

    from labctl.configuration import dated_path, refuse_existing
    from labctl.report.night import write_night

    now = datetime.now().astimezone()
    path = dated_path(home.folder, "report", ".html", now) if output is None else output
    write_night(home, refuse_existing(path))
    return path


def _show(home: CampaignHome, as_json: bool, *, report: Path | None = None) -> None:
    from labctl.campaign.progress import states
    from labctl.facts import readable

    found = states(home)
    listing = table("", "job", "state", "took", "result or reason")
    for each in found:
        took = "" if each.took is None else readable(each.took, "seconds")
        listing.add_row(str(each.number), each.label, each.state, took, each.told)
    facts: dict[str, object] = {
        "campaign": home.plan().name,
        "folder": home.folder,
        "status": home.status,
        "elapsed": max((entry.time for entry in home.entries()), default=0.0),
        "jobs": found,
        "report": report,
    }
    head = headed(home.folder, f": {home.status}")
    say(as_json, facts, head, listing, *([headed(report)] if report else []))


def _predict(plan: Plan, as_json: bool) -> None:
    from labctl.campaign.predicting import predict
    from labctl.cli.progress import ProgressBar

    with ProgressBar() as progress:
        forecast = predict(plan, progress=progress)
    listing = table("", "job", "time", "pulses", "rows")
    for each in forecast.jobs:
        shown = plain({"time": each.time, "pulses": each.pulses, "rows": each.rows})
        listing.add_row(str(each.number), each.label, *_readable(shown))
    totals = {"time": forecast.time, "pulses": forecast.pulses, "file_size": forecast.file_size}
    say(
        as_json,
        {"campaign": plan.name, "status": "predicted", "jobs": forecast.jobs, "estimate": totals},
        headed(plan.path, f": {len(plan.steps)} jobs"),
        listing,
        facts_table(totals),
    )


def _readable(facts: dict[str, object]) -> list[str]:
    from labctl.facts import readable_facts

    return list(readable_facts(facts).values())


def _warn_of_missing(plan: Plan) -> None:
    from labctl.campaign.notifying import missing_variables

    missing = missing_variables(plan.file.notify, os.environ)
    if missing:
        raise click.UsageError(
            f"{plan.path.name} [notify]: the environment variable {missing[0]} is not set"
        )


def _tell(entry: Entry) -> None:
    click.echo(f"{entry.time:10.1f} s  {entry.kind}: {entry.text}", err=True)
