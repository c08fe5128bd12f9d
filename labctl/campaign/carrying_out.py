"""Carry a campaign out: step after step, until all are made or something says stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from labctl.campaign.choosing import AwaitTime, Begin, LeaveOut, choose, facts_of, holds
from labctl.campaign.home import CampaignHome
from labctl.campaign.journal import Entry, Journal
from labctl.campaign.making import Made, Maker, Surroundings
from labctl.campaign.notifying import Notifier
from labctl.campaign.pace import Pace, day_time, pace_of
from labctl.campaign.quiet import seconds_of_quiet
from labctl.campaign.steps import Plan, Step
from labctl.queue import Job, JobState
from labctl.queue.asking import Asker
from labctl.queue.benches import OpenBenches
from labctl.queue.times import parse_start

if TYPE_CHECKING:
    from labctl.engine import ProgressSink

log = logging.getLogger(__name__)

STOP = "stop"
"""Under this name a campaign's queue holds the word that ends it."""


def carry_out(
    home: CampaignHome,
    *,
    progress: ProgressSink | None = None,
    on_entry: Callable[[Entry], None] | None = None,
) -> str:
    """Carry out the campaign of a folder, from where it stands, to its end.

    What was done is not done again; a run that was cut short goes on by the run engine's own
    resume. A signal, `labctl campaign stop` and a suspender end it at a pulse boundary.

    Parameters
    ----------
    home : CampaignHome
        The campaign's folder.
    progress : ProgressSink, optional
        Is told the percentages of each run.
    on_entry : callable, optional
        Takes each entry of the journal as it is written.

    Returns
    -------
    str
        `finished` or `stopped`.

    Raises
    ------
    CampaignBusyError
        If another process is carrying it out.
    """
    from labctl.engine import StopSignals

    plan = home.plan()
    with (
        home.lock() as lock,
        StopSignals() as signals,
        OpenBenches() as benches,
        Notifier(plan.file.notify, plan.name) as notifier,
    ):
        before = home.entries()
        began = before[0].at if before else datetime.now(UTC)
        elapsed = max((entry.time for entry in before), default=0.0)
        pace = pace_of({step.request.bench for step in plan.steps}, began, elapsed)
        teller = Teller(Journal(home.journal_path), notifier, pace, on_entry)
        around = Surroundings(benches, pace, teller.tell, progress, lambda: signals.received)
        course = _Course(home, plan, began, around)
        course.take_up(is_new=not before)
        return course.perform(Maker(home, plan, lock.runner, around))


class Teller:
    """Writes down what happens, and tells whom the plan names.

    Parameters
    ----------
    journal : Journal
        Where it is written.
    notifier : Notifier
        Who else is told.
    pace : Pace
        The campaign's time.
    on_entry : callable or None
        Takes each entry.
    """

    def __init__(
        self,
        journal: Journal,
        notifier: Notifier,
        pace: Pace,
        on_entry: Callable[[Entry], None] | None,
    ) -> None:
        self._journal, self._notifier = journal, notifier
        self._pace, self._on_entry = pace, on_entry
        notifier.unheard = lambda text: self.tell("unheard", text)

    def tell(self, kind: str, text: str, step: int | None = None) -> None:
        """Write down that something happened now."""
        entry = self._journal.write(self._pace.now(), kind, text, step)
        if self._on_entry is not None:
            self._on_entry(entry)
        self._notifier.tell(kind, text)


