"""One step of a campaign, made, watched and written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from labctl.campaign.home import CampaignHome
from labctl.campaign.looks import EARLY, Sitting, next_look, sitting_of
from labctl.campaign.pace import Pace
from labctl.campaign.schema import SuspenderTable
from labctl.campaign.steps import Plan, Step
from labctl.campaign.watching import Place, Watch, wrong
from labctl.queue import Job, JobState
from labctl.queue.asking import Asker
from labctl.queue.benches import OpenBenches
from labctl.queue.execution import Company, Ending, choice_of, execute
from labctl_data.errors import LabctlError

if TYPE_CHECKING:
    from labctl.engine import ProgressSink
    from labctl_instruments.station import Station

_REST_TRIES = 3
_REST_WAIT = 5.0
"""Bench time between two tries to bring a bench to rest after a failure, in s."""


@dataclass(frozen=True)
class Surroundings:
    """What every step of a campaign has around it."""

    benches: OpenBenches
    """The benches that are open."""
    pace: Pace
    """The campaign's time."""
    tell: Callable[..., None]
    """Takes kind, text and number of the step of what happens."""
    progress: ProgressSink | None
    """Is told percentages."""
    signal: Callable[[], str | None]
    """Returns the signal that asks the campaign to end, if one has come."""


@dataclass(frozen=True)
class Made:
    """What became of a step."""

    state: JobState
    """As in the queue."""
    stops: str = ""
    """Why the campaign must stop; empty where it goes on."""


