"""Disks that are full, folders that cannot be written, files that vanish, clocks that jump."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dialogue import is_on, read_log
from inject_faults import Witness, rack_of
from kill_and_rest import await_first_pulse, begin, environment, witnessed

from labctl.engine import RunError, run
from labctl_data.errors import LabctlError
from labctl_data.run_file import Column, Run, RunWriter, open_run
from labctl_instruments import open_bench
from labctl_procedures import WriteVerify
from labctl_procedures.procedure import Rows

CRAMPED = Path(__file__).parent / "cramped.py"
FLUSHED = 64


def write(
    path: Path, at_block: int, disturb: Callable[[], object]
) -> tuple[RunError, int, Witness]:
    """Disturb a write-verify after a block of rows; return its error and the rows handed out."""
    rows, blocks = 0, 0

    def count(block: Rows) -> None:
        nonlocal rows, blocks
        rows, blocks = rows + len(np.atleast_1d(block["Row"])), blocks + 1
        if blocks == at_block:
            disturb()

    with open_bench("sim-board", seed=3) as station:
        witness = rack_of(station).log = Witness()
        procedure = WriteVerify(cells="0/0:8/:", levels=8, after="")
        with pytest.raises(RunError) as caught:
            run(procedure, station, path, on_rows=count)
    return caught.value, rows, witness


def ledger_covers_rows(run: Run) -> bool:
    return len(run.ledger["row"]) >= int((run.record("kind") >= 0).sum())


def can_mount() -> bool:
    """Tell whether this user may mount a file system that only he sees."""
    words = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/tmp"]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_mount(), reason="needs a small disk of one's own: unshare -Urm")
def test_a_disk_that_fills_ends_the_run_with_a_clear_error_and_the_bench_at_rest(
    tmp_path: Path,
) -> None:
    words = [sys.executable, str(CRAMPED), "sim-board", str(tmp_path), str(7 * 2**20)]

    done = subprocess.run(
        ["unshare", "-Urm", *words],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert "the disk is full" in told["problem"]
    assert told["status"] == "failed"
    assert told["rows"] == told["stored"] > 2000
    assert told["ledger"] >= told["pulses"]
    assert not is_on([tuple(entry) for entry in told["entries"]])


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_run_file_that_is_deleted_while_it_is_written_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"

    error, rows, witness = write(path, 40, path.unlink)

    assert "was deleted, moved or replaced while it was written" in str(error)
    assert not is_on(witness.entries)
    stored = open_run(path)
    assert stored.status == "failed"
    assert stored.rows >= rows - FLUSHED
    assert ledger_covers_rows(stored)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_folder_that_is_deleted_while_its_run_is_written_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "night" / "run.h5"

    _, rows, witness = write(path, 40, lambda: shutil.rmtree(path.parent))

    assert not is_on(witness.entries)
    stored = open_run(path)
    assert stored.rows >= rows - FLUSHED
    assert ledger_covers_rows(stored)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_a_run_file_that_is_replaced_is_rescued_beside_the_other(tmp_path: Path) -> None:
    path, other = tmp_path / "run.h5", tmp_path / "other"
    other.write_text("mine")

    write(path, 40, lambda: os.replace(other, path))

    assert path.read_text() == "mine"
    assert open_run(tmp_path / "run.h5.rescued").status == "failed"


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be moved there")
def test_a_run_file_that_is_moved_is_whole_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"

    _, rows, _ = write(path, 40, lambda: path.rename(tmp_path / "moved.h5"))

    assert not path.exists()
    assert open_run(tmp_path / "moved.h5").rows >= rows - FLUSHED


@pytest.mark.parametrize("folder", ["/proc", "a file"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_sent(
    tmp_path: Path, folder: str
) -> None:
    if folder == "a file":
        (tmp_path / "file").write_text("")
        folder = str(tmp_path / "file")
    elif sys.platform != "linux":
        pytest.skip("needs a folder that nobody can write")

    with open_bench("sim-board", seed=3) as station:
        witness = rack_of(station).log = Witness()
        with pytest.raises(LabctlError, match=r"run\.h5: cannot be written"):
            run(WriteVerify(cells="0/0/0"), station, Path(folder) / "run.h5")

    assert not any(":OUTP 1" in message for _, _, message, _ in witness.entries)


def test_a_wall_clock_that_jumps_back_leaves_a_run_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    times = iter([1.8e9, 1.8e9 + 10, *(1.7e9 + k for k in range(1000))])

    with RunWriter.create(
        path, columns=[Column("current", "A", "Current")], clock=lambda: next(times)
    ) as writer:
        for k in range(300):
            writer.append({"time": float(k), "current": 1e-6})
            if k % 100 == 0:
                writer.event(float(k), "note", "the clock jumps")

    stored = open_run(path)
    assert stored.status == "complete"
    assert np.array_equal(stored.record("time"), np.arange(300.0))
    assert len(stored.events) == 3


def test_a_run_whose_link_is_lost_fails_keeps_its_rows_and_says_that_rest_is_not_known(
    tmp_path: Path,
) -> None:
    with witnessed("sim-board", tmp_path) as (served, log):
        path = tmp_path / "run.h5"
        process = begin(served, path, "0/:/:")
        await_first_pulse(process, log)
    # the server, and with it every link, is gone
    process.wait(120)

    assert process.returncode == 1
    assert is_on(read_log(log))  # nobody could reach it: said in the file, not hidden
    stored = open_run(path)
    assert stored.status == "failed"
    assert ledger_covers_rows(stored)
    faults = [event.text for event in stored.events if event.kind == "fault"]
    assert any("not known to be at rest" in text for text in faults)
