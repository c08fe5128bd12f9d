"""A campaign seen from the window: its plan and its folder, carried out by a process of its own."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labctl_data.errors import LabctlError
from labctl_gui.state.progress import duration_text
from labctl_gui.state.worker import BenchWorker, Task

log = logging.getLogger(__name__)

POLL = 0.2
"""How often is looked whether the process has ended, in s."""
_STARTING = "starting the campaign"


@dataclass(frozen=True)
class CampaignJob:
    """One job of a plan, as a list shows it."""

    number: int
    """Its number in the plan."""
    label: str
    """Its name, and what tells it from its like."""
    procedure: str
    """What is measured."""
    bench: str
    """On which bench."""
    state: str = ""
    """As in the queue; empty before the campaign began."""
    told: str = ""
    """What it came to, or why not."""


@dataclass(frozen=True)
class CampaignStatus:
    """A plan, and how far its newest campaign has come."""

    plan: str = ""
    """Name or path of the plan; empty before one is opened."""
    jobs: tuple[CampaignJob, ...] = ()
    """Its jobs."""
    state: str = ""
    """running, finished, stopped or interrupted; empty where it has never been begun."""
    folder: Path | None = None
    """Folder of the newest campaign of the plan."""
    forecast: str = ""
    """What it would take, in words; empty before it was rehearsed."""
    activity: str = ""
    """What is going on here, in words."""
    problem: str = ""
    """Why the plan is refused, or its process failed; empty otherwise."""

    @property
    def is_idle(self) -> bool:
        """Whether a plan is open, and nobody rehearses or carries it out."""
        return bool(self.plan) and not self.activity and self.state != "running"

    @property
    def can_start(self) -> bool:
        """Whether it can be carried out from its beginning."""
        return self.is_idle and bool(self.jobs) and self.state in ("", "finished")

    @property
    def can_resume(self) -> bool:
        """Whether it can be gone on with."""
        return self.is_idle and self.state in ("stopped", "interrupted")


class CampaignDesk:
    """Opens plans, looks at their campaigns twice a second, and starts and stops them.

    Parameters
    ----------
    lend : callable
        Is given what is to have the bench: it rests and closes the bench, calls that on a thread,
        and opens the bench again where that returns True.
    """

    def __init__(self, lend: Callable[[Callable[[], bool]], None]) -> None:
        self.status = CampaignStatus()
        self._lend = lend
        self._lock = threading.Lock()
        self._leave = threading.Event()
        self._halted = threading.Event()
        self._is_stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        idle = Task("looking at the campaign", self._look_if_begun, _ignore)
        self._clerk = BenchWorker(idle=idle, last=Task("leaving", lambda: None, _ignore))

    def open(self, plan: str) -> None:
        """Read a plan, given its name or path, and look at its newest campaign."""
        self.status = CampaignStatus(plan=plan, activity="reading the plan")
        self._submit("opening the plan", lambda: self._open(plan))

    def check(self) -> None:
        """Rehearse every job of the plan, to say what the campaign would take."""
        self._change(activity="rehearsing every job", problem="")
        self._submit("rehearsing the campaign", self._check)

    def start(self, verb: str = "run") -> None:
        """Carry the plan out in a process of its own, which has the bench until it ends.

        Parameters
        ----------
        verb : str
            `run` from its beginning, or `resume` what was left.
        """
        plan, self._is_stopped = self.status.plan, False
        self._halted.clear()
        self._change(activity=_STARTING, problem="")
        self._lend(lambda: self._carry_out(verb, plan))

    def stop(self) -> None:
        """End the campaign at its next pulse boundary; it can be resumed."""
        self._is_stopped = True
        self._submit("stopping the campaign", self._stop)

    def halt(self) -> None:
        """End a campaign that has the bench, or was to have it: part of the window's STOP."""
        self._is_stopped = True
        self._halted.set()
        if self._process is None and self.status.activity == _STARTING:
            self._change(activity="")

    def settled(self, timeout: float) -> bool:
        """Wait until nothing more is to do, at most `timeout` s; return whether so."""
        return self._clerk.settled(timeout)

    def close(self, timeout: float = 1.0) -> bool:
        """Leave a campaign to itself and end the thread; return whether that ended in time."""
        self._leave.set()
        return self._clerk.end(timeout)

    def _open(self, plan: str) -> None:
        from labctl.campaign.loading import load_plan

        loaded = load_plan(plan)
        jobs = (
            CampaignJob(step.number, step.label, step.request.procedure, step.request.bench)
            for step in loaded.steps
        )
        self._change(jobs=tuple(jobs), activity="")
        self._look()

    def _check(self) -> None:
        from labctl.campaign.loading import load_plan
        from labctl.campaign.predicting import predict

        found = predict(load_plan(self.status.plan))
        words = [f"{len(found.jobs)} jobs, {duration_text(found.time)} of bench time"]
        words += [f"{found.pulses:,} pulses", f"{found.file_size / 1e6:.1f} MB of files"]
        self._change(forecast=", ".join(words), activity="")

    def _look_if_begun(self) -> None:
        if self.status.state or self._process is not None:
            self._look()

    def _look(self) -> None:
        """Look at the newest campaign of the plan, if there is one."""
        from labctl.campaign.errors import CampaignError
        from labctl.campaign.home import home_of
        from labctl.campaign.progress import states

        try:
            home = home_of(self.status.plan, None)
            found = states(home)
        except (CampaignError, KeyError):  # none yet, or its folder is being made
            return
        jobs = (
            CampaignJob(each.number, each.label, each.procedure, each.bench, each.state, each.told)
            for each in found
        )
        self._change(jobs=tuple(jobs), state=home.status, folder=home.folder)

    def _stop(self) -> None:
        from labctl.campaign.carrying_out import STOP
        from labctl.campaign.home import home_of

        home_of(self.status.plan, None).queue.ask(STOP, "1")

    def _carry_out(self, verb: str, plan: str) -> bool:
        """Run the process to its end; return whether it has ended, and not been left."""
        from labctl.campaign.home import campaigns_folder

        if self._halted.is_set():
            return True
        told = campaigns_folder() / f"{Path(plan).stem}.log"
        try:
            process = self._process = _begun(verb, plan, told)
        except OSError as error:
            self._failed(error)
            return True
        self._change(activity="the campaign has the bench")
        while process.poll() is None:
            if self._leave.wait(POLL):
                log.warning("the campaign goes on without the window: process %d", process.pid)
                return False
            if self._halted.is_set():
                self._halted.clear()
                # Both: before the process listens only the signal ends it, and a run that is going
                # on may take the signal for its own.
                process.terminate()
                self.stop()
        self._process = None
        self._ended(process.returncode, told)
        return True

    def _ended(self, code: int, told: Path) -> None:
        lines = told.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        failed = bool(code) and not self._is_stopped
        self._change(activity="", problem=last if failed else "")
        log.log(logging.ERROR if failed else logging.INFO, "campaign %s: %s", told.stem, last)
        self._submit("looking at the campaign", self._look)

    def _submit(self, name: str, act: Callable[[], None]) -> None:
        self._clerk.submit(Task(name, act, self._failed))

    def _failed(self, error: Exception) -> None:
        text = str(error) if isinstance(error, LabctlError) else repr(error)
        self._change(problem=text, activity="")

    def _change(self, **changes: Any) -> None:  # noqa: ANN401  (fields of CampaignStatus)
        with self._lock:
            self.status = replace(self.status, **changes)


def _begun(verb: str, plan: str, told: Path) -> subprocess.Popen[bytes]:
    """Return the process that carries a plan out; what it says goes into the file `told`."""
    told.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "labctl", "campaign", verb, plan]
    with told.open("wb") as output:
        # A session of its own: it outlives the window, and a Ctrl+C that is meant for that.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _ignore(error: Exception) -> None:
    """Do nothing: the worker has logged it."""
