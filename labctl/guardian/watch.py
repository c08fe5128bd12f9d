"""The run's end of its guardian: start it, beat, see that it answers, let it go."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Protocol

from labctl.guardian.errors import GuardianError
from labctl.guardian.orders import BEAT, BEAT_SECONDS, DONE, READY, REST, STALL_SECONDS, Order
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.bench.resting import outlives_process
from labctl_instruments.station import Station

log = logging.getLogger(__name__)

_START_SECONDS = 60.0
_REPORT_SECONDS = 15.0
_MOST_REPLACED = 3


class Watch(Protocol):
    """Whatever watches over a run."""

    def start(self) -> None:
        """Begin; GuardianError if that cannot be."""

    def is_lost(self) -> bool:
        """Return whether nothing watches any longer: the run must end."""
        ...

    def call_for_rest(self) -> None:
        """Have the bench brought to rest, and do not wait: the run cannot reach it."""

    def finish(self, *, at_rest: bool) -> tuple[str, ...]:
        """End, the bench being at rest or not; return what there is to tell."""
        ...


class NothingToGuard:
    """For a bench that ends with its process."""

    def start(self) -> None:
        """Begin nothing."""

    def is_lost(self) -> bool:
        """Return False."""
        return False

    def call_for_rest(self) -> None:
        """Call nobody."""

    def finish(self, *, at_rest: bool) -> tuple[str, ...]:
        """End nothing."""
        del at_rest
        return ()


def watch_over(station: Station, record: Path, *, stall_seconds: float = STALL_SECONDS) -> Watch:
    """Return what watches over a station: a guardian where its instruments outlive this process.

    Parameters
    ----------
    station : Station
        The bench.
    record : Path
        Where a guardian writes down what it did, if it had to do anything.
    stall_seconds : float
        Silence after which this process counts as stalled, in s of wall time.
    """
    bench = station.bench
    file = parse_bench(tomllib.loads(bench.text), path=bench.path, text=bench.text)
    if not outlives_process(file):
        return NothingToGuard()
    order = Order(str(bench.path), bench.text, os.getpid(), str(record.absolute()), stall_seconds)
    return GuardianWatch(order)


class GuardianWatch:
    """Keeps one guardian alive, and tells it that the run is.

    A guardian that dies or does not answer is replaced; the run goes on. Where it cannot be
    replaced the watch is lost, and the run ends at its next pulse boundary.

    Parameters
    ----------
    order : Order
        What the guardian is told.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._child: _Child | None = None
        self._ending = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._notes: list[str] = []
        self._is_lost = False

    @property
    def process(self) -> int | None:
        """Number of the guardian's process now; None while there is none."""
        return None if self._child is None else self._child.number

    def start(self) -> None:
        """Start the guardian and wait until it watches.

        Raises
        ------
        GuardianError
            If it cannot be started: nothing was sent to the bench yet.
        """
        self._child = _Child(self._order)
        self._child.await_ready()
        self._beating.start()

    def is_lost(self) -> bool:
        """Return whether there is no guardian any longer, and none could be started."""
        return self._is_lost

    def call_for_rest(self) -> None:
        """Let the guardian bring the bench to rest by its own connections, and do not wait."""
        if self._child is not None:
            self._child.call_for_rest()

    def finish(self, *, at_rest: bool) -> tuple[str, ...]:
        """Let the guardian go; first let it try, where the run failed to bring the bench to rest.

        Returns
        -------
        tuple of str
            What befell the guardian, and what it did: events of the run.
        """
        self._ending.set()
        if self._beating.is_alive():
            self._beating.join(_START_SECONDS)
        if self._child is not None:
            if not at_rest:
                problem = self._child.told_to_rest()
                self._notes.append(problem or "the guardian brought the bench to rest")
                at_rest = not problem
            self._child.let_go(is_done=at_rest)
            self._child = None
        return tuple(self._notes)

    def _beat(self) -> None:
        replaced = 0
        while not self._ending.wait(BEAT_SECONDS):
            if self._child is None or self._child.beat():
                continue
            replaced += 1
            self._child.end()
            self._child = None
            if replaced > _MOST_REPLACED or not self._replace():
                self._tell("the guardian is gone and cannot be replaced: the run is told to end")
                self._is_lost = True
                return

    def _replace(self) -> bool:
        try:
            child = _Child(self._order)
            child.await_ready()
        except GuardianError as error:
            self._tell(str(error))
            return False
        self._child = child
        self._tell("the guardian was gone, or did not answer, and was replaced")
        return True

    def _tell(self, note: str) -> None:
        log.warning("%s", note)
        self._notes.append(note)


class _Child:
    """One guardian process."""

    def __init__(self, order: Order) -> None:
        self._stall_seconds = order.stall_seconds
        self._silent = 0.0
        self._last = time.monotonic()
        self._ready = threading.Event()
        self._reported = threading.Event()
        self._report = ""
        self._is_called = False
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "labctl.guardian.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
                },
            )
        except OSError as error:
            raise GuardianError(f"the guardian cannot be started: {error}") from error
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(order.line())

    @property
    def number(self) -> int:
        return self._process.pid

    def await_ready(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while not self._ready.wait(0.1):
            if self._process.poll() is not None or time.monotonic() > until:
                self.end()
                raise GuardianError(
                    f"the guardian does not start (exit code {self._process.returncode})"
                )
        self._last = time.monotonic()

    def beat(self) -> bool:
        """Tell that the run lives; return whether the guardian does."""
        now = time.monotonic()
        # Counted in beats: time in which this process, too, was stopped is no silence.
        self._silent += min(now - self._last, 2 * BEAT_SECONDS)
        self._last = now
        is_heard = self._silent < self._stall_seconds and self._process.poll() is None
        return self._send(BEAT) and is_heard

    def call_for_rest(self) -> None:
        """Tell the guardian to bring the bench to rest; `told_to_rest` waits for its report."""
        self._is_called = True
        self._send(REST)

    def told_to_rest(self) -> str:
        """Let the guardian bring the bench to rest; return what is wrong, "" if nothing."""
        if not self._is_called:
            self.call_for_rest()
        if not self._reported.wait(_REPORT_SECONDS):
            return "the guardian was asked to bring the bench to rest, and did not answer"
        report = json.loads(self._report)["report"]
        problems = [f"{i['name']}: {i['problem']}" for i in report["instruments"] if i["problem"]]
        if report["ok"]:
            return ""
        return f"the guardian could not bring all to rest either: {'; '.join(problems)}"

    def let_go(self, *, is_done: bool) -> None:
        """End it in peace; where the bench is not at rest, leave it trying.

        Once the run has closed its connections, an instrument that takes only one may answer.
        """
        if is_done:
            self._send(DONE)
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        if not is_done:
            threading.Thread(target=self._process.wait, daemon=True).start()
            return
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.end()

    def end(self) -> None:
        """End it without its doing anything."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _send(self, line: str) -> bool:
        if self._process.stdin is None:
            return False
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):  # broken, or closed
            return False
        return True

    def _listen(self) -> None:
        if self._process.stdout is None:
            return
        with self._process.stdout as lines:
            for line in lines:
                self._hear(line.strip())

    def _hear(self, word: str) -> None:
        self._silent = 0.0
        if word == READY:
            self._ready.set()
        elif word != BEAT:
            self._report = word
            self._reported.set()
