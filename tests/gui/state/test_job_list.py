"""The jobs that wait, as the window holds and changes them."""

from __future__ import annotations

from labctl.queue import JobState
from labctl_gui.state.job_list import JobList
from labctl_gui.state.worker import Task
from tests.gui.patience import SECONDS


def test_a_job_moves_among_those_that_wait(session):
    for name in ("IVSweep", "Retention", "ReadDisturb"):
        session.queue.add(session.request(name, {}))
    assert session.settled(SECONDS)
    last = session.queue.waiting[-1]

    session.queue.shift(last.id, -2)
    assert session.settled(SECONDS)
    assert [job.procedure for job in session.queue.waiting] == [
        "ReadDisturb", "IVSweep", "Retention"
    ]  # fmt: skip

    session.queue.shift(last.id, 1)
    assert session.settled(SECONDS)
    assert [job.procedure for job in session.queue.waiting][1] == "ReadDisturb"


def test_jobs_that_wait_when_the_window_opens_are_not_started_by_it(session):
    session.queue.add(session.request("IVSweep", {"cells": "0/0/0"}))
    assert session.settled(SECONDS)

    session._look_when_idle()
    assert session.settled(SECONDS)

    assert session.held
    assert session.queue.jobs[0].state is JobState.WAITING


def test_a_queue_that_is_damaged_is_told_of_once_and_kept(tmp_path, caplog):
    path = tmp_path / "queue.sqlite"
    path.write_bytes(b"somebody's other file" * 100)
    jobs = JobList(path)

    for _ in range(3):
        jobs._clerk.submit(Task("looking", jobs._look_again, lambda _: None))
    assert jobs.settled(SECONDS)

    assert caplog.text.count("queue.sqlite") == 1
    assert path.read_bytes().startswith(b"somebody")
    assert jobs.close(10)
