"""Array, queue, data and network views, driven as an operator does."""

from __future__ import annotations

import numpy as np
import pytest
from PyQt6.QtCore import Qt

from labctl.queue import JobState
from labctl_data.run_file import open_run
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.quantities import Quantity
from tests.gui.driving import (
    PATIENCE,
    click,
    click_cell,
    drag_cells,
    fill,
    pick,
    start_long_write,
    start_small_write,
    wait_for_end,
)
from tests.gui.runs import board_outputs

CTRL = Qt.KeyboardModifier.ControlModifier


def test_cells_that_are_dragged_over_go_into_the_form(read_window, qtbot):
    drag_cells(qtbot, read_window, (3, 1), (6, 4))
    assert read_window.array.selecting.told.text() == "16 selected"

    click_cell(qtbot, read_window, 10, 7, CTRL)
    click_cell(qtbot, read_window, 4, 2, CTRL)
    assert read_window.array.selecting.told.text() == "16 selected"  # one more, one less
    click_cell(qtbot, read_window, 4, 2, CTRL)
    click_cell(qtbot, read_window, 10, 7, CTRL)

    pick(read_window, qtbot, "IVSweep")
    click(qtbot, read_window.array.selecting.use_button)
    assert read_window.run.form_view.form.values["cells"] == "0/3:7/1:5"
    click(qtbot, read_window.array.selecting.clear_button)
    assert not read_window.array.selecting.use_button.isEnabled()


def test_a_mask_that_is_saved_is_selected_again(read_window, qtbot, tmp_path):
    drag_cells(qtbot, read_window, (0, 0), (2, 2))
    read_window.array.selecting.save_mask(tmp_path / "corner.npy")
    click(qtbot, read_window.array.selecting.clear_button)

    read_window.array.selecting.load_mask(tmp_path / "corner.npy")

    assert read_window.array.selecting.told.text() == "9 selected"


@pytest.mark.parametrize("quantity", list(Quantity))
def test_every_quantity_is_shown_and_named(read_window, quantity):
    read_window.array.scales.quantity_box.setCurrentText(quantity.value)
    read_window.array.choose(0, 5, 3)

    assert read_window.array.image.shape == (16, 8)
    assert read_window.array.read_out.text().startswith("PE 0  ·  row 5  ·  column 3")
    if quantity is not Quantity.CONDUCTANCE:
        assert quantity.value in read_window.array.read_out.text()


def test_a_write_shows_as_a_change_since_kept_and_leaves_small_errors_to_target(read_window, qtbot):
    click(qtbot, read_window.array.keep_button)
    read_window.array.scales.quantity_box.setCurrentText(Quantity.DIFFERENCE.value)
    assert (read_window.array.image == 0).all()

    start_small_write(qtbot, read_window)
    wait_for_end(qtbot, read_window)

    qtbot.waitUntil(lambda: np.nanmedian(read_window.array.image) < -1e-6, timeout=PATIENCE)
    read_window.array.scales.quantity_box.setCurrentText(Quantity.ERROR.value)
    # 6 uS lie between four levels: cells relax by some 0.3 uS after their last pulse
    assert np.mean(np.abs(read_window.array.image) < 2e-6) > 0.95


