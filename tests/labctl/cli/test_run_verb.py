"""`labctl run`, and what its file says to the other verbs."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from labctl.cli.root import run_command_line
from labctl_data.run_file import open_run
from labctl_procedures import IVSweep

SMALL = ["-p", "cells=0/0:4/0:16", "-p", "levels=4", "-p", "after=1s"]


def _facts(capsys, *arguments):
    code = run_command_line([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(capsys, tmp_path):
    tables = []
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        path = tmp_path / f"{name}.h5"
        _facts(capsys, "run", "WriteVerify", *SMALL, "--seed", seed, "-o", str(path))
        tables.append(open_run(path).record("conductance"))

    assert np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])


def test_a_dry_run_predicts_rows_pulses_and_time_of_the_run_and_writes_nothing(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    _, dry = _facts(capsys, "run", "WriteVerify", *SMALL, "--dry-run")
    left = list(tmp_path.rglob("*"))
    path = tmp_path / "run.h5"
    _, done = _facts(capsys, "run", "WriteVerify", *SMALL, "-o", str(path))
    run = open_run(path)

    assert left == []
    assert dry["estimate"]["rows"] == done["rows"]
    assert dry["estimate"]["pulses"] == int(run.ledger["count"].sum())
    assert dry["estimate"]["voltage"] == 2.0
    assert dry["estimate"]["time"] == pytest.approx(float(np.ptp(run.record("time"))), rel=0.01)


def test_the_current_of_a_dry_run_is_that_of_the_highest_conductance_at_the_highest_pulse(
    capsys, tmp_path
):
    path = tmp_path / "run.h5"
    _, dry = _facts(capsys, "run", "WriteVerify", *SMALL, "--dry-run")
    _facts(capsys, "run", "WriteVerify", *SMALL, "-o", str(path))
    highest = float(np.nanmax(open_run(path).record("conductance")))

    # Preset yao: I = g 0.2 V sinh(bV) / sinh(b 0.2 V) with b = 1.5 /V; the RESET pulse has 2 V.
    expected = highest * 0.2 * np.sinh(1.5 * 2.0) / np.sinh(1.5 * 0.2)
    assert dry["estimate"]["current"] == pytest.approx(expected)
    assert expected > 100e-6
    assert dry["estimate"]["energy"] == pytest.approx(2.0 * 50e-9 * expected)


def test_the_current_of_a_dry_run_of_a_sweep_is_its_compliance(capsys):
    _, dry = _facts(capsys, "run", "IVSweep", "-p", "cells=0/0/0", "-p", "cycles=1", "--dry-run")

    assert dry["estimate"]["current"] == IVSweep().compliance
    # Board: 1 ms a point, the highest at 1.5 V.
    assert dry["estimate"]["energy"] == pytest.approx(1.5 * 1e-3 * IVSweep().compliance)
    assert dry["estimate"]["relay_closures"] == 0


def test_a_dry_run_counts_the_relays_that_the_run_closes(capsys):
    read = ("ReadDisturb", "-p", "cells=0/0/0", "-p", "levels=0", "-p", "total=1")
    _, dry = _facts(capsys, "run", *read, "--bench", "sim-smu", "--dry-run")

    # 272 lines once each; then bit, source and word line of the cell change rows for the stress.
    assert dry["estimate"]["relay_closures"] >= 272
    assert dry["estimate"]["relay_closures"] < 272 + 20


def test_a_dry_run_on_a_real_bench_connects_to_nothing(capsys):
    code, facts = _facts(capsys, "run", "WriteVerify", *SMALL, "--bench", "board", "--dry-run")

    assert code == 0
    assert facts["estimate"]["time"] > 1.0  # the wait before the later map


def test_what_a_file_says_is_shown_as_it_stands_and_not_as_markup(capsys, tmp_path):
    path = tmp_path / "[red]run.h5"
    _facts(capsys, "run", "WriteVerify", *SMALL, "-o", str(path), "--operator", "[bold]Ada[/bold]")

    code = run_command_line(["data", "show", str(path)])

    said = capsys.readouterr().out.replace("\n", "")  # a long path takes two lines
    assert code == 0
    assert all(word in said for word in ("[red]run.h5", "[bold]Ada[/bold]"))


def test_an_exported_csv_holds_every_row_under_names_with_units(capsys, tmp_path):
    run, table = tmp_path / "run.h5", tmp_path / "run.csv"
    _, done = _facts(capsys, "run", "WriteVerify", *SMALL, "-o", str(run))

    code, facts = _facts(capsys, "data", "export", str(run), "-o", str(table))

    with table.open() as file:
        header, *rows = list(csv.reader(file))
    assert code == 0
    assert facts["rows"] == len(rows) == done["rows"]
    column = header.index("Conductance (S)")
    stored = open_run(run).record("conductance")
    assert [float(row[column]) for row in rows] == stored.tolist()


def test_a_whole_run_file_is_valid_and_a_truncated_one_is_not(capsys, tmp_path):
    whole, cut = tmp_path / "whole.h5", tmp_path / "cut.h5"
    _facts(capsys, "run", "WriteVerify", *SMALL, "-o", str(whole))
    cut.write_bytes(whole.read_bytes()[:5000])

    good, _ = _facts(capsys, "data", "validate", str(whole))
    bad, facts = _facts(capsys, "data", "validate", str(whole), str(cut))

    assert (good, bad) == (0, 1)
    assert facts["files"][str(whole)] == []
    assert facts["files"][str(cut)]


def test_comparing_a_run_with_itself_gives_ks_distances_of_zero(capsys, tmp_path):
    run = tmp_path / "run.h5"
    _facts(capsys, "run", "WriteVerify", *SMALL, "-o", str(run))

    code, facts = _facts(capsys, "chip", "compare", str(run), str(run))

    assert code == 0
    assert facts["ks"]["pulses_to_target"]["distance"] == 0
