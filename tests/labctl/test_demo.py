"""The main job, whole: `labctl demo`."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path

import pytest

from labctl.cli.root import run_command_line
from labctl_data.chip_file import read_chip
from labctl_data.run_file import open_run


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "out"
    datasets = os.environ.pop("LABCTL_DATASETS", None)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            code = run_command_line(["demo", "--out", str(folder), "--json"])
    finally:
        if datasets is not None:
            os.environ["LABCTL_DATASETS"] = datasets
    return code, json.loads(printed.getvalue()), folder


def test_the_demo_does_all_of_its_job_and_says_so(demo):
    code, facts, folder = demo

    assert code == 0
    assert Path(facts["report"]) == folder / "report.html"
    assert {open_run(path).procedure for path in facts["runs"]} == {
        *("WriteVerify", "ReadDisturb", "Retention", "DifferentialMAC", "IVSweep"),
        "Inference",
    }
    assert {str(open_run(path).status) for path in facts["runs"]} == {"complete"}
    assert facts["seconds"] > 0


def test_the_report_of_the_demo_shows_how_far_its_model_is_off(demo):
    folder = demo[2]
    assert "Residuals of" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_network_of_the_demo_recognises_digits_on_the_array(demo):
    _, facts, _ = demo
    accuracies = [
        facts[f"accuracy_{name}"] for name in ("software", "quantized", "programmed", "trained")
    ]

    assert all(0.96 < accuracy <= 1 for accuracy in accuracies)


def test_the_demos_write_verify_reaches_its_levels(demo):
    _, _, folder = demo
    summary = open_run(folder / "write-verify.h5").summary

    assert summary["cells"] == 2048
    assert summary["converged"] >= 0.99
    assert summary["within_half_pitch_fresh"] >= 0.99


def test_the_twin_of_the_demo_behaves_like_the_original(demo):
    # 2,048 cells a side: the 1 % critical distance of two equal distributions is 0.051.
    _, facts, _ = demo

    assert facts["ks"]["pulses_to_target"]["distance"] < 0.08
    assert facts["ks"]["drift"]["distance"] < 0.08


def test_the_chip_file_says_what_could_not_be_identified(demo):
    _, facts, _ = demo
    verdicts = {each.name: each.identifiable for each in read_chip(facts["chip"]).parameters}

    assert verdicts["reset_step"]
    assert not verdicts["reset_slope"]  # pulses of one amplitude say nothing of the slope


def test_a_demo_does_not_write_into_a_folder_that_holds_something(demo, capsys):
    _, _, folder = demo

    assert run_command_line(["demo", "--out", str(folder)]) == 2
    assert "not empty" in capsys.readouterr().err