def test_a_job_that_waits_is_moved_edited_skipped_and_repeated(window, qtbot):
    start_long_write(qtbot, window)
    pick(window, qtbot, "IVSweep")
    fill(qtbot, window, cells="0/0/0")
    click(qtbot, window.run.start_button)
    fill(qtbot, window, cells="0/1/1")
    click(qtbot, window.run.start_button)
    qtbot.waitUntil(lambda: len(window.session.queue.waiting) == 2, timeout=PATIENCE)
    queue, second = window.queue, window.session.queue.waiting[1].id

    def waiting():
        return [job.parameters["cells"] for job in window.session.queue.waiting]

    qtbot.waitUntil(lambda: queue.list.count() == 3, timeout=PATIENCE)
    queue.list.setCurrentRow(2)
    click(qtbot, queue.buttons["Up"])
    qtbot.waitUntil(lambda: waiting() == ["0/1/1", "0/0/0"], timeout=PATIENCE)
    qtbot.waitUntil(
        lambda: queue.chosen is not None and queue.chosen.id == second, timeout=PATIENCE
    )

    click(qtbot, queue.buttons["Edit"])
    assert window.run.form_view.form.values["cells"] == "0/1/1"
    fill(qtbot, window, cells="0/2/2")
    qtbot.waitUntil(
        lambda: window.run.start_button.text() == f"Save job {second}", timeout=PATIENCE
    )
    click(qtbot, window.run.start_button)
    qtbot.waitUntil(lambda: waiting() == ["0/2/2", "0/0/0"], timeout=PATIENCE)

    qtbot.waitUntil(lambda: queue.buttons["Repeat"].isEnabled(), timeout=PATIENCE)
    click(qtbot, queue.buttons["Repeat"])
    qtbot.waitUntil(lambda: waiting() == ["0/2/2", "0/0/0", "0/2/2"], timeout=PATIENCE)
    click(qtbot, queue.buttons["Skip"])
    qtbot.waitUntil(lambda: waiting() == ["0/0/0", "0/2/2"], timeout=PATIENCE)
    assert window.session.queue.running is not None


def test_a_time_to_start_is_kept_and_a_wrong_one_is_refused(window, qtbot):
    pick(window, qtbot, "IVSweep")
    fill(qtbot, window, cells="0/0/0")
    qtbot.keyClicks(window.run.start_line, "noon")
    qtbot.waitUntil(lambda: not window.run.start_button.isEnabled(), timeout=PATIENCE)
    assert "noon" in window.run.problem.text()

    window.run.start_line.clear()
    qtbot.keyClicks(window.run.start_line, "+2h")
    qtbot.waitUntil(lambda: window.run.start_button.isEnabled(), timeout=PATIENCE)
    click(qtbot, window.run.start_button)

    qtbot.waitUntil(lambda: len(window.session.queue.waiting) == 1, timeout=PATIENCE)
    assert window.session.queue.waiting[0].start_at is not None
    qtbot.waitUntil(lambda: window.queue.list.count() == 1, timeout=PATIENCE)
    assert "until" in window.queue.list.item(0).text()


def test_a_run_is_paused_and_goes_on_by_one_button(window, qtbot):
    start_long_write(qtbot, window)
    qtbot.waitUntil(lambda: window.run.pause_button.isEnabled(), timeout=PATIENCE)

    click(qtbot, window.run.pause_button)
    qtbot.waitUntil(lambda: window.header.phase.text() == "Paused", timeout=PATIENCE)
    assert board_outputs(window.session) == ()
    rows = window.session.rows.version[1]

    qtbot.waitUntil(lambda: window.run.pause_button.text() == "Go on with run", timeout=PATIENCE)
    click(qtbot, window.run.pause_button)
    qtbot.waitUntil(lambda: window.session.rows.version[1] > rows, timeout=PATIENCE)


def test_the_form_shows_what_the_run_would_take(window, qtbot):
    pick(window, qtbot, "IVSweep")
    fill(qtbot, window, cells="0/0/0")

    click(qtbot, window.run.predict_button)
    qtbot.waitUntil(lambda: "worst" in window.run.prediction.text(), timeout=PATIENCE)
    assert "bench time" in window.run.prediction.text()

    fill(qtbot, window, cells="0/0:2/0")  # no longer what was predicted
    qtbot.waitUntil(lambda: window.run.prediction.text() == "", timeout=PATIENCE)


