"""`labctl run --resume`: which runs can go on, and where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from labctl.cli.root import run_command_line
from labctl.engine import run
from labctl_data.run_file import open_run
from labctl_instruments import load_bench, open_bench
from labctl_procedures import catalogue

VALUES = {"cells": "0/0:8/:", "levels": "8", "after": ""}


def bench_file(folder: Path, *changes: tuple[str, str]) -> Path:
    path = folder / "bench.toml"
    text = load_bench("sim-board").text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def aborted(bench: Path | str, path: Path) -> Path:
    """Leave a run that was stopped after some rounds, and the bench closed."""
    blocks: list[object] = []
    with open_bench(bench, seed=1) as station:
        run(
            catalogue.make("WriteVerify", VALUES),
            station,
            path,
            on_rows=blocks.append,
            should_stop=lambda: len(blocks) > 20,
        )
    assert open_run(path).status == "aborted"
    return path


def test_a_run_goes_on_with_a_chip_whose_state_was_saved(capsys, tmp_path):
    bench = bench_file(tmp_path, ('state = "formed"', 'state = "chip.h5"'))
    path = aborted(bench, tmp_path / "run.h5")
    before = open_run(path).records()

    code = run_command_line(["run", "--resume", str(path), "--json"])

    facts, stored = json.loads(capsys.readouterr().out), open_run(path)
    assert (code, facts["status"]) == (0, "complete")
    assert facts["rows"] == stored.rows > len(before["time"])
    assert np.all(np.diff(stored.record("time")) >= 0)  # bench time went on, too
    assert facts["summary"]["cells"] == 128


def test_a_chip_that_lived_in_the_runs_process_is_gone(capsys, tmp_path):
    path = aborted("sim-board", tmp_path / "run.h5")
    rows = open_run(path).rows

    code = run_command_line(["run", "--resume", str(path)])

    assert code == 2
    assert "is gone" in capsys.readouterr().err
    assert (open_run(path).status, open_run(path).rows) == ("aborted", rows)


def test_a_bench_file_that_has_changed_is_refused_by_its_table(capsys, tmp_path):
    bench = bench_file(tmp_path, ('state = "formed"', 'state = "chip.h5"'))
    path = aborted(bench, tmp_path / "run.h5")
    bench.write_text(bench.read_text().replace("voltage = 3.5 ", "voltage = 3.4 "))

    code = run_command_line(["run", "--resume", str(path)])

    assert code == 2
    assert "differs from it in [envelope]" in capsys.readouterr().err


def test_a_state_file_from_before_the_run_is_not_its_chip(capsys, tmp_path):
    bench = bench_file(tmp_path, ('state = "formed"', 'state = "chip.h5"'))
    with open_bench(bench, seed=1):
        pass
    old = (tmp_path / "chip.h5").read_bytes()
    path = aborted(bench, tmp_path / "run.h5")
    (tmp_path / "chip.h5").write_bytes(old)

    code = run_command_line(["run", "--resume", str(path)])

    assert code == 2
    assert "not as the run left it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        (["WriteVerify"], "'name'"),
        (["-p", "levels=4"], "'assignments'"),
        (["--seed", "1"], "'seed'"),
        (["--dry-run"], "'dry_run'"),
    ],
)
def test_what_the_file_says_is_not_said_again(capsys, tmp_path, beside, told):
    path = aborted("sim-board", tmp_path / "run.h5")

    code = run_command_line(["run", "--resume", str(path), *beside])

    assert code == 2
    assert told in capsys.readouterr().err
