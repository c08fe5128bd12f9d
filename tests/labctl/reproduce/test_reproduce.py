"""Published systems done again: the table, its figures, a whole entry on few images."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from labctl.cli.root import run_command_line
from labctl.report import published
from labctl.report.published import SOURCES, Published
from labctl.reproduce.figures import change, row
from labctl.reproduce.mcnn_budget import SUSPECTS, crossing, steps
from labctl.reproduce.mcnn_retention import _in_order
from labctl.reproduce.registry import ENTRIES, entry
from labctl.reproduce.variants import Variant
from labctl_data.cells import Cells
from labctl_instruments import load_bench, open_bench


def test_an_interval_is_students_and_shrinks_to_nothing_for_equal_trials() -> None:
    of_three = row("x", [1.0, 2.0, 3.0], unit="S")
    alike = row("x", [0.98, 0.98])
    single = row("x", [0.98])

    # t(0.975, 2) = 4.3027 (tables), s = 1
    assert of_three.high - of_three.obtained == pytest.approx(4.3027 / np.sqrt(3), abs=1e-3)
    assert (alike.low, alike.high) == (pytest.approx(0.98), pytest.approx(0.98))
    assert (single.low, single.high) == (None, None)


def test_the_interval_of_a_share_ends_at_one_and_that_of_a_change_may_be_negative() -> None:
    share = row("accuracy", [0.99, 1.0])
    fall = change("accuracy", [0.99, 0.98], [0.97, 0.97])

    assert share.high == 1.0
    assert fall.low < fall.obtained == pytest.approx(-0.015)


def test_every_published_figure_names_a_source_that_is_public() -> None:
    tables = [value for value in vars(published).values() if isinstance(value, dict)]
    figures = [f for table in tables for f in table.values() if isinstance(f, Published)]

    assert len(figures) > 15
    assert {figure.source for figure in figures} <= set(SOURCES) == {"P", "W"}


def test_the_verb_without_a_name_lists_every_entry_and_each_can_be_loaded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["reproduce", "--json"]) == 0

    named = [each["name"] for each in json.loads(capsys.readouterr().out)["entries"]]
    assert named == list(ENTRIES)
    assert all(entry(name).trials >= 1 for name in named)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("reproduce mcmm", "'mcmm': unknown; there are mcnn"),
        ("reproduce mcnn --seeds 0", "not in the range"),
        ("reproduce mcnn --images faces", "faces"),
        ("reproduce mcnn-budget --bench board --images digits", "no [virtual] preset"),
    ],
)
def test_what_cannot_be_done_again_is_refused_in_one_line(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(words.split()) == 2

    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said


def test_an_entry_prints_published_beside_obtained_and_draws_its_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"reproduce mcnn --images digits --count 40 --seeds 1 --json -o {tmp_path}/page.html"

    assert run_command_line(words.split()) == 0

    facts = json.loads(capsys.readouterr().out)
    rows = {each["name"]: each for each in facts["rows"]}
    assert {"name", "published", "obtained", "unit"} <= set(facts["rows"][0])
    assert 0.9 < rows["accuracy, transferred"]["obtained"] <= 1
    assert rows["accuracy, trained"]["published"] is None  # the published figure is of mnist
    assert rows["programming error at inference"]["published"] == pytest.approx(540e-9)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "sim-board" in page


def test_a_loss_is_met_between_the_sizes_about_it() -> None:
    assert crossing([0, 1, 3], np.array([0.98, 0.96, 0.92]), 0.94) == pytest.approx(2)
    assert crossing([0, 1], np.array([0.93, 0.92]), 0.94) == 0
    assert crossing([0, 1], np.array([0.98, 0.97]), 0.94) is None


def test_levels_count_as_ordered_only_above_all_below_them() -> None:
    assert _in_order(np.array([1.0, 2.0, 3.0, 4.0])) == 4
    assert _in_order(np.array([1.0, 3.0, 2.0, 4.0])) == 3


def test_each_step_of_the_budget_adds_to_the_one_before_and_its_bench_opens(
    tmp_path: Path,
) -> None:
    conditions = list(steps().values())

    for before, after in pairwise(conditions):
        assert before.chip.keeps <= after.chip.keeps
        assert before.chip.virtual.items() <= after.chip.virtual.items()
    bench = conditions[-1].chip.write("sim-board", tmp_path, "last")
    virtual = load_bench(bench).virtual
    assert virtual is not None
    assert (virtual.stuck, virtual.wire_resistance, virtual.converters.offset) == tuple(
        suspect.usual
        for name in ("stuck cells", "wire resistance", "ADC offset")
        for suspect in SUSPECTS
        if suspect.name == name
    )


def test_a_variant_without_noise_reads_the_same_twice_and_one_that_keeps_it_does_not(
    tmp_path: Path,
) -> None:
    still = Variant().write("sim-board", tmp_path, "still")
    noisy = Variant(frozenset({"read_noise"})).write("sim-board", tmp_path, "noisy")

    spreads = []
    for bench in (still, noisy):
        with open_bench(bench, seed=1) as station:
            cells = Cells.from_index(np.arange(32), station.geometry)
            spreads.append(np.abs(station.read(cells) - station.read(cells)).max())

    assert spreads[0] == 0 < spreads[1]
