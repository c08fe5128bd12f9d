"""The guardian: runs on a served bench that are killed or stopped, and its own death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dialogue import is_on, read_log, rest_of
from kill_and_rest import (
    CELLS,
    await_first_pulse,
    begin,
    end_with,
    environment,
    said_by,
    witnessed,
)

from labctl.guardian.orders import STALL_SECONDS, record_path
from labctl_data.run_file import open_run

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="finds the guardian's process by /proc"
)
PROMPTLY = 10.0
"""Seconds from SIGKILL to outputs off and crosspoints open, at most, on a machine that may be busy;
`kill_and_rest.py` holds it to 1 s."""


@contextmanager
def measuring(
    folder: Path, bench: str, *, clients: int = 8, cells: str = ""
) -> Iterator[tuple[subprocess.Popen[bytes], Path, Path]]:
    """Yield a run that has begun to pulse, its file, and the bench's log."""
    with witnessed(bench, folder, clients=clients) as (served, log):
        path = folder / "run.h5"
        process = begin(served, path, cells or CELLS[bench])
        try:
            await_first_pulse(process, log)
            yield process, path, log
        finally:
            process.kill()
            process.wait()


def guardian_of(process: subprocess.Popen[bytes]) -> int | None:
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    for number in (word for one in children for word in one.read_text().split()):
        if b"labctl.guardian.process" in Path(f"/proc/{number}/cmdline").read_bytes():
            return int(number)
    return None


@pytest.mark.parametrize(
    ("bench", "number"),
    [
        ("sim-board", signal.SIGKILL),
        ("sim-smu", signal.SIGKILL),
        ("sim-board", signal.SIGABRT),  # what an exception in a slot of a window ends with
    ],
)
def test_outputs_are_off_and_crosspoints_open_within_a_second_of_a_death(
    tmp_path: Path, bench: str, number: signal.Signals
) -> None:
    with measuring(tmp_path, bench) as (process, path, log):
        time.sleep(0.2)  # the run is in the middle of its messages
        ending = end_with(process, number, path, log)

    assert ending.was_on
    assert ending.seconds <= PROMPTLY
    assert ending.rest.off <= ending.rest.opened
    assert ending.rest.seen
    assert ending.rest.pulses_after == 0
    assert ending.status == "interrupted"


def test_instruments_that_take_one_connection_are_taken_over(tmp_path: Path) -> None:
    with measuring(tmp_path, "sim-smu", clients=1) as (process, path, log):
        ending = end_with(process, signal.SIGKILL, path, log)

    assert ending.was_on
    assert ending.seconds <= PROMPTLY
    assert ending.rest.seen


def test_a_run_that_is_stopped_is_ended_after_the_deadline_and_its_bench_at_rest(
    tmp_path: Path,
) -> None:
    with measuring(tmp_path, "sim-board", clients=1) as (process, path, log):
        ending = end_with(process, signal.SIGSTOP, path, log, patience=STALL_SECONDS + 40)

    assert ending.was_on
    assert STALL_SECONDS - 1 <= ending.seconds <= STALL_SECONDS + PROMPTLY
    assert process.returncode == -signal.SIGKILL
    assert ending.rest.seen
    assert ending.rest.pulses_after == 0
    assert ending.status == "interrupted"


def await_replacement(path: Path) -> None:
    """Wait until a run has said that another guardian watches."""
    until = time.monotonic() + 60
    while b"was replaced" not in said_by(path).read_bytes():
        assert time.monotonic() < until, "the guardian is not replaced"
        time.sleep(0.02)


def test_a_guardian_that_is_killed_is_replaced_and_the_next_one_guards(tmp_path: Path) -> None:
    with measuring(tmp_path, "sim-smu") as (process, path, log):
        first = guardian_of(process)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await_replacement(path)
        ending = end_with(process, signal.SIGKILL, path, log)

    assert ending.was_on
    assert ending.seconds <= PROMPTLY
    assert ending.rest.seen


def test_a_run_whose_guardian_was_killed_goes_on_and_says_so(tmp_path: Path) -> None:
    with measuring(tmp_path, "sim-smu") as (process, path, log):
        first = guardian_of(process)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await_replacement(path)
        process.terminate()
        process.wait(60)
        rest = rest_of(read_log(log))

    told = [event.text for event in open_run(path).events if event.kind == "guardian"]
    assert len(told) == 1
    assert "replaced" in told[0]
    assert open_run(path).status == "aborted"
    assert rest.pulses_after == 0
    assert not record_path(path).exists()


def test_what_the_guardian_did_is_an_event_of_the_resumed_run(tmp_path: Path) -> None:
    with measuring(tmp_path, "sim-board", cells="0/0/0:4") as (process, path, log):
        end_with(process, signal.SIGKILL, path, log)
        again = subprocess.run(
            [sys.executable, "-m", "labctl", "run", "--resume", str(path), "--json"],
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )

    assert json.loads(again.stdout)["status"] == "complete"
    told = [event.text for event in open_run(path).events if event.kind == "guardian"]
    assert "the run's process died; at rest after" in told[0]
    assert not record_path(path).exists()


def test_a_failure_of_the_whole_computer_leaves_outputs_on_and_a_run_that_can_be_gone_on_with(
    tmp_path: Path,
) -> None:
    """As far as processes can show it: run and guardian die in one moment."""
    bench = str(tmp_path / "served.toml")

    with measuring(tmp_path, "sim-board", cells="0/0/0:4") as (process, path, log):
        guardian = guardian_of(process)
        assert guardian is not None
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(guardian, signal.SIGKILL)
        process.kill()
        process.wait()
        was_on = is_on(read_log(log))
        status = open_run(path).status
        for words in (["bench", "rest", bench], ["run", "--resume", str(path)]):
            subprocess.run(
                [sys.executable, "-m", "labctl", *words, "--json"],
                capture_output=True,
                env=environment(),
                check=True,
            )
        is_on_after = is_on(read_log(log))

    assert was_on  # nobody was left to put them off: docs/safety.md says so
    assert status == "interrupted"
    assert not is_on_after
    assert open_run(path).status == "complete"


def test_a_second_run_on_a_bench_is_refused_and_the_first_is_not_disturbed(tmp_path: Path) -> None:
    bench, output = str(tmp_path / "served.toml"), str(tmp_path / "second.h5")

    with measuring(tmp_path, "sim-smu") as (process, _, log):
        second = subprocess.run(
            [sys.executable, "-m", "labctl", "run", "ReadDisturb", "--bench", bench, "-o", output],
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )
        alive = process.poll() is None
        was_on = is_on(read_log(log))

    assert second.returncode == 2
    assert "served.toml: the bench is in use" in second.stderr
    assert f"held by process {process.pid}" in second.stderr
    assert not (tmp_path / "second.h5").exists()
    assert alive
    assert was_on
