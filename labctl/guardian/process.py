"""The guardian's own process: ``python -m labctl.guardian.process``.

It imports at its start whatever it will need, answers the run's beats, and waits. When the run
dies, or is silent for too long, it brings the bench to rest through connections of its own, writes
down what it did, and ends. It sends nothing else: it cannot pulse.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import tomllib
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from queue import Empty, SimpleQueue

from labctl.guardian.orders import BEAT, DONE, READY, REST, Order
from labctl_instruments.bench.holding import BenchHold
from labctl_instruments.bench.loading import parse_bench
from labctl_instruments.bench.resting import RestReport, rest_instruments, warm_up
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.errors import BenchBusyError

_POLL = 0.05
_SETTLE = 0.1
_PATIENCE = 10.0
_PATIENCE_ASKED = 3.0
"""With a run that waits for the report; whatever does not answer is tried again afterwards."""
_PATIENCE_LATER = 1.0
_HOLD_PATIENCE = 30.0
_PAUSE = 2.0
_GIVE_UP = 600.0


class Cause(Enum):
    """Why the guardian acted."""

    DIED = "the run's process died"
    STALLED = "the run's process stalled, and was ended"
    ASKED = "the run could not bring the bench to rest by itself"


class Guardian:
    """Watches over one run.

    Parameters
    ----------
    order : Order
        What to guard.
    words : SimpleQueue of (str or None)
        Lines from the run; None once its end of the pipe is closed.
    """

    def __init__(self, order: Order, words: SimpleQueue[str | None]) -> None:
        self._order = order
        self._words = words
        self._file = _bench_of(order)
        warm_up(self._file)

    def watch(self) -> Cause | None:
        """Answer beats until the run ends; return why the bench needs rest, None if it does not."""
        silent = 0.0
        while silent < self._order.stall_seconds:
            before = time.monotonic()
            try:
                word = self._words.get(timeout=_POLL)
            except Empty:
                # Counted in polls: time in which this process, too, was suspended is no silence.
                silent += min(time.monotonic() - before, 2 * _POLL)
                if self._is_orphan():
                    return Cause.DIED
                continue
            silent = 0.0
            if word is None or word == DONE:
                return None if word == DONE else Cause.DIED
            self._answer(word)
        return Cause.STALLED

    def act(self, cause: Cause) -> None:
        """Bring the bench to rest, and keep trying while it is not known to be there."""
        if cause is Cause.STALLED:
            self._end_run()
        until = time.monotonic() + _GIVE_UP
        patience = _PATIENCE
        try:
            while not self._act_once(cause, patience) and time.monotonic() < until:
                patience = _PATIENCE_LATER
                time.sleep(_PAUSE)  # the bench is nobody's: who comes now puts it to rest himself
        except BenchBusyError as busy:
            # Whoever opened it since has put its outputs off first of all.
            self._note({"cause": cause.value, "left": str(busy)})

    def _act_once(self, cause: Cause, patience: float) -> bool:
        with self._hold():
            self._write_down(cause.value, rest_instruments(self._file, patience=patience))
            time.sleep(_SETTLE)  # for what the dead process had sent and nobody had read yet
            report = rest_instruments(self._file, patience=patience)
        self._write_down("seen again", report)
        return report.ok

    def _answer(self, word: str) -> None:
        if word == REST:
            _say(json.dumps({"report": _facts(self._rest(Cause.ASKED))}))
        else:
            _say(BEAT)

    def _rest(self, cause: Cause) -> RestReport:
        report = rest_instruments(self._file, patience=_PATIENCE_ASKED)
        self._write_down(cause.value, report)
        return report

    def _hold(self) -> contextlib.AbstractContextManager[object]:
        """Hold the bench, so that no new run opens it before it is at rest."""
        try:
            return BenchHold(self._file, patience=_HOLD_PATIENCE)
        except BenchBusyError as busy:
            if busy.process == self._order.process:  # it cannot be ended, and drives nothing
                return contextlib.nullcontext()
            raise

    def _is_orphan(self) -> bool:
        return sys.platform != "win32" and os.getppid() != self._order.process

    def _end_run(self) -> None:
        """End the stalled run: it must not wake up and go on with a bench it believes to be on."""
        if self._is_orphan():
            return
        with contextlib.suppress(OSError):
            os.kill(self._order.process, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _write_down(self, cause: str, report: RestReport) -> None:
        self._note({"cause": cause, **_facts(report)})

    def _note(self, facts: dict[str, object]) -> None:
        stamped = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}
        with (
            contextlib.suppress(OSError),  # a full disk must not keep the bench from its rest
            Path(self._order.record).open("a", encoding="utf-8") as record,
        ):
            record.write(json.dumps({"process": self._order.process, **stamped}) + "\n")


def main() -> None:
    """Guard what the first line of stdin says, until the run is over."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # those are the run's; the guardian outlives it
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    words: SimpleQueue[str | None] = SimpleQueue()
    guardian = Guardian(Order.read(sys.stdin.readline()), words)
    threading.Thread(target=_listen, args=(words,), daemon=True).start()
    _say(READY)
    cause = guardian.watch()
    if cause is not None:
        guardian.act(cause)
    os._exit(0)  # a thread may still wait for an instrument that never answers


def _listen(words: SimpleQueue[str | None]) -> None:
    for line in sys.stdin:
        words.put(line.strip())
    words.put(None)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # the run is dead: that is seen elsewhere
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _bench_of(order: Order) -> BenchFile:
    return parse_bench(tomllib.loads(order.toml), path=Path(order.path), text=order.toml)


def _facts(report: RestReport) -> dict[str, object]:
    return {
        "ok": report.ok,
        "seconds": round(report.seconds, 4),
        "instruments": [asdict(each) for each in report.instruments],
    }


if __name__ == "__main__":
    main()
