"""The thread that speaks to the bench."""

from __future__ import annotations

import logging
import threading

from labctl_gui.state.worker import BenchWorker, Task
from tests.gui.patience import SECONDS


def test_a_task_that_fails_does_not_end_the_worker(caplog):
    told, done = [], threading.Event()
    nothing = Task("nothing", lambda: None, told.append)
    worker = BenchWorker(idle=nothing, last=nothing)

    worker.submit(Task("dividing", lambda: 1 / 0, told.append))
    worker.submit(Task("after it", done.set, told.append))

    assert done.wait(SECONDS)
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert any("dividing" in r.message for r in caplog.records if r.levelno == logging.ERROR)
    assert worker.end(10)
