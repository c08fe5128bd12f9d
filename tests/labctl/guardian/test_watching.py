"""What a guardian makes of what it hears, and what it writes down."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from queue import SimpleQueue

import pytest

from labctl.guardian.orders import BEAT, DONE, Order, record_path
from labctl.guardian.process import Cause, Guardian
from labctl.guardian.record import guardian_events, recover_run
from labctl.guardian.watch import GuardianWatch, NothingToGuard, watch_over
from labctl_data.run_file import Column, RunWriter, open_run
from labctl_instruments import load_bench, open_bench


def guardian(folder: Path, *words: str | None, process: int | None = None) -> Guardian:
    bench = load_bench("sim-board")
    order = Order(
        str(bench.path),
        bench.text,
        os.getppid() if process is None else process,
        str(folder / "record"),
        stall_seconds=0.3,
    )
    queue: SimpleQueue[str | None] = SimpleQueue()
    for word in words:
        queue.put(word)
    return Guardian(order, queue)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((BEAT, DONE), None),
        ((BEAT, None), Cause.DIED),
        ((None,), Cause.DIED),
        ((BEAT, BEAT), Cause.STALLED),
        ((), Cause.STALLED),
    ],
)
def test_a_run_that_says_it_is_done_needs_no_rest_and_any_other_does(tmp_path, words, expected):
    assert guardian(tmp_path, *words).watch() is expected


@pytest.mark.skipif(sys.platform == "win32", reason="a process keeps its dead parent's number")
def test_a_run_that_is_no_longer_the_parent_has_died(tmp_path):
    assert guardian(tmp_path, BEAT, process=2**22 + 1).watch() is Cause.DIED


def test_what_was_done_is_written_down_and_becomes_an_event(tmp_path):
    one = guardian(tmp_path)
    record = record_path(tmp_path / "run.h5")
    one.act(Cause.DIED)
    (tmp_path / "record").rename(record)

    lines = [json.loads(line) for line in record.read_text().splitlines()]
    events = guardian_events(tmp_path / "run.h5")

    assert [line["ok"] for line in lines] == [True, True]
    assert [each["name"] for each in lines[0]["instruments"]] == ["board"]
    assert [kind for kind, _ in events] == ["guardian", "guardian"]
    assert "the run's process died; at rest after" in events[0][1]
    assert not record.exists()


def test_recovering_a_killed_run_takes_over_what_its_guardian_did(tmp_path):
    path = tmp_path / "run.h5"
    writer = RunWriter.create(path, columns=[Column("current", "A", "Current")])
    writer.append({"time": 4.0, "current": 1e-6})
    writer.flush()
    kept = path.read_bytes()  # as a kill would leave it
    writer.finish()
    path.write_bytes(kept)
    record_path(path).write_text('{"at": "now", "cause": "it died", "left": "in use"}\n')

    report = recover_run(path)

    (event,) = open_run(path).events
    assert report.status == "interrupted"
    assert (event.time, event.kind, event.text) == (
        4.0,
        "guardian",
        "now: it died; left alone: in use",
    )
    assert not record_path(path).exists()


def test_a_bench_that_ends_with_its_process_has_no_guardian(tmp_path):
    with open_bench("sim-board") as station:
        assert isinstance(watch_over(station, tmp_path / "record"), NothingToGuard)


def test_a_watch_lets_its_guardian_go_without_a_trace(tmp_path):
    bench = load_bench("sim-board")
    record = tmp_path / "record"
    watch = GuardianWatch(Order(str(bench.path), bench.text, os.getpid(), str(record)))

    watch.start()
    process = watch.process
    told = watch.finish(at_rest=True)

    assert process is not None
    assert told == ()
    assert not record.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_guardian_is_asked_where_the_run_could_not_rest_its_bench(tmp_path):
    bench = load_bench("sim-board")
    watch = GuardianWatch(Order(str(bench.path), bench.text, os.getpid(), str(tmp_path / "r")))

    watch.start()
    told = watch.finish(at_rest=False)

    assert told == ("the guardian brought the bench to rest",)
