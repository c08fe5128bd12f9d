"""A queue is worked off: what is made, when, and what stands there afterwards."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from labctl.engine import Control
from labctl.queue import JobState, QueueBusyError, run_queue
from labctl.queue.runner_lock import RunnerLock
from labctl.queue.times import parse_start
from labctl.queue.working import bench_key, next_due
from labctl_data.run_file import open_run
from labctl_instruments import open_bench

LONG = {"cells": "0/0:8/0:16", "levels": 8, "limit": 200, "after": "0s"}


def test_the_jobs_of_a_bench_are_made_in_their_order(queue, sweep, tmp_path):
    queue.add(sweep("second"))
    queue.add(sweep("first"), before=1)
    other = queue.add(sweep("elsewhere", bench="sim-smu"))

    made = run_queue(queue, bench="sim-board")

    assert [job.run_file.stem for job in made] == ["first", "second"]
    assert {job.state for job in made} == {JobState.DONE}
    assert open_run(tmp_path / "first.h5").status == "complete"
    assert queue.job(other.id).state is JobState.WAITING


def test_a_job_that_fails_says_why_and_the_next_is_made(queue, sweep):
    queue.add(sweep("bad", parameters={"positive": "4V"}))
    queue.add(sweep("good"))

    bad, good = run_queue(queue, bench="sim-board")

    assert bad.state is JobState.FAILED
    assert "exceeds voltage = 3.5 V" in bad.error
    assert bad.run_file is None
    assert good.state is JobState.DONE


def test_an_output_that_is_there_already_is_neither_overwritten_nor_gone_on_with(
    queue, sweep, tmp_path
):
    (tmp_path / "run.h5").write_text("somebody's")
    queue.add(sweep("run"))

    (job,) = run_queue(queue, bench="sim-board")

    assert job.state is JobState.FAILED
    assert "exists already" in job.error
    assert (tmp_path / "run.h5").read_text() == "somebody's"


def test_a_simulated_chip_lives_from_one_job_to_the_next(queue, sweep, tmp_path):
    queue.add(sweep("first", procedure="WriteVerify", parameters=LONG))
    queue.add(
        sweep("then", procedure="Retention", parameters={"levels": 0, "cells": LONG["cells"]})
    )

    run_queue(queue, bench="sim-board")

    first, then = open_run(tmp_path / "first.h5"), open_run(tmp_path / "then.h5")
    targets = first.map("target")[1][0, 0, :8].ravel()
    seen = then.record("conductance")[:128]
    assert np.median(np.abs(seen - targets)) < 0.5e-6  # a chip of its own would be 6 uS off


def test_a_given_station_serves_and_stays_open(queue, sweep):
    queue.add(sweep())
    with open_bench("sim-board", seed=5) as station:
        (job,) = run_queue(queue, bench="sim-board", station=station)

        assert open_run(job.run_file).seed == 5
        assert station.now() >= 0.0


def test_abort_ends_the_run_then_the_queue_and_the_job_can_be_resumed(queue, sweep):
    queue.add(sweep("long", procedure="WriteVerify", parameters=LONG))
    queue.add(sweep("next"))
    control = Control()

    with open_bench("sim-board") as station:
        (job,) = run_queue(
            queue,
            bench="sim-board",
            station=station,
            control=control,
            on_rows=lambda _: control.abort(),
        )
        assert job.state is JobState.INTERRUPTED
        assert queue.job(2).state is JobState.WAITING

        queue.resume(job.id)
        again, after = run_queue(queue, bench="sim-board", station=station)

    assert (again.id, again.state, again.run_file) == (job.id, JobState.DONE, job.run_file)
    assert len(open_run(job.run_file).segments) == 2
    assert after.state is JobState.DONE


def test_a_job_whose_simulated_chip_is_gone_is_not_gone_on_with(queue, sweep):
    queue.add(sweep("long", procedure="WriteVerify", parameters=LONG))
    control = Control()
    run_queue(queue, bench="sim-board", control=control, on_rows=lambda _: control.abort())
    queue.resume(1)

    (job,) = run_queue(queue, bench="sim-board")

    assert job.state is JobState.FAILED
    assert "its simulated chip lived in the run's own process" in job.error


def test_a_running_job_that_is_skipped_makes_way_for_the_next(queue, sweep):
    queue.add(sweep("long", procedure="WriteVerify", parameters={**LONG, "cells": "0/:/:"}))
    queue.add(sweep("next"))
    told = threading.Event()

    def skip_it(_):
        if not told.is_set():
            told.set()
            queue.skip(1)

    long, after = run_queue(queue, bench="sim-board", on_rows=skip_it)

    assert long.state is JobState.SKIPPED
    assert open_run(long.run_file).status == "aborted"
    assert after.state is JobState.DONE


def test_two_runners_do_not_work_off_one_bench(queue):
    with (
        RunnerLock(queue.path, bench_key("sim-board")),
        pytest.raises(QueueBusyError, match="are being worked off"),
    ):
        run_queue(queue, bench="sim-board")


def test_a_job_starts_within_a_second_of_its_time_and_not_before(queue, sweep):
    at = datetime.now(UTC) + timedelta(seconds=0.7)
    queue.add(sweep("timed", start_at=at))
    queue.add(sweep("soon"))

    soon, timed = run_queue(queue, bench="sim-board")

    assert soon.run_file.stem == "soon"
    assert at <= timed.started <= at + timedelta(seconds=1)


def test_of_the_jobs_that_are_due_the_first_in_the_queue_is_next(queue, sweep):
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    late = queue.add(sweep(start_at=noon + timedelta(hours=1)))
    due = queue.add(sweep(start_at=noon))
    queue.add(sweep())

    assert next_due(queue.jobs(), noon).id == due.id
    assert next_due(queue.jobs(), noon + timedelta(hours=1)).id == late.id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("23:30", datetime(2026, 7, 1, 23, 30)),
        ("06:15:30", datetime(2026, 7, 2, 6, 15, 30)),
        ("+90min", datetime(2026, 7, 1, 13, 30)),
        ("2026-07-04T03:00", datetime(2026, 7, 4, 3)),
    ],
)
def test_a_start_time_is_read_as_people_mean_it(text, expected):
    now = datetime(2026, 7, 1, 12).astimezone()

    assert parse_start(text, now) == expected.astimezone()


@pytest.mark.parametrize("text", ["25:00", "noon", "+3V", "2026-13-01"])
def test_a_start_time_that_is_none_is_refused(text):
    from labctl.queue import QueueError

    with pytest.raises(QueueError, match="expected 23:30"):
        parse_start(text, datetime.now(UTC))
