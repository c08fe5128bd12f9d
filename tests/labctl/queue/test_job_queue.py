"""The list of jobs: its order, its changes, and what it survives."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.queue import (
    JobQueue,
    JobRequest,
    JobState,
    NoSuchJobError,
    QueueError,
    QueueFileError,
)
from labctl.queue.runner_lock import RunnerLock

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _order(queue):
    return [job.id for job in queue.jobs()]


def test_a_job_comes_back_as_it_was_asked_for(queue, sweep, tmp_path):
    asked = sweep(start_at=NOON, seed=3, chip=tmp_path / "chip.h5", note="night", owner="a person")

    added = queue.add(asked)

    assert JobQueue(queue.path).job(added.id).request == asked
    assert (added.position, added.state, added.run_file) == (1, JobState.WAITING, None)


def test_a_job_is_put_before_another_or_at_the_end(queue, sweep):
    first, second = queue.add(sweep()), queue.add(sweep())
    between = queue.add(sweep(), before=second.id)

    assert _order(queue) == [first.id, between.id, second.id]
    assert [job.position for job in queue.jobs()] == [1, 2, 3]
    assert queue.move(first.id, before=None).position == 3
    assert _order(queue) == [between.id, second.id, first.id]


def test_only_a_job_that_waits_is_edited(queue, sweep):
    job = queue.add(sweep())
    queue.edit(job.id, sweep(note="other"))
    queue.skip(job.id)

    assert queue.job(job.id).note == "other"
    with pytest.raises(QueueError, match="is skipped"):
        queue.edit(job.id, sweep())


def test_what_is_done_to_a_job_that_is_not_there_names_it(queue):
    with pytest.raises(NoSuchJobError, match=r"queue\.sqlite: there is no job 7"):
        queue.remove(7)


def test_a_repeated_job_starts_as_soon_as_may_be_into_a_file_of_its_own(queue, sweep):
    job = queue.add(sweep(start_at=NOON))

    copy = queue.repeat(job.id)

    assert copy.request == replace(job.request, output=None, start_at=None)


def test_a_start_without_its_time_zone_is_refused(queue, sweep):
    with pytest.raises(QueueError, match="time zone"):
        queue.add(sweep(start_at=datetime(2026, 11, 22, 12)))


def test_a_held_queue_gives_no_job_away(queue, sweep):
    job = queue.add(sweep())
    queue.hold()

    assert queue.is_held
    assert queue.take(job.id, "somebody:1") is None
    queue.release()
    assert queue.take(job.id, "somebody:1").id == job.id


def test_of_many_who_want_a_job_one_gets_it(queue, sweep):
    job = queue.add(sweep())

    with ThreadPoolExecutor(8) as people:
        got = list(people.map(lambda n: queue.take(job.id, f"runner:{n}"), range(8)))

    assert sum(each is not None for each in got) == 1


def test_a_running_job_is_said_to_run_only_while_its_runner_lives(queue, sweep):
    job = queue.add(sweep())
    with RunnerLock(queue.path, "sim-board") as lock:
        assert queue.take(job.id, lock.runner).state is JobState.RUNNING
        with pytest.raises(QueueError, match="is running"):
            queue.remove(job.id)

    assert queue.job(job.id).state is JobState.INTERRUPTED
    with RunnerLock(queue.path, "sim-board"):  # a later runner does not vouch for the dead one
        assert queue.job(job.id).state is JobState.INTERRUPTED


def test_an_interrupted_job_waits_again_with_its_run_file(queue, sweep, tmp_path):
    job = queue.add(sweep())
    queue.take(job.id, "dead:1")
    queue.note_run_file(job.id, tmp_path / "half.h5")

    again = queue.resume(job.id)

    assert (again.state, again.run_file) == (JobState.WAITING, tmp_path / "half.h5")


_ADD_AND_TELL = """
import sys
from pathlib import Path
from labctl.queue import JobQueue, JobRequest
queue = JobQueue(Path(sys.argv[1]))
while True:
    print(queue.add(JobRequest(procedure="IVSweep", bench="b")).id, flush=True)
"""


def test_what_was_said_to_be_added_outlives_a_kill(tmp_path):
    path = tmp_path / "queue.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", _ADD_AND_TELL, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        told = [int(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout]

    found = _order(JobQueue(path))

    assert found[: len(told)] == told == list(range(1, len(told) + 1))
    assert len(found) <= len(told) + 1  # killed between the adding and the telling


@pytest.mark.parametrize("spoilt", [b"no database at all" * 100, None])
def test_a_damaged_database_is_named_and_kept(queue, sweep, spoilt):
    queue.add_all([sweep() for _ in range(200)])
    content = bytearray(queue.path.read_bytes()) if spoilt is None else bytearray(spoilt)
    if spoilt is None:
        content[5000:12000] = os.urandom(7000)
    queue.path.write_bytes(content)

    with pytest.raises(QueueFileError, match=r"queue\.sqlite: is damaged and is left as it is"):
        JobQueue(queue.path)
    assert queue.path.read_bytes() == content


def test_a_database_of_another_make_or_version_is_left_alone(queue, tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE things (x)")
    connection.close()
    newer = sqlite3.connect(queue.path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    with pytest.raises(QueueFileError, match="another make"):
        JobQueue(other)
    with pytest.raises(QueueFileError, match="schema 99"):
        JobQueue(queue.path)


def test_a_queue_where_no_file_can_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(QueueFileError, match="cannot be made"):
        JobQueue(tmp_path / "file" / "queue.sqlite")


changes = st.lists(
    st.tuples(st.sampled_from(["add", "move", "remove"]), st.integers(0, 30), st.integers(0, 30)),
    max_size=12,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes)
def test_the_order_is_that_of_a_list_that_was_changed_alike(tmp_path_factory, steps):
    queue = JobQueue(tmp_path_factory.mktemp("queue") / "q.sqlite")
    expected: list[int] = []

    for step, a, b in steps:
        target = expected[b % len(expected)] if expected and b % 3 else None
        if step == "add":
            number = queue.add(JobRequest(procedure="p", bench="b"), before=target).id
            expected.insert(len(expected) if target is None else expected.index(target), number)
        elif expected:
            number = expected[a % len(expected)]
            if step == "remove":
                queue.remove(number)
                expected.remove(number)
            elif number != target:
                queue.move(number, before=target)
                expected.remove(number)
                place = len(expected) if target is None else expected.index(target)
                expected.insert(place, number)

    assert _order(queue) == expected


def test_paths_mean_the_same_to_a_process_in_another_folder(queue, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    job = queue.add(JobRequest(procedure="p", bench="b.toml", output=Path("run.h5")))

    assert (job.bench, job.output) == (str(tmp_path / "b.toml"), tmp_path / "run.h5")


def test_a_start_keeps_its_instant_whatever_its_zone(queue, sweep):
    east = NOON.astimezone().astimezone(tz=None) + timedelta(hours=1)

    assert queue.add(sweep(start_at=east)).start_at == east
