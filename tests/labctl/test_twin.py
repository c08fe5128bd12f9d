"""Twins held against originals on cells that the fit did not see, and against a wrong twin."""

from __future__ import annotations

import json

import numpy as np
import pytest

import labctl_data as ld
import labctl_instruments as li
from labctl.cli.root import run_command_line
from labctl.engine import run
from labctl.errors import FailedError
from labctl.twin import LEAST_VALUES, judge
from labctl_data.model import preset
from labctl_procedures.catalogue import make

WRITE = {"cells": "0/0:32/:", "levels": 8, "window": "0.3uS", "after": "10min, 10min"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    with li.open_bench("sim-board", seed=5) as station:
        run(make("WriteVerify", WRITE), station, folder / "write.h5")
        for part in ("0/0:16/:", "0/16:32/:"):
            path = folder / f"keep{part[2]}.h5"
            run(make("Retention", {"cells": part, "duration": "1d"}), station, path)
    return sorted(folder.glob("*.h5"), key=lambda path: path.stat().st_mtime)


def test_a_fit_says_how_like_the_twin_is_to_cells_it_never_saw(runs, tmp_path, capsys):
    chip = tmp_path / "chip.h5"

    code = run_command_line(
        ["fit", *map(str, runs), "--hold-out", "0.3", "-o", str(chip), "--json"]
    )

    held_out = json.loads(capsys.readouterr().out)["quality"]["held_out"]
    assert code == 0
    assert held_out["cells"] == round(0.3 * 512)
    assert ld.read_chip(chip).quality["held_out"] == held_out
    names = ("level_error", "pulses_to_target", "drift", "read_noise")
    for name in (
        *(f"{each} (write.h5)" for each in names),
        "retention_change (keep0.h5, keep1.h5)",
    ):
        each = held_out["ks"][name]
        assert each["sizes"][0] <= 154
        # Smirnov: sqrt(ln(40)/2 * 2/154) for 154 values a side.
        assert 0.154 < each["noise_floor"] < 0.17
        assert each["p_value"] > 1e-3, name


def test_a_wrong_twin_is_told_by_what_is_wrong_with_it(runs, tmp_path):
    wrong = preset("yao").with_parameters(relaxation_sigma=np.full(10, 0.4e-6))
    ld.write_chip(tmp_path / "wrong.h5", wrong)

    found = {
        each.statistic: each.test for each in judge([ld.open_run(runs[0])], tmp_path / "wrong.h5")
    }

    assert found["drift"].p_value < 1e-6
    assert found["read_noise"].p_value > 1e-3


def test_of_few_cells_nothing_is_said(tmp_path):
    """Chance alone makes a distance of 0.33 between two samples of 32."""
    with li.open_bench("sim-board", seed=5) as station:
        run(make("WriteVerify", WRITE | {"cells": "0/0:2/:"}), station, tmp_path / "few.h5")
    ld.write_chip(tmp_path / "yao.h5", preset("yao"))

    found = judge([ld.open_run(tmp_path / "few.h5")], tmp_path / "yao.h5")

    assert all(min(each.test.sizes) >= LEAST_VALUES for each in found)
    assert "level_error" not in {each.statistic for each in found}


def test_a_run_and_a_chip_file_are_compared_by_that_run(runs, tmp_path, capsys):
    ld.write_chip(tmp_path / "yao.h5", preset("yao"))

    code = run_command_line(["chip", "compare", str(tmp_path / "yao.h5"), str(runs[1]), "--json"])

    found = json.loads(capsys.readouterr().out)["ks"]
    assert code == 0
    assert found.keys() == {"retention_change"}
    assert found["retention_change"]["p_value"] > 1e-3


def test_more_cells_than_there_are_cannot_be_held_out(runs, tmp_path, capsys):
    chip = str(tmp_path / "chip.h5")

    assert run_command_line(["fit", str(runs[0]), "--hold-out", "1", "-o", chip]) == 2
    assert run_command_line(["fit", str(runs[0]), "--hold-out", "0.001", "-o", chip]) == 2
    assert "found 512 cells in the runs: 1 to judge" in capsys.readouterr().err


def run_from_elsewhere(path, procedure):
    """Return a run in which no bench file is kept."""
    facts = {"procedure": procedure, "chip": "a", "geometry": [1, 8, 8]}
    with ld.RunWriter.create(path, columns=(), attributes=facts):
        pass
    return ld.open_run(path)


def test_a_run_that_does_not_say_on_what_bench_it_was_made_cannot_be_repeated(tmp_path):
    ld.write_chip(tmp_path / "yao.h5", preset("yao"))
    stranger = run_from_elsewhere(tmp_path / "stranger.h5", "Retention")

    with pytest.raises(FailedError, match="found no bench file kept in it"):
        judge([stranger], tmp_path / "yao.h5")


def test_runs_of_procedures_that_no_twin_repeats_are_passed_over(tmp_path):
    ld.write_chip(tmp_path / "yao.h5", preset("yao"))

    assert judge([run_from_elsewhere(tmp_path / "a.h5", "Inference")], tmp_path / "yao.h5") == ()
