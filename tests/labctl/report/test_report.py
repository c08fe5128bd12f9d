"""The page: what it says of runs whose contents are known, and that it needs nothing else."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

import pytest

from labctl.errors import OutputExistsError
from labctl.report import compose, write_report
from labctl.report.page import Picture, render
from labctl_data.run_file import Column, RunWriter, open_run


@cache
def _page(*paths):
    return compose([open_run(path) for path in paths], title="Test")


def _section(page, title):
    (found,) = [section for section in page.sections if section.title.startswith(title)]
    return found


@pytest.fixture(scope="module")
def whole(made):
    return render(_page(*made.values()))


def test_a_page_of_all_procedures_has_a_section_for_each_and_pictures_in_it(made):
    page = _page(*made.values())

    titles = [section.title for section in page.sections]
    assert titles == [
        "32 levels",
        "Current and voltage",
        "Read disturb",
        "Retention",
        "Multiply-accumulate",
        "The network",
        "Twin and original",
        "Provenance",
    ]
    for section in page.sections[:-1]:
        assert any(isinstance(part, Picture) for part in section.parts)


def test_the_page_loads_nothing_from_elsewhere(whole):
    assert not re.search(r'(?:src|href)="(?!#|data:)', whole)
    assert "@import" not in whole
    assert not re.search(r"url\((?!#|'?data:)", whole)
    assert "<script" not in whole


def test_text_from_a_file_is_escaped(whole):
    assert "&lt;b&gt;bold&lt;/b&gt;" in whole
    assert "<b>bold" not in whole


def test_every_tag_that_is_opened_is_closed(whole):
    class Balance(HTMLParser):
        void = ("meta", "br")

        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag not in self.void:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(whole)
    assert parser.open == []


def test_the_share_within_half_a_pitch_counts_the_cells_that_moved(made):
    # 128 of 2,048 cells (one in 16) moved 1 uS, more than half a pitch of .29 uS: 93.75 % stay.
    page = _page(made["levels"])

    captions = [part.caption for part in _section(page, "32 levels").parts]
    assert any("93.8 % 10 minutes later" in caption for caption in captions)


def test_a_cell_that_moved_to_another_level_is_not_told_apart(made):
    # Of the 128 cells that moved 1 uS up, 1.7 pitches, the four of the highest level stay nearest
    # to it: 124 of 2,048 are lost.
    page = _page(made["levels"])

    assert "93.9 %" in [key.value for key in page.keys]


def test_a_preset_is_said_to_keep_one_published_picture_and_to_give_up_the_other(made):
    notes = " ".join(_section(_page(made["levels"]), "32 levels").notes)

    assert "108 nA" in notes
    assert "39-47 %" in notes


def test_the_note_on_the_quiet_preset_says_why_less_is_measured_than_its_design_fact(
    tmp_path, write_levels
):
    path = write_levels(tmp_path / "quiet.h5", shift=1e-6, preset="yao-quiet")

    notes = " ".join(_section(_page(path), "32 levels").notes)

    assert "taken alone, would leave 99.9 %" in notes
    assert "lower than that 99.9 %" in notes
    assert all(cause in notes for cause in ("verify read", "mean drift", "telegraph"))


@pytest.mark.parametrize(("window", "told"), [(0.1e-6, True), (0.3e-6, False)])
def test_more_pulses_than_the_published_steps_give_are_laid_to_a_narrower_window(
    tmp_path, write_levels, window, told
):
    path = write_levels(tmp_path / "levels.h5", window=window)

    captions = [part.caption for part in _section(_page(path), "32 levels").parts]

    assert any("narrower window" in caption for caption in captions) is told


def test_a_cell_that_failed_is_named_with_the_reason(made):
    rows = [
        row
        for part in _section(_page(made["levels"]), "32 levels").parts
        for row in getattr(part, "rows", ())
    ]

    assert ["0/3/4", "5.00 \u00b5S", "4.00 \u00b5S", "1000", "pulse limit"] in rows


def test_a_twin_is_compared_with_the_original_and_not_shown_on_its_own(made):
    page = _page(made["levels"], made["twin"])

    titles = [section.title for section in page.sections]
    assert titles == ["32 levels", "Twin and original", "Provenance"]
    listing = _section(page, "Twin").parts[0]
    names = ["level error", "level error later", "pulses to target", "drift"]
    assert [row[0] for row in listing.rows] == names
    assert [row[3:] for row in listing.rows] == [["2,048", "2,048"]] * 4


def test_retention_says_how_far_the_mean_moved(made):
    # Three steps of 10 nS between four looks.
    assert "+30 nS" in _section(_page(made["retention"]), "Retention").lead


def test_the_mac_section_tells_error_from_the_rounding_of_the_adc(made):
    lead = _section(_page(made["mac"]), "Multiply").lead

    assert "mean +5.0" in lead
    assert "alone makes 0.0" in lead


def test_published_accuracies_stand_beside_mnist_only(made):
    listing = _section(_page(made["inference"]), "The network").parts[0]

    assert listing.headings == ("accuracy", "here")
    assert ["programmed on the array", "95.0 %"] in listing.rows


def test_an_unfinished_run_is_reported_as_far_as_it_came(tmp_path):
    path = tmp_path / "begun.h5"
    columns = [Column.from_pymeasure("Target (S)")]
    with RunWriter.create(
        path, columns=columns, attributes={"procedure": "WriteVerify", "parameters": {}}
    ) as run:
        run.finish("aborted")

    page = _page(path)

    assert "aborted" in page.sections[0].lead


def test_a_procedure_that_the_report_does_not_know_is_listed_by_its_columns(tmp_path):
    path = tmp_path / "mine.h5"
    columns = [Column.from_pymeasure("Temperature (K)")]
    with RunWriter.create(
        path, columns=columns, attributes={"procedure": "Mine", "parameters": {}}
    ) as run:
        run.append({"time": 0.0, "temperature": 300.0})

    page = _page(path)

    assert page.sections[0].title == "Mine"
    assert ["Temperature", "K", "temperature"] in page.sections[0].parts[0].rows


def test_a_page_that_exists_is_not_overwritten(made, tmp_path):
    target = tmp_path / "page.html"
    target.write_text("mine")

    with pytest.raises(OutputExistsError, match=r"page\.html"):
        write_report([made["iv"]], target)

    assert target.read_text() == "mine"


def test_a_pulse_map_is_drawn_with_what_each_pulse_did(tmp_path):
    from labctl.engine import run
    from labctl.report import compose
    from labctl_data.run_file import open_run
    from labctl_instruments import open_bench
    from labctl_procedures import catalogue

    parameters = {"cells": "0/0/0:8", "amplitudes": "2V, 2.4V", "widths": "100ns", "gates": "1.8V"}
    with open_bench("sim-board", seed=1) as station:
        result = run(catalogue.make("PulseMap", parameters), station, tmp_path / "map.h5")

    section, _ = compose([open_run(result.file)], title="").sections

    assert section.title == "One SET pulse"
    assert "8 cells, one pulse each under 2 conditions" in section.lead
    assert "furthest at 2.4 V" in section.lead
