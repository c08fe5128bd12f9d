"""The frame of the command line: help, errors, exit codes, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labctl.cli.root import VERBS, run_command_line

SMALL = ["-p", "cells=0/0:4/0:16", "-p", "levels=4", "-p", "after=1s"]


def _labctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = "from labctl.cli import main; main()"
    path = ":".join(entry for entry in sys.path if entry)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
    )


def test_help_names_every_verb():
    answer = _labctl("--help")

    assert answer.returncode == 0
    assert all(f"\n  {verb} " in answer.stdout for verb in VERBS)


def test_help_imports_no_verb_and_none_of_the_heavy_libraries():
    program = (
        "import sys; from labctl.cli.root import run_command_line; run_command_line(['--help']);"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " ('numpy', 'rich', 'pymeasure', 'h5py', 'matplotlib', 'PyQt6', 'pydantic')])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )

    assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_is_listed_can_be_asked_for_help(verb, capsys):
    assert run_command_line([verb, "--help"]) == 0
    assert "Usage: labctl" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "labctl: name one of demo, procedures, bench"),
        (["bench"], "labctl bench: name one of check, rest"),
        (["nonsense"], "nonsense"),
        (["run"], "NAME"),
        (["run", "Nonsense"], "Nonsense"),
        (["run", "WriteVerify", "-p", "levels"], "levels"),
        (["run", "WriteVerify", "-p", "levels=4", "-p", "levels=5"], "levels"),
        (["run", "WriteVerify", "-p", "nonsense=1"], "nonsense"),
        (["run", "WriteVerify", "-p", "set_amplitude=50V"], "set_amplitude"),
        (["run", "WriteVerify", "-p", "voltage=2A"], "voltage"),
        (["run", "WriteVerify", "--bench", "nowhere"], "nowhere"),
        (["run", "WriteVerify", "--bench", "board", "--seed", "3"], "seed"),
        (["run", "WriteVerify", "-p", "cells=9/0/0", "-o", "x.h5"], "'9/0/0': PE '9'"),
        (["run", "IVSweep", "-p", "cells=0/0:200/0", "-o", "x.h5"], "row '0:200'"),
        (["run", "Retention", "-p", "cells=0/0/3,0/0/3", "-o", "x.h5"], "0/0/3"),
        (["run", "WriteVerify", "-o", "no/such/folder/x.h5"], "no/such/folder"),
        (["data", "show", "absent.h5"], "absent.h5"),
        (["report", "absent.h5"], "absent.h5"),
        (["bench", "check", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_line_that_names_it_and_exit_2(
    arguments, named, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    code = run_command_line(arguments)

    said = capsys.readouterr()
    assert code == 2
    assert named in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_with_json_an_error_is_one_json_object_on_stdout(capsys):
    code = run_command_line(["run", "Nonsense", "--json"])

    said = capsys.readouterr()
    assert code == 2
    assert "Nonsense" in json.loads(said.out)["error"]


def test_an_envelope_that_forbids_a_parameter_is_bad_input_and_nothing_is_written(capsys, tmp_path):
    target = tmp_path / "run.h5"

    code = run_command_line(
        ["run", "WriteVerify", "-p", "set_amplitude=4.5V", "-o", str(target), "--json"]
    )

    assert code == 2
    assert "envelope" in json.loads(capsys.readouterr().out)["error"]
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_exists_is_refused_and_left_as_it_is(capsys, tmp_path):
    target = tmp_path / "kept.h5"
    target.write_text("mine")

    code = run_command_line(["run", "WriteVerify", *SMALL, "-o", str(target)])

    assert code == 2
    assert "kept.h5" in capsys.readouterr().err
    assert target.read_text() == "mine"


def test_a_file_that_is_no_run_file_is_bad_input(capsys, tmp_path):
    other = tmp_path / "notes.h5"
    other.write_text("not HDF5")

    assert run_command_line(["data", "show", str(other)]) == 2
    assert "notes.h5" in capsys.readouterr().err


def test_stdout_holds_one_json_object_and_progress_goes_to_stderr(capfd, tmp_path):
    code = run_command_line(
        ["run", "WriteVerify", *SMALL, "-o", str(tmp_path / "run.h5"), "--json"]
    )

    said = capfd.readouterr()
    facts = json.loads(said.out)
    assert code == 0
    assert {"file", "status", "rows", "summary"} <= facts.keys()
    assert facts["status"] == "complete"
    assert "WriteVerify" in said.err


def test_without_an_output_the_run_gets_a_dated_name_in_the_data_folder(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = tmp_path / "labctl" / "labctl.toml"
    config.parent.mkdir()
    config.write_text(f'data_folder = "{tmp_path}/runs"\noperator = "Ada"\n')

    run_command_line(["run", "WriteVerify", *SMALL, "--json"])
    file = Path(json.loads(capsys.readouterr().out)["file"])
    run_command_line(["data", "list", "--json"])
    listed = json.loads(capsys.readouterr().out)["runs"]
    run_command_line(["data", "show", str(file), "--json"])
    shown = json.loads(capsys.readouterr().out)

    assert file.parent == tmp_path / "runs"
    assert file.name.endswith("_WriteVerify.h5")
    assert [each["file"] for each in listed] == [str(file)]
    assert shown["attributes"]["operator"] == "Ada"
    assert {"status", "rows", "procedure", "parameters"} <= shown.keys()


def test_a_configuration_with_an_unknown_key_is_one_clear_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = tmp_path / "labctl" / "labctl.toml"
    config.parent.mkdir()
    config.write_text('bnech = "sim-smu"\n')

    assert run_command_line(["run", "WriteVerify"]) == 2
    assert "bnech" in capsys.readouterr().err