class Maker:
    """Makes steps of one campaign.

    Parameters
    ----------
    home : CampaignHome
        Its folder.
    plan : Plan
        Its plan.
    runner : str
        Name of this process in the queue.
    around : Surroundings
        What every step has around it.
    """

    def __init__(self, home: CampaignHome, plan: Plan, runner: str, around: Surroundings) -> None:
        self._home, self._plan = home, plan
        self._runner, self._around = runner, around
        self._queue = home.queue
        self._errors: dict[int, int] = {}

    def make(self, step: Step, job: Job, is_over: Callable[[], bool]) -> Made:
        """Begin a step, or go on with it; return what became of it."""
        taken = self._queue.take(job.id, self._runner)
        if taken is None:  # the queue is held
            self._around.pace.wait(1.0, is_over)
            return Made(job.state)
        ending, watch, sitting = Ending(JobState.INTERRUPTED, "its process was ended"), None, None
        is_skipped = Asker(lambda: self._queue.is_told_to_skip(job.id))
        try:
            watch, sitting, company = self._prepared(step, taken, (is_over, is_skipped))
            if taken.run_file is None:
                self._around.tell("begun", step.label, step.number)
            ending = execute(taken, company, self._around.benches, self._queue.note_run_file)
        except (LabctlError, OSError) as error:
            ending = Ending(JobState.FAILED, str(error))
        finally:
            ending = _judged(ending, watch, is_skipped.answer)
            self._queue.end(step.number, ending.state, ending.error)
        return self._concluded(step, ending, watch, sitting)

    def _prepared(
        self, step: Step, job: Job, stoppers: tuple[Callable[[], bool], ...]
    ) -> tuple[Watch, Sitting | None, Company]:
        from labctl.engine import Control

        station = self._station(step)
        control = Control()
        watch = Watch(
            [rule for rule in self._plan.file.suspenders if step.job in (rule.jobs or [step.job])],
            Place(
                station,
                self._home.folder,
                control,
                lambda seconds: self._around.pace.wait(seconds, lambda: False),
                partial(self._tell_of, step),
            ),
        )
        sitting = None
        if step.table.interleave:
            file = job.run_file or self._home.file_of(step)
            sitting = sitting_of(step.request, file, station)

        def see(rows: Mapping[str, Any]) -> None:
            watch.see(rows)
            if sitting is not None:
                sitting.see(rows)

        def should_stop() -> bool:
            if watch.must_end() or (sitting is not None and sitting.is_over()):
                return True
            return any(asked() for asked in stoppers)

        company = Company(control, self._around.progress, on_rows=see, should_stop=should_stop)
        return watch, sitting, company

    def _concluded(
        self, step: Step, ending: Ending, watch: Watch | None, sitting: Sitting | None
    ) -> Made:
        if watch is not None and watch.verdict == "stop":
            self._tell_of(step, "suspended", watch.reason)
            return Made(ending.state, f"{step.label}: {watch.reason}")
        if ending.state is JobState.INTERRUPTED and sitting is not None and sitting.is_over():
            return self._left_until_the_next_look(step)
        if ending.state is JobState.FAILED:
            return self._failed(step, ending)
        kind = {JobState.DONE: "ended", JobState.SKIPPED: "skipped"}.get(ending.state, "cut-short")
        told = f": {ending.error}" if ending.error else ""
        self._tell_of(step, kind, f"{ending.state}{told}")
        return self._yielding(step, ending)

    def _left_until_the_next_look(self, step: Step) -> Made:
        file = self._home.file_of(step)
        bench_now = self._station(step).now()
        look = next_look(step.request, file, bench_now)
        now = self._around.pace.now()
        if look is not None:
            now += max(0.0, look - EARLY - bench_now)
        self._queue.postpone(step.number, self._home.began + timedelta(seconds=now))
        self._tell_of(step, "looked", f"at rest until {now:.0f} s")
        return Made(JobState.WAITING)

    def _failed(self, step: Step, ending: Ending) -> Made:
        self._tell_of(step, "failed", ending.error)
        if ending.result is None:  # refused before anything was sent
            return Made(JobState.FAILED)
        problem = self._rest_again(step)
        if problem:
            return Made(
                JobState.FAILED, f"{step.label}: the bench does not come to rest: {problem}"
            )
        for rule in self._rules(step, "instrument-errors"):
            times = self._errors[step.number] = self._errors.get(step.number, 0) + 1
            if rule.do == "stop":
                return Made(JobState.FAILED, f"{step.label}: {ending.error}")
            if rule.do != "skip" and times <= rule.at_most:
                self._tell_of(step, "suspended", f"instrument error: waiting {rule.wait:g} s")
                self._around.pace.wait(rule.wait, lambda: self._around.signal() is not None)
                self._queue.resume(step.number)
                self._tell_of(step, "went-on", "the run is gone on with")
                return Made(JobState.WAITING)
        return Made(JobState.FAILED)

    def _rest_again(self, step: Step) -> str:
        """See the bench at rest after a failure; return what is wrong, empty where nothing is."""
        problem = ""
        for _ in range(_REST_TRIES):
            try:
                self._station(step).rest()
            except (LabctlError, OSError) as error:
                problem = str(error)
                self._around.benches.let_go(choice_of(step.request))
                self._around.pace.wait(_REST_WAIT, lambda: False)
            else:
                return ""
        return problem

    def _yielding(self, step: Step, ending: Ending) -> Made:
        """Judge the share of cells that a job has written."""
        summary = ending.result.summary if ending.result is not None else {}
        share = _share_written(summary)
        if ending.state is not JobState.DONE or share is None:
            return Made(ending.state)
        for rule in self._rules(step, "yield"):
            problem = wrong(rule, share)
            if not problem:
                continue
            self._tell_of(step, "suspended", problem)
            if rule.do in ("stop", "pause"):
                return Made(ending.state, f"{step.label}: {problem}")
            if rule.do == "wait":
                self._around.pace.wait(rule.wait, lambda: self._around.signal() is not None)
                continue
            self._queue.end(step.number, JobState.FAILED, problem)
            return Made(JobState.FAILED)
        return Made(ending.state)

    def _rules(self, step: Step, watch: str) -> Iterator[SuspenderTable]:
        for rule in self._plan.file.suspenders:
            if rule.watch == watch and step.job in (rule.jobs or [step.job]):
                yield rule

    def _station(self, step: Step) -> Station:
        choice = choice_of(step.request)
        station = self._around.benches.station(choice)
        self._around.pace.follow(f"{choice}", station)
        return station

    def _tell_of(self, step: Step, kind: str, text: str) -> None:
        self._around.tell(kind, f"{step.label}: {text}", step.number)


def _judged(ending: Ending, watch: Watch | None, is_skipped: bool) -> Ending:
    """Return how a step ended, with what made it end."""
    if ending.state is not JobState.INTERRUPTED:
        return ending
    if is_skipped:
        return Ending(JobState.SKIPPED, "skipped while it ran", ending.result)
    if watch is not None and watch.verdict:
        state = JobState.SKIPPED if watch.verdict == "skip" else JobState.INTERRUPTED
        return Ending(state, watch.reason, ending.result)
    return ending


def _share_written(summary: Mapping[str, Any]) -> float | None:
    """Return the share of cells that were written as asked, 0-1; None where none were."""
    if "converged" in summary:
        return float(summary["converged"])
    cells, failed = summary.get("cells"), summary.get("failed")
    if cells and failed is not None:
        return 1.0 - len(failed) / float(cells)
    return None
