"""`labctl serve` in a process of its own, and what reaches it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from labctl.cli.root import run_command_line
from labctl_data.run_file import open_run
from labctl_instruments import load_bench

SMALL = ["-p", "cells=0/0:4/0:16", "-p", "levels=4", "-p", "after=1h"]
WITH_STATE = 'state = "chip.h5"'


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    server = subprocess.Popen(
        [sys.executable, "-m", "labctl", "serve", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    )
    assert server.stdout is not None
    try:
        ready = json.loads(server.stdout.readline())
        assert ready["ready"] is True
        yield server, ready["instruments"]
    finally:
        server.terminate()
        server.communicate()


def bench_with_state(folder: Path) -> Path:
    path = folder / "bench.toml"
    text = load_bench("sim-board").text.replace('state = "formed"', WITH_STATE)
    assert WITH_STATE in text
    path.write_text(text, encoding="utf-8")
    return path


def facts(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = run_command_line([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_run_on_a_served_bench_is_that_of_the_same_bench_in_process(capsys, tmp_path):
    bench, outside, inside = (tmp_path / name for name in ("served.toml", "outside.h5", "in.h5"))
    with serving("--bench", "sim-board", "--seed", "5", "--write-bench", str(bench)) as (_, where):
        code, done = facts(
            capsys, "run", "WriteVerify", *SMALL, "--bench", str(bench), "-o", str(outside)
        )
        check, asked = facts(capsys, "bench", "check", str(bench), "--connect")
        dry, told = facts(capsys, "run", "WriteVerify", *SMALL, "--bench", str(bench), "--dry-run")
    facts(capsys, "run", "WriteVerify", *SMALL, "--seed", "5", "-o", str(inside))

    assert (code, done["status"], check, asked["ok"], dry) == (0, "complete", 0, True, 0)
    assert told["estimate"]["rows"] > 0
    assert {table.address for table in load_bench(bench).instruments.values()} == {*where.values()}
    found, expected = open_run(outside).records(), open_run(inside).records()
    assert np.array_equal(found["conductance"], expected["conductance"])
    assert found["time"] == pytest.approx(expected["time"])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another process are POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_told_to_end_saves_its_chip_and_ends_well(capsys, tmp_path, number):
    bench, served, run = bench_with_state(tmp_path), tmp_path / "served.toml", tmp_path / "run.h5"
    with serving("--bench", str(bench), "--write-bench", str(served)) as (server, _):
        facts(capsys, "run", "WriteVerify", *SMALL, "--bench", str(served), "-o", str(run))
        server.send_signal(number)
        said, _ = server.communicate(timeout=60)

    assert (server.returncode, said) == (0, "")
    code, again = facts(
        capsys, "run", "WriteVerify", *SMALL, "--bench", str(bench), "-o", str(tmp_path / "b.h5")
    )
    assert code == 0
    assert open_run(tmp_path / "b.h5").record("time").min() > 3600  # it went on where it was
    assert again["summary"]["pulses_mean"] < open_run(run).summary["pulses_mean"]


def test_ports_follow_one_another_from_the_base(capsys):
    with serving("--bench", "sim-board", "--port-base", "47313") as (_, instruments):
        assert [address.split("::")[2] for address in instruments.values()] == ["47313", "47314"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--bench", "board"], "no [virtual]"),
        (["--bench", "sim-board", "--listen", "0.0.0.0"], "--allow"),
        (["--bench", "sim-board", "--listen", "nowhere"], "IPv4"),
        (["--bench", "sim-board", "--write-bench", __file__], "*.toml"),
        (["--bench", "sim-borad"], "sim-board"),
    ],
)
def test_what_cannot_be_served_is_bad_input(capsys, options, told):
    code = run_command_line(["serve", *options])

    assert code == 2
    assert told in capsys.readouterr().err
