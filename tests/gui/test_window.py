"""The real window on the simulated board, driven as an operator does."""

from __future__ import annotations

import logging
import sys
import threading

import numpy as np
import pytest
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QImage

from labctl.queue import JobState
from labctl_gui import app, application, theme
from labctl_gui.screenshot import ScreenshotError
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.sketcher import Subject
from tests.gui.driving import (
    PATIENCE,
    click,
    click_cell,
    fill,
    pick,
    start_long_write,
    start_small_write,
    wait_for_end,
)
from tests.gui.runs import board_outputs


def test_the_window_names_the_chip_and_its_envelope(window, qtbot):
    qtbot.waitUntil(lambda: window.bench.values["Die"].text() == "x2y3", timeout=PATIENCE)

    assert window.bench.values["Max. voltage"].text() == "3.5 V"
    assert window.bench.values["Outputs"].text() == "at rest"
    assert "chip c4" in window.header.chip.text()


def test_read_pe_fills_the_heat_map_with_what_the_bench_read(read_window):
    assert read_window.array.image.tolist() == read_window.session.chip_map.pe(0).tolist()
    assert read_window.array.image.shape == (16, 8)


def test_formed_cells_differ_in_colour_although_they_lie_above_the_window(read_window):
    low, high = read_window.array.span

    inside = (read_window.array.image > low) & (read_window.array.image < high)
    assert np.mean(inside) > 0.9
    assert np.median(read_window.array.image) > 20e-6
    assert high - low < 8e-6


def test_the_fixed_scale_says_how_many_cells_lie_above_it(read_window):
    read_window.array.scales.scale_box.setCurrentText("fixed")

    above = int(np.sum(read_window.array.image > 20e-6))
    assert read_window.array.span == (2e-6, 20e-6)
    assert above > 0
    assert f"{above} above 20.000 µS" in read_window.array.read_out.text()


def test_clicking_a_cell_tells_its_conductance_and_history(read_window, qtbot):
    chosen = []
    read_window.array.cell_chosen.connect(lambda *cell: chosen.append(cell))

    click_cell(qtbot, read_window, 5, 3)

    assert chosen == [(0, 5, 3)]
    value = read_window.session.chip_map.pe(0)[5, 3] * 1e6
    assert f"row 5  ·  column 3  ·  {value:.3f} µS" in read_window.array.read_out.text()
    qtbot.waitUntil(lambda: f"{value:.3f} µS" in read_window.cell.title.text(), timeout=PATIENCE)


def test_arrow_keys_move_to_the_neighbour_that_lies_there(read_window, qtbot):
    click_cell(qtbot, read_window, 5, 3)
    chosen = []
    read_window.array.cell_chosen.connect(lambda *cell: chosen.append(cell))

    qtbot.keyClick(read_window.array.plot, Qt.Key.Key_Right)
    qtbot.keyClick(read_window.array.plot, Qt.Key.Key_Down)

    assert chosen == [(0, 6, 3), (0, 6, 4)]  # rows lie across, columns downwards


def test_another_pe_is_unknown_until_it_is_read(read_window, qtbot):
    read_window.array.pe_box.setCurrentIndex(1)

    assert np.isnan(read_window.array.image).all()
    click(qtbot, read_window.array.read_button)
    qtbot.waitUntil(lambda: np.isfinite(read_window.array.image).all(), timeout=PATIENCE)


def test_a_wrong_value_is_marked_with_the_reason_while_typing(window, qtbot):
    pick(window, qtbot, "WriteVerify")
    line = window.run.form_view.lines["window"]

    fill(qtbot, window, window="5 V")

    assert line.editor.property("wrong") is True
    assert "in S" in line.reason.text()
    assert line.reason.isVisible()
    assert not window.run.start_button.isEnabled()

    fill(qtbot, window, window="50 nS")
    assert line.editor.property("wrong") is False
    assert not line.reason.isVisible()
    assert window.run.start_button.isEnabled()


def test_a_pulse_beyond_the_envelope_cannot_be_started(window, qtbot):
    pick(window, qtbot, "WriteVerify")

    fill(qtbot, window, set_amplitude="4 V")

    assert not window.run.start_button.isEnabled()
    assert "3.5" in window.run.problem.text()


def test_every_procedure_has_a_form_that_can_be_started(window, qtbot):
    box = window.run.procedure_box
    for name in (box.itemText(index) for index in range(box.count())):
        pick(window, qtbot, name)

        if "cells" in window.run.form_view.lines:
            fill(qtbot, window, cells="0/:/:")
        assert window.run.start_button.isEnabled(), window.run.problem.text()


