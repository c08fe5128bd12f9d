"""What the command line says to a person: help that is whole, refusals that name the matter."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from labctl.cli.progress import ProgressBar
from labctl.cli.root import run_command_line


def refused(capsys, *arguments):
    assert run_command_line(list(arguments)) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize("verb", ["bench", "queue", "campaign", "chip", "data"])
def test_help_cuts_no_sentence_off(capsys, verb):
    assert run_command_line([verb, "--help"]) == 0

    assert "..." not in capsys.readouterr().out.partition("Verbs:")[2]


@pytest.mark.parametrize("verb", ["run", "infer", "queue add", "serve", "reproduce"])
def test_help_speaks_of_no_types(capsys, verb):
    assert run_command_line([*verb.split(), "--help"]) == 0

    assert "RANGE" not in capsys.readouterr().out


def test_a_seed_that_is_no_number_is_refused_in_words(capsys):
    line = refused(capsys, "run", "IVSweep", "--seed", "abc")

    assert line.startswith("labctl run: ")
    assert "'--seed': 'abc' is not a valid whole number" in line


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["run", "IVSweep", "-o", "x.txt"], "*.h5"),
        (["infer", "mcnn", "-o", "x.html"], "*.h5"),
        (["queue", "add", "IVSweep", "-o", "x.csv"], "*.h5"),
        (["gui", "--screenshot", "x.jpg"], "*.png"),
        (["reproduce", "mcnn", "-o", "x.h5"], "*.html"),
    ],
)
def test_a_file_named_as_another_kind_is_refused_and_not_written(
    capsys, tmp_path, monkeypatch, arguments, wanted
):
    monkeypatch.chdir(tmp_path)

    assert wanted in refused(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_step_that_was_done_whole_says_so_in_a_log_and_one_that_was_not_how_far():
    log = io.StringIO()

    with ProgressBar(Console(file=log, force_terminal=False)) as bar:
        for label, total, done in (("fit", None, 0), ("cells", 9, 9), ("images", 9, 4)):
            bar.start(label, total)
            bar.advance(done)
            bar.finish()

    fit, cells, images = log.getvalue().splitlines()
    assert fit.startswith("fit: done in ")
    assert cells.startswith("cells: done in ")
    assert images.startswith("images: 4 of 9 in ")