@dataclass
class _Course:
    """The course of one campaign."""

    home: CampaignHome
    plan: Plan
    began: datetime
    around: Surroundings

    def __post_init__(self) -> None:
        self._queue = self.home.queue
        self._facts: dict[int, dict[str, Any]] = {}
        self._is_told = Asker(lambda: bool(self._queue.asked(STOP)))

    def take_up(self, *, is_new: bool) -> None:
        """Begin, or go on from where an earlier process left off."""
        self._queue.ask(STOP, "")
        self._queue.write_down_the_dead()
        if is_new:
            self.around.tell("began", f"{self.plan.name}: {len(self.plan.steps)} jobs")
            for step in self.plan.steps:
                if step.table.start_at:
                    self._queue.postpone(step.number, parse_start(step.table.start_at, self.began))
            return
        for job in self._queue.jobs():
            if job.state is JobState.INTERRUPTED:
                self._queue.resume(job.id)
        self.around.tell("resumed", f"{self.plan.name} goes on")

    def perform(self, maker: Maker) -> str:
        """Make step after step; return how it ended."""
        while not (why := self._must_stop()):
            jobs = self._jobs()
            choice = choose(self.plan, jobs, self._all_facts(jobs), self._now())
            if choice is None:
                self.around.tell("finished", self._tally(jobs))
                return "finished"
            if isinstance(choice, LeaveOut):
                self._leave_out(choice.step, choice.why)
            elif isinstance(choice, AwaitTime):
                self._wait_for(choice)
            elif why := self._make(choice, maker):
                break
        self.around.tell("stopped", why)
        return "stopped"

    def _make(self, choice: Begin, maker: Maker) -> str:
        """Make a step, if its time allows; return why the campaign must stop, if it must."""
        step = choice.step
        job = self._queue.job(step.number)
        if self._is_spent(self.around.pace.now()):
            self._leave_out(step, "the time budget is spent")
            return ""
        quiet = seconds_of_quiet(self.plan.file.quiet_hours, self._day_time())
        if quiet and job.run_file is None:
            self.around.tell("waiting", f"{step.label}: quiet hours, for {quiet:.0f} s")
            self.around.pace.wait(quiet, self._is_over)
            return ""
        made = maker.make(step, job, self._is_over)
        return made.stops or self._stops(step, made)

    def _stops(self, step: Step, made: Made) -> str:
        if made.state is JobState.FAILED and step.table.on_failure == "stop":
            return f"{step.label} failed, and the plan says stop"
        if made.state in (JobState.DONE, JobState.FAILED) and step.table.stop_if:
            is_true, _ = holds(step.table.stop_if, self._all_facts(self._jobs()))
            if is_true:
                return f"after {step.label}: '{step.table.stop_if}' is true"
        return ""

    def _wait_for(self, choice: AwaitTime) -> None:
        left = (choice.until - self._now()).total_seconds()
        if self._is_spent(self.around.pace.now() + left):
            self._leave_out(choice.step, "the time budget is spent before its time comes")
        else:
            self.around.pace.wait(max(left, 0.0), self._is_over)

    def _leave_out(self, step: Step, why: str) -> None:
        self._queue.leave_out(step.number, why)
        self.around.tell("skipped", f"{step.label}: {why}", step.number)

    def _is_spent(self, elapsed: float) -> bool:
        budget = self.plan.file.time_budget
        return budget is not None and elapsed > budget

    def _must_stop(self) -> str:
        if self.around.signal():
            return f"{self.around.signal()} asked for it"
        return "it was told to stop" if self._queue.asked(STOP) else ""

    def _is_over(self) -> bool:
        """Return, at every pulse boundary, whether the campaign is to end."""
        return bool(self.around.signal()) or self._is_told()

    def _jobs(self) -> list[Job]:
        return sorted(self._queue.jobs(), key=lambda job: job.id)

    def _all_facts(self, jobs: list[Job]) -> dict[str, list[dict[str, Any]]]:
        facts: dict[str, list[dict[str, Any]]] = {name: [] for name in self.plan.file.jobs}
        for step, job in zip(self.plan.steps, jobs, strict=True):
            if job.state not in (JobState.WAITING, JobState.RUNNING):
                facts[step.job].append(self._facts_of(job))
        return facts

    def _facts_of(self, job: Job) -> dict[str, Any]:
        known = self._facts.get(job.id)
        if known is None:
            known = self._facts[job.id] = run_facts(job)
        return known

    def _now(self) -> datetime:
        return self.began + timedelta(seconds=self.around.pace.now())

    def _day_time(self) -> datetime:
        return day_time(self.began, self.around.pace.now())

    def _tally(self, jobs: list[Job]) -> str:
        counts = {state: sum(job.state is state for job in jobs) for state in JobState}
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        return f"{self.plan.name}: {told}"


def run_facts(job: Job) -> dict[str, Any]:
    """Return what a condition may ask of a job that has ended."""
    from labctl_data.errors import LabctlError
    from labctl_data.run_file import open_run

    if job.run_file is None or not job.run_file.exists():
        return facts_of({}, job, 0)
    try:
        run = open_run(job.run_file)
        return facts_of(run.summary, job, run.rows)
    except LabctlError as error:
        log.warning("%s: %s", job.run_file, error)
        return facts_of({}, job, 0)