def test_a_run_is_plotted_and_listed_with_its_rows(window, qtbot):
    start_small_write(qtbot, window)
    wait_for_end(qtbot, window)

    qtbot.waitUntil(lambda: "done" in window.queue.list.item(0).text(), timeout=PATIENCE)
    assert window.live.subject is Subject.RUN
    qtbot.waitUntil(lambda: len(window.sketcher.sketch.picture.curves) == 4, timeout=PATIENCE)
    qtbot.waitUntil(
        lambda: window.live.title.text() == "Conductance against pulses", timeout=PATIENCE
    )
    qtbot.waitUntil(lambda: np.isfinite(window.array.image).all(), timeout=PATIENCE)


def test_progress_and_abort_are_there_while_a_run_goes_on(window, qtbot):
    start_long_write(qtbot, window)
    qtbot.waitUntil(lambda: "WriteVerify" in window.run.progress.text(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.run.start_button.text() == "Add to queue", timeout=PATIENCE)

    click(qtbot, window.run.abort_button)
    wait_for_end(qtbot, window)

    assert window.session.queue.jobs[0].state is JobState.INTERRUPTED
    assert board_outputs(window.session) == ()


def test_a_queued_run_waits_after_an_abort_until_told_to_go_on(window, qtbot):
    start_long_write(qtbot, window)
    pick(window, qtbot, "IVSweep")
    click(qtbot, window.run.start_button)
    click(qtbot, window.run.abort_button)
    qtbot.waitUntil(lambda: window.run.go_on_button.isEnabled(), timeout=PATIENCE)
    assert len(window.session.queue.waiting) == 1

    click(qtbot, window.run.go_on_button)

    wait_for_end(qtbot, window)
    assert window.session.queue.jobs[1].state is JobState.DONE


def test_a_waiting_run_is_taken_out_with_the_delete_key(window, qtbot):
    start_long_write(qtbot, window)
    pick(window, qtbot, "IVSweep")
    click(qtbot, window.run.start_button)
    qtbot.waitUntil(lambda: window.queue.list.count() == 2, timeout=PATIENCE)

    window.queue.list.setFocus()
    window.queue.list.setCurrentRow(1)  # what goes on is on top
    qtbot.keyClick(window.queue.list, Qt.Key.Key_Delete)

    qtbot.waitUntil(lambda: window.session.queue.waiting == (), timeout=PATIENCE)


def by_button(qtbot, window):
    qtbot.mousePress(window.header.stop_button, Qt.MouseButton.LeftButton)


def by_escape(qtbot, window):
    qtbot.keyClick(window.run.form_view.lines["cells"].editor, Qt.Key.Key_Escape)


def by_ctrl_point(qtbot, window):
    qtbot.keyClick(
        window.log_panel.order_line, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier
    )


@pytest.mark.parametrize("press", [by_button, by_escape, by_ctrl_point])
def test_stop_during_a_run_leaves_the_bench_at_rest(window, qtbot, press):
    start_long_write(qtbot, window)

    press(qtbot, window)
    wait_for_end(qtbot, window)

    assert board_outputs(window.session) == ()
    assert window.session.queue.jobs[0].state is JobState.INTERRUPTED


def test_escape_in_a_list_that_is_open_stops_too(window, qtbot):
    start_long_write(qtbot, window)
    box = window.run.procedure_box
    box.showPopup()

    qtbot.keyClick(box.view(), Qt.Key.Key_Escape)
    box.hidePopup()
    qtbot.keyClick(window, Qt.Key.Key_Escape)

    wait_for_end(qtbot, window)
    assert window.session.queue.jobs[0].state is JobState.INTERRUPTED


def test_a_finished_run_file_is_shown_and_the_bench_again(window, qtbot):
    start_small_write(qtbot, window)
    wait_for_end(qtbot, window)
    qtbot.waitUntil(lambda: window.queue.list.count() == 1, timeout=PATIENCE)
    window.session.read_pe(1)

    item = window.queue.list.item(0)
    window.queue.list.itemDoubleClicked.emit(item)

    qtbot.waitUntil(lambda: window.header.live_button.isVisible(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: "complete" in window.array.source.text(), timeout=PATIENCE)
    window.array.pe_box.setCurrentIndex(1)
    # the file knows nothing of PE 1
    qtbot.waitUntil(lambda: np.isnan(window.array.image).all(), timeout=PATIENCE)

    click(qtbot, window.header.live_button)
    qtbot.waitUntil(lambda: np.isfinite(window.array.image).all(), timeout=PATIENCE)


def test_a_file_that_is_no_run_is_refused_in_the_banner(window, qtbot, tmp_path):
    path = tmp_path / "holiday.h5"
    path.write_bytes(b"not a run")

    window.open_file(path)

    qtbot.waitUntil(lambda: "holiday.h5" in window.header.trouble.text(), timeout=PATIENCE)
    assert window.header.banner.isVisible()
    assert window.session.reader.opened is None


def test_a_bench_that_does_not_answer_is_named_in_the_window(window, qtbot):
    window.bench.bench_box.setCurrentText("no-such-bench")
    click(qtbot, window.bench.open_button)

    qtbot.waitUntil(lambda: "no-such-bench" in window.header.trouble.text(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: "no-such-bench" in window.bench.problem.text(), timeout=PATIENCE)

    assert window.header.phase.text() == "Ready"  # the bench before is still there
    assert window.bench.values["Die"].text() == "x2y3"


def test_without_a_bench_nothing_can_be_started(closed_session, make_window, qtbot):
    window = make_window(closed_session)
    qtbot.waitUntil(lambda: window.run.form_view.form is not None, timeout=PATIENCE)

    closed_session.open_bench("no-such-bench")

    qtbot.waitUntil(lambda: window.header.phase.text() == "Failed", timeout=PATIENCE)
    assert not window.run.start_button.isEnabled()
    assert not window.array.read_button.isEnabled()


def test_the_layout_comes_back_when_the_window_is_opened_again(
    window, qtbot, make_window, tmp_path
):
    window.docks["Log"].hide()
    window.wear(theme.Scheme.DARK)
    window.end()

    from labctl_gui.state.session import Session

    again = make_window(Session(tmp_path / "queue.sqlite"))

    assert not again.docks["Log"].isVisible()
    assert again.docks["Run"].isVisible()
    assert theme.colours() is theme.DARK


def test_closing_during_a_run_needs_a_second_time(window, qtbot):
    start_long_write(qtbot, window)

    window.close()
    assert window.isVisible()
    assert "Close the window once more" in window.header.trouble.text()

    window.close()
    assert not window.isVisible()
    assert window.session.status.phase is BenchPhase.CLOSED
    assert window.session.queue.jobs[0].state is JobState.INTERRUPTED


@pytest.fixture
def caught(monkeypatch):
    """The application's own hooks, and those of before afterwards."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    application.catch_exceptions()


def test_an_exception_in_a_slot_is_shown_and_the_window_lives_on(window, qtbot, caught, caplog):
    def slot():
        raise ValueError("a slot went wrong")

    QTimer.singleShot(0, slot)

    qtbot.waitUntil(lambda: "a slot went wrong" in window.header.trouble.text(), timeout=PATIENCE)
    assert any("Traceback" in (line.exc_text or "") or line.exc_info for line in caplog.records)
    click(qtbot, window.array.read_button)
    qtbot.waitUntil(lambda: np.isfinite(window.array.image).all(), timeout=PATIENCE)


def test_a_screenshot_shows_the_pe_that_was_read(qtbot, caught, bench, tmp_path):
    picture = tmp_path / "window.png"

    assert app.main(["--bench", bench, "--screenshot", str(picture)]) == 0

    image = QImage(str(picture))
    assert (image.width(), image.height()) == (1366, 768)
    colours = {image.pixel(x, y) for x in range(0, 1366, 10) for y in range(0, 768, 10)}
    assert len(colours) > 8


def test_a_screenshot_of_a_bench_that_is_none_is_refused_in_one_line(qtbot, caught, tmp_path):
    with pytest.raises(ScreenshotError, match="no-such-bench") as refused:
        app.launch("no-such-bench", tmp_path / "window.png")

    assert "\n" not in str(refused.value)
    assert not (tmp_path / "window.png").exists()
    logging.getLogger("labctl").info("still here")


def test_a_screenshot_shows_the_view_and_has_the_size_that_were_asked_for(
    qtbot, caught, bench, tmp_path
):
    pictures = [tmp_path / name for name in ("array.png", "network.png")]

    for picture, view in zip(pictures, ("array", "network"), strict=True):
        app.launch(bench, picture, view=view, size="1400x800")

    first, second = (QImage(str(picture)) for picture in pictures)
    assert (second.width(), second.height()) == (1400, 800)
    assert first != second


@pytest.mark.parametrize("size", ["1366", "1366xtall", "0x0", "99999x99999"])
def test_a_picture_of_no_size_is_refused(size, tmp_path):
    with pytest.raises(app.DisplayError, match="1366x768"):
        app.launch(None, tmp_path / "window.png", size=size)
