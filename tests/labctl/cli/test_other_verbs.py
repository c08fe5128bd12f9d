"""infer, gui, doctor, bench check, fit and chip show, as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import labctl_instruments
from labctl.cli.root import run_command_line
from labctl.doctor import examine, packages_of
from labctl_data.chip_file import write_chip
from labctl_data.model import preset
from labctl_data.run_file import open_run


def _facts(capsys, *arguments):
    code = run_command_line([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_infer_prints_its_accuracies_and_keeps_every_prediction(capsys, tmp_path):
    path = tmp_path / "digits.h5"

    code, facts = _facts(capsys, "infer", "mcnn", "--count", "50", "-o", str(path))

    run = open_run(path)
    right = run.record("predicted") == run.record("label")
    assert code == 0
    assert facts["accuracy_programmed"] == np.mean(right)
    assert facts["accuracy_trained"] is None
    assert facts["images_per_second"] > 0
    assert run.rows == 50
    assert int(run.ledger["count"].sum()) == facts["programming_pulses"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["infer", "nothing"], "nothing"),
        (["infer", "mcnn", "--images", "cats"], "cats"),
        (["infer", "mcnn", "--bench", "sim-smu"], "FC"),
    ],
)
def test_a_network_that_cannot_be_had_or_mapped_is_bad_input(arguments, named, capsys, tmp_path):
    code = run_command_line([*arguments, "-o", str(tmp_path / "x.h5")])

    said = capsys.readouterr().err
    assert code == 2
    assert named in said.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_the_window_is_found_and_takes_a_picture(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    picture = tmp_path / "window.png"

    code, _ = _facts(capsys, "gui", "--bench", "sim-board", "--screenshot", str(picture))

    assert code == 0
    assert picture.read_bytes()[1:4] == b"PNG"


def test_the_doctor_names_what_is_missing_and_how_to_get_it():
    findings = {finding.name: finding for finding in examine()}

    assert findings["VISA @labctl"].ok
    assert all(finding.remedy for finding in findings.values() if not finding.ok)


def test_the_doctor_says_which_feature_lacks_a_package_and_leaves_out_what_tests_need():
    requirements = [
        "click>=8.1",
        "not-there>=1; extra == 'analysis'",
        "pytest>=8; extra == 'test'",
    ]

    needed, wanted = packages_of(requirements)

    assert (needed.name, needed.ok, needed.needed) == ("click", True, True)
    assert (wanted.ok, wanted.needed) == (False, False)
    assert wanted.remedy == "pip install 'labctl[analysis]', for Run.to_xarray"


def test_bench_check_connects_to_every_instrument_and_names_it(capsys):
    code, facts = _facts(capsys, "bench", "check", "sim-board", "--connect")

    assert code == 0
    assert facts["ok"]
    answers = {each["name"]: each["identity"] for each in facts["instruments"]}
    assert "ARRAY-BOARD" in answers["board"]


def test_bench_check_says_which_instrument_does_not_answer(capsys, tmp_path):
    shipped = Path(labctl_instruments.__file__).parent / "benches" / "board.toml"
    bench = tmp_path / "mine.toml"
    bench.write_text(
        shipped.read_text().replace(
            "TCPIP0::192.0.2.10::5025::SOCKET", "TCPIP0::127.0.0.1::9::SOCKET"
        )
    )

    code, facts = _facts(capsys, "bench", "check", str(bench), "--connect")

    assert code == 1
    assert not facts["ok"]
    assert facts["instruments"][0]["problem"]


def test_a_bench_file_with_an_unknown_key_is_one_line_that_names_the_place(capsys, tmp_path):
    shipped = Path(labctl_instruments.__file__).parent / "benches" / "board.toml"
    bench = tmp_path / "mine.toml"
    bench.write_text(shipped.read_text().replace("voltage = 3.5", "voltage = 3.5\nvolts = 3"))

    code = run_command_line(["bench", "check", str(bench)])

    said = capsys.readouterr().err
    assert code == 2
    assert "mine.toml [envelope]" in said
    assert "volts" in said


def test_a_dry_run_leaves_the_state_of_a_simulated_chip_alone(capsys, tmp_path):
    shipped = Path(labctl_instruments.__file__).parent / "benches" / "sim-board.toml"
    bench, state = tmp_path / "mine.toml", tmp_path / "chip-state.h5"
    bench.write_text(shipped.read_text().replace('state = "formed"', 'state = "chip-state.h5"'))
    small = ["-p", "cells=0/0/:", "-p", "levels=2", "-p", "after=1s", "--bench", str(bench)]

    code, _ = _facts(capsys, "run", "WriteVerify", *small, "--dry-run")

    assert code == 0
    assert not state.exists()


def test_a_chip_file_shows_what_was_identified_and_what_was_not(capsys, tmp_path):
    run, chip = tmp_path / "write.h5", tmp_path / "chip.h5"
    small = ["-p", "cells=0/0:16/:", "-p", "levels=8", "-p", "after=1s"]
    _facts(capsys, "run", "WriteVerify", *small, "-o", str(run))

    code, fitted = _facts(capsys, "fit", str(run), "-o", str(chip))
    _, shown = _facts(capsys, "chip", "show", str(chip))

    verdicts = {each["name"]: each["identifiable"] for each in shown["parameters"]}
    assert code == 0
    assert {"parameters", "quality"} <= fitted.keys()
    assert verdicts["reset_step"] is True
    assert verdicts["reset_slope"] is False
    assert run_command_line(["fit", str(run), "-o", str(chip)]) == 2


def test_a_chip_file_is_no_distance_from_itself_and_some_from_a_quieter_chip(capsys, tmp_path):
    yao, quiet = tmp_path / "yao.h5", tmp_path / "quiet.h5"
    write_chip(yao, preset("yao"))
    write_chip(quiet, preset("yao-quiet"))

    _, same = _facts(capsys, "chip", "compare", str(yao), str(yao))
    code, other = _facts(capsys, "chip", "compare", str(yao), str(quiet))

    assert code == 0
    statistics = {"level_error", "level_error_later", "pulses_to_target", "drift", "read_noise"}
    assert {name: each["distance"] for name, each in same["ks"].items()} == dict.fromkeys(
        statistics, 0.0
    )
    # Steps are the same in both presets, relaxation is .19 against .03 uS a root decade.
    assert other["ks"]["drift"]["distance"] > 0.2
    assert other["ks"]["drift"]["p_value"] < 1e-6
    pairs = {
        each["a"]["name"]: (each["a"]["value"], each["b"]["value"]) for each in other["parameters"]
    }
    assert pairs["relaxation_sigma"][0] > pairs["relaxation_sigma"][1]


def test_validate_looks_through_a_chip_file_too_and_refuses_what_is_neither(capsys, tmp_path):
    chip, cut, other = (tmp_path / name for name in ("chip.h5", "cut.h5", "other.h5"))
    write_chip(chip, preset("yao"))
    cut.write_bytes(chip.read_bytes()[:3000])
    with h5py.File(other, "w") as file:
        file["x"] = [1, 2]

    good, facts = _facts(capsys, "data", "validate", str(chip))
    bad, found = _facts(capsys, "data", "validate", str(cut), str(other))

    assert (good, bad) == (0, 1)
    assert facts["kinds"] == {str(chip): "chip"}
    assert found["files"][str(cut)]
    assert found["files"][str(other)] == [f"{other}: not a labctl run file, nor a chip file"]


@pytest.mark.parametrize(
    ("name", "told"), [("mask.npy", "no such mask file"), ("mask.npz", "no such mask file")]
)
def test_a_mask_file_that_is_not_there_is_said_to_be_missing(capsys, tmp_path, name, told):
    mask = tmp_path / name

    code = run_command_line(["run", "WriteVerify", "-p", f"cells={mask}", "--dry-run"])

    assert code == 2
    assert f"'{mask}': {told}" in capsys.readouterr().err


def test_an_archive_of_arrays_is_no_mask(capsys, tmp_path):
    mask = tmp_path / "mask.npz"
    np.savez(mask, mask=np.ones((8, 128, 16), bool))

    assert run_command_line(["run", "WriteVerify", "-p", f"cells={mask}", "--dry-run"]) == 2
    assert "found an archive" in capsys.readouterr().err