def test_a_form_is_kept_as_a_preset_and_filled_from_it(window, qtbot):
    pick(window, qtbot, "IVSweep")
    fill(qtbot, window, cells="0/1:3/2")
    window.run.preset_box.setEditText("corner")
    click(qtbot, window.run.save_button)

    pick(window, qtbot, "Retention")
    pick(window, qtbot, "IVSweep")
    box = window.run.preset_box
    box.setCurrentText("corner")
    box.activated.emit(box.findText("corner"))

    assert window.run.form_view.form.values["cells"] == "0/1:3/2"


@pytest.fixture
def measured(window, qtbot):
    """The window after a run of IVSweep, its data in view."""
    pick(window, qtbot, "IVSweep")
    fill(qtbot, window, cells="0/0/0")
    click(qtbot, window.run.start_button)
    wait_for_end(qtbot, window)
    window.views.setCurrentWidget(window.runs)
    qtbot.waitUntil(lambda: window.runs.table.rowCount() == 1, timeout=PATIENCE)
    return window


def test_a_run_is_tagged_found_again_and_opened(measured, qtbot):
    runs = measured.runs
    runs.table.selectRow(0)
    qtbot.keyClicks(runs.tags_line, "golden forming")
    qtbot.keyClick(runs.tags_line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: runs.table.item(0, 5).text() == "forming golden", timeout=PATIENCE)

    qtbot.keyClicks(runs.search_line, "nothing such")
    qtbot.waitUntil(lambda: runs.table.rowCount() == 0, timeout=PATIENCE)
    runs.search_line.selectAll()
    qtbot.keyClicks(runs.search_line, "golden ivs")
    qtbot.waitUntil(lambda: runs.table.rowCount() == 1, timeout=PATIENCE)

    runs.table.selectRow(0)
    click(qtbot, runs.open_button)
    qtbot.waitUntil(lambda: measured.header.live_button.isVisible(), timeout=PATIENCE)
    assert measured.views.currentWidget() is measured.array


def test_a_report_is_written_beside_the_runs(measured, qtbot):
    measured.runs.table.selectRow(0)

    click(qtbot, measured.runs.report_button)

    qtbot.waitUntil(lambda: measured.browser.report is not None, timeout=PATIENCE)
    assert "IVSweep" in measured.browser.report.read_text()


def test_comparing_with_a_run_shows_the_difference_to_its_last_map(window, qtbot):
    start_small_write(qtbot, window)
    wait_for_end(qtbot, window)
    file = window.session.queue.jobs[0].run_file

    window.runs.compare_wanted.emit(file)

    differs = Quantity.DIFFERENCE
    qtbot.waitUntil(lambda: window.array.scale.quantity is differs, timeout=PATIENCE)
    assert np.nanmax(np.abs(window.array.image)) == 0.0
    assert open_run(file).status == "complete"


def test_a_network_that_makes_no_sense_cannot_be_run(window, qtbot):
    window.views.setCurrentWidget(window.network)
    qtbot.waitUntil(lambda: window.network.run_button.isEnabled(), timeout=PATIENCE)

    window.network.count_line.setText("-3")
    qtbot.waitUntil(lambda: not window.network.run_button.isEnabled(), timeout=PATIENCE)
    assert "-3" in window.network.note.text()

    window.network.count_line.setText("10")
    window.network.again_line.setText("1h, 10min")
    qtbot.waitUntil(lambda: "rise" in window.network.note.text(), timeout=PATIENCE)


def test_a_network_too_large_for_the_chip_is_refused_in_the_banner(window, qtbot):
    window.views.setCurrentWidget(window.network)
    window.network.count_line.setText("10")
    qtbot.waitUntil(lambda: window.network.run_button.isEnabled(), timeout=PATIENCE)

    click(qtbot, window.network.run_button)

    qtbot.waitUntil(lambda: "network" in window.header.trouble.text(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: window.session.status.phase is BenchPhase.READY, timeout=PATIENCE)
    assert all(job.state is not JobState.RUNNING for job in window.session.queue.jobs)
