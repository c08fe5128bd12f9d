"""What the window keeps in files: forms filled before, and plots."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from labctl_gui.state.export import export, write_csv
from labctl_gui.state.pictures import Axis, Curve, Picture
from labctl_gui.state.presets import Presets

PICTURE = Picture(
    "Current against voltage",
    Axis("Voltage", "V"),
    Axis("Current", "A"),
    (Curve(np.array([0.0, 0.1]), np.array([0.0, 2e-6])), Curve(np.array([0.2]), np.array([4e-6]))),
)


def test_a_preset_is_there_when_the_window_is_opened_again(tmp_path: Path):
    path = tmp_path / "kept" / "presets.json"
    Presets(path).save("IVSweep", "forming", {"cells": "0/0/0"})

    again = Presets(path)

    assert again.names("IVSweep") == ("forming",)
    assert again.values("IVSweep", "forming") == {"cells": "0/0/0"}
    assert again.names("Retention") == ()


def test_a_file_that_holds_no_presets_is_told_of_and_does_no_harm(tmp_path: Path, caplog):
    path = tmp_path / "presets.json"
    path.write_text("[1, 2")

    assert Presets(path).names("IVSweep") == ()
    assert str(path) in caplog.text


def test_the_points_of_a_plot_are_written_with_their_units(tmp_path: Path):
    path = tmp_path / "plot.csv"

    write_csv(PICTURE, path)

    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == ["Curve", "Voltage (V)", "Current (A)"]
    assert rows[1:] == [["0", "0.0", "0.0"], ["0", "0.1", "2e-06"], ["1", "0.2", "4e-06"]]


def test_a_vector_figure_names_its_axes_in_text(tmp_path: Path):
    path = tmp_path / "plot.svg"

    export(PICTURE, path).join()

    drawn = path.read_text()
    assert drawn.count("<svg") == 1
    assert "Voltage (V)" in drawn
    assert "Current against voltage" in drawn


def test_an_export_overwrites_nothing(tmp_path: Path, caplog):
    path = tmp_path / "plot.csv"
    path.write_text("precious")

    export(PICTURE, path).join()

    assert path.read_text() == "precious"
    assert "plot.csv" in caplog.text
