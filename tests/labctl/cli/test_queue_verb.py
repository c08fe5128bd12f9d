"""`labctl queue`, as it is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from labctl.cli.root import run_command_line

SHORT = ["-p", "cells=0/0/0", "-p", "cycles=1", "-p", "step=0.5V"]


def _queue(capsys, *arguments):
    code = run_command_line(["queue", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_jobs_are_added_changed_moved_and_worked_off(capsys, tmp_path):
    file = ("--queue", str(tmp_path / "q.sqlite"))
    _queue(capsys, "add", "IVSweep", *SHORT, *file)
    _queue(capsys, "add", "IVSweep", *SHORT, "--start-at", "+1d", "--note", "later", *file)
    _queue(capsys, "edit", "2", "--soon", "-p", "cycles=2", *file)
    _, moved = _queue(capsys, "move", "2", "--before", "1", *file)
    _queue(capsys, "add", "IVSweep", *SHORT, *file)
    _queue(capsys, "skip", "3", *file)
    _queue(capsys, "hold", *file)
    _queue(capsys, "release", *file)

    code, done = _queue(capsys, "run", "--bench", "sim-board", *file)

    assert [job["id"] for job in moved["jobs"]] == [2, 1]
    assert moved["jobs"][0]["parameters"]["cycles"] == "2"
    assert code == 0
    assert [(job["id"], job["state"]) for job in done["jobs"]] == [(2, "done"), (1, "done")]
    assert _queue(capsys, "repeat", "1", *file)[1]["jobs"][0]["id"] == 4
    assert len(_queue(capsys, "remove", "4", *file)[1]["jobs"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "IVSweep", "-p", "positive=4V"], "exceeds voltage = 3.5 V"),
        (["add", "IVSweep", "--bench", "nowhere"], "no such bench file"),
        (["add", "Sweep"], "is unknown"),
        (["add", "IVSweep", "--start-at", "soon"], "expected 23:30"),
        (["edit", "9"], "there is no job 9"),
        (["run", "--bench", "nowhere"], "no such bench file"),
    ],
)
def test_what_cannot_be_queued_is_refused_at_once(capsys, arguments, said):
    code, told = _queue(capsys, *arguments)

    assert code == 2
    assert said in told["error"]
    assert _queue(capsys, "list")[1]["jobs"] == []


def test_a_queue_that_is_not_there_is_neither_shown_as_empty_nor_made(capsys, tmp_path):
    file = tmp_path / "typo" / "q.sqlite"

    code = run_command_line(["queue", "list", "--queue", str(file)])

    assert code == 2
    assert "there is none" in capsys.readouterr().err
    assert not file.parent.exists()


def test_a_queue_that_is_told_to_end_leaves_a_true_state(capsys, tmp_path):
    file = ("--queue", str(tmp_path / "q.sqlite"))
    _queue(capsys, "add", "WriteVerify", "-p", "after=0s", *file)
    with subprocess.Popen(
        [sys.executable, "-m", "labctl", "queue", "run", "--bench", "sim-board", *file],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        begun = process.stderr.readline()
        running = _queue(capsys, "list", *file)[1]["jobs"][0]["state"]
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        process.stderr.read()

    assert "running" in begun
    assert running == "running"
    assert code == 1
    job = _queue(capsys, "list", *file)[1]["jobs"][0]
    assert job["state"] == "interrupted"
