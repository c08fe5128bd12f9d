"""Whole runs in processes of their own, ended from outside."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl_data.run_file import layout, open_run, recover

MEASURING = Path(__file__).parent / "measuring.py"
MESSAGE_THAT_PULSES = ":PULS:CELL"


def measuring(path: Path, bench: str = "sim-board") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(MEASURING), bench, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    )


def rows_said(run: subprocess.Popen[str], at_least: int) -> int:
    assert run.stdout is not None
    for line in run.stdout:
        if int(line) >= at_least:
            return int(line)
    raise AssertionError("the run ended by itself")


def last_words(run: subprocess.Popen[str]) -> dict[str, Any]:
    words, _ = run.communicate(timeout=60)
    return dict(json.loads(words.splitlines()[-1]))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("rows", [1, 30_000, 120_000])
def test_a_run_that_is_killed_keeps_every_flushed_row_and_is_called_interrupted(
    rows: int, tmp_path: Path
) -> None:
    path = tmp_path / "killed.h5"
    run = measuring(path)
    said = rows_said(run, rows)

    run.kill()
    run.communicate()

    stored = open_run(path)
    assert stored.status == "interrupted"
    # Rows are flushed when 64 wait; what it said was stored before it said it.
    assert stored.rows > said - 64
    records = stored.records()
    assert {len(values) for values in records.values()} == {stored.rows}
    assert np.all(np.isfinite(records["conductance"]))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_run_recovers_with_a_ledger_of_every_pulse_it_stored(tmp_path: Path) -> None:
    path = tmp_path / "killed.h5"
    run = measuring(path)
    rows_said(run, 20_000)
    run.kill()
    run.communicate()

    recover(path)

    stored = open_run(path)
    pulsed = stored.record("kind") >= 0
    ledger = stored.ledger
    assert stored.status == "interrupted"
    assert not layout.ledger_path(path).exists()
    n = int(pulsed.sum())
    assert len(ledger["row"]) >= n
    for name in ("row", "column", "kind"):
        assert np.array_equal(ledger[name][:n], stored.record(name)[pulsed]), name
    # one message was in flight, and fewer than 64 rows waited for the next flush
    ahead = ledger["message"][n:]
    assert len(np.unique(ahead)) <= 1 + 64


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another process are POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_told_to_end_leaves_the_board_at_rest_and_its_file_aborted(
    number: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "ended.h5"
    run = measuring(path)
    rows_said(run, 5_000)

    run.send_signal(number)
    words = last_words(run)

    stored = open_run(path)
    assert run.returncode == 0
    assert words["status"] == stored.status == "aborted"
    assert words["rows"] == stored.rows
    told = [message for address, message in words["told"] if "array-board" in address]
    ended = max(place for place, message in enumerate(told) if ":ABOR" in message)
    assert not any(MESSAGE_THAT_PULSES in message for message in told[ended:])
    assert any(message.startswith(":OUTP?") for message in told[ended:])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another process are POSIX")
def test_an_smu_bench_told_to_end_is_switched_off_before_its_crosspoints_open(
    tmp_path: Path,
) -> None:
    run = measuring(tmp_path / "ended.h5", "sim-smu")
    rows_said(run, 200)

    run.send_signal(signal.SIGTERM)
    words = last_words(run)

    told = [(address, message.strip()) for address, message in words["told"]]
    opened = [place for place, (_, message) in enumerate(told) if "channel.open" in message]
    off = {address for address, message in told[: opened[0]] if message.startswith(":OUTP 0")}
    assert words["status"] == "aborted"
    assert {told[place][0] for place in opened} == {f"GPIB0::{n}::INSTR" for n in (1, 2, 3, 4)}
    assert off == {f"GPIB0::{n}::INSTR" for n in (18, 19, 20)}
    after = [message for _, message in told[opened[0] :]]
    assert not any("channel.close" in m or "exclusiveclose" in m or "OUTP 1" in m for m in after)
