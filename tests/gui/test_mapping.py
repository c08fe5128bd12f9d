"""Where a network lies on the array: drawn beside the run, shown in the network panel."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from PyQt6.QtGui import QImage

from labctl.inference_file import COLUMNS, LAYER, LAYER_NAMES, PROCEDURE, TARGET
from labctl_data.cells import Geometry
from labctl_data.run_file import MapSpec, RunWriter
from labctl_gui.state.mapping import MappingWatch, mapping_png
from labctl_gui.state.progress import ProgressMeter
from tests.gui.driving import PATIENCE, click

SHAPE = (2, 16, 8)


def written_run(path, *, mapped=True):
    """A run of Inference whose one layer fills PE 1, half of its cells conducting."""
    layers = np.full(SHAPE, -1.0)
    targets = np.full(SHAPE, np.nan)
    layers[1] = 0
    targets[1] = np.where(np.arange(8) % 2, 20e-6, 2e-6)
    geometry = Geometry(*SHAPE)
    maps = [MapSpec(LAYER, "", geometry, "layer"), MapSpec(TARGET, "S", geometry, "target")]
    with RunWriter.create(
        path, columns=COLUMNS, maps=maps, attributes={"procedure": PROCEDURE, "parameters": {}}
    ) as run:
        if mapped:
            run.append_map(LAYER, 0.0, layers)
            run.append_map(TARGET, 0.0, targets)
            run.event(0.0, LAYER_NAMES, json.dumps(["FC"]))
        run.finish("complete", {})
    return path


def coloured(png):
    """Return which pixels of a PNG are no grey, shape (rows, columns)."""
    image = QImage.fromData(png, "PNG").convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)
    return np.ptp(pixels, axis=2) > 30


def test_only_the_array_that_holds_the_layer_is_coloured(tmp_path):
    where = np.argwhere(coloured(mapping_png(written_run(tmp_path / "run.h5"))))
    middle = QImage.fromData(mapping_png(tmp_path / "run.h5")).width() / 2

    assert len(where) > 10_000
    assert where[:, 1].min() > middle


def test_a_run_that_does_not_tell_its_mapping_has_no_picture(tmp_path):
    assert mapping_png(written_run(tmp_path / "run.h5", mapped=False)) is None


def test_the_mapping_is_drawn_once_and_progress_goes_through(tmp_path):
    meter, drawn, told = ProgressMeter(), [], threading.Event()

    def take(png):
        drawn.append(png)
        told.set()

    watch = MappingWatch(meter, written_run(tmp_path / "run.h5"), take)
    watch.start("programming", 10)
    watch.advance(4)
    watch.start("inference", 20)
    watch.advance(5)

    assert told.wait(PATIENCE / 1000)
    assert len(drawn) == 1
    assert (meter.now.label, meter.now.done, meter.now.total) == ("inference", 5, 20)


@pytest.mark.usefixtures("own_folders")
def test_the_mapping_stands_in_the_panel_before_the_verdict_and_answers_after(
    make_window, closed_session, qtbot
):
    closed_session.open_bench("sim-board")
    window = make_window(closed_session)
    window.views.setCurrentWidget(window.network)
    window.network.count_line.setText("20")
    qtbot.waitUntil(window.network.run_button.isEnabled, timeout=PATIENCE)
    assert window.network.mapping.shown.isNull()

    click(qtbot, window.network.run_button)

    qtbot.waitUntil(lambda: not window.network.mapping.shown.isNull(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.network.note.text().endswith(".h5"), timeout=PATIENCE)
    assert window.network.pages.currentWidget() is window.network.answers
    assert coloured(closed_session.network.mapping).any()
