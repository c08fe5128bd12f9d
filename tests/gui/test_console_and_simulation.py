"""The console line and the simulation tab, driven as an operator does."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import Qt

from labctl_gui.panels.fault_box import OFTEN
from tests.gui.driving import PATIENCE, click, start_long_write


def order(qtbot, window, text):
    line = window.log_panel.order_line
    qtbot.keyClicks(line, text)
    qtbot.keyClick(line, Qt.Key.Key_Return)


def listed(window):
    planned = window.simulation.faults.planned
    return [planned.item(row).text() for row in range(planned.count())]


def test_an_order_that_is_typed_is_answered_in_the_log_and_the_map_is_filled(window, qtbot):
    order(qtbot, window, "read 1/2/3")

    lines = window.log_panel.lines
    qtbot.waitUntil(lambda: "read 1/2/3  →" in lines.toPlainText(), timeout=PATIENCE)
    read = window.session.chip_map.pe(1)[2, 3]
    assert f"{1e6 * read:.4g} uS" in lines.toPlainText()


def test_the_arrow_keys_bring_back_what_was_typed(window, qtbot):
    for text in ("time", "who"):
        order(qtbot, window, text)
    line = window.log_panel.order_line

    seen = []
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down):
        qtbot.keyClick(line, key)
        seen.append(line.text())

    assert seen == ["who", "time", "time", "who", ""]


def test_the_log_shows_only_what_is_looked_for_and_all_again(window, qtbot):
    order(qtbot, window, "pulse 0/0/0")
    panel = window.log_panel
    qtbot.waitUntil(lambda: "is no order" in panel.lines.toPlainText(), timeout=PATIENCE)
    assert "is open" in panel.lines.toPlainText()

    panel.level_box.setCurrentText("errors")
    assert "is open" not in panel.lines.toPlainText()
    assert "is no order" in panel.lines.toPlainText()

    panel.level_box.setCurrentText("everything")
    qtbot.keyClicks(panel.filter_line, "OPEN")
    assert "is open" in panel.lines.toPlainText()
    assert "is no order" not in panel.lines.toPlainText()

    panel.filter_line.clear()
    assert "is no order" in panel.lines.toPlainText()


def test_a_fault_is_planted_in_a_bench_that_runs_and_is_cleared(window, qtbot):
    start_long_write(qtbot, window)
    window.show_view("simulation")
    faults = window.simulation.faults
    qtbot.waitUntil(lambda: faults.kind_box.count() > 0, timeout=PATIENCE)
    assert listed(window) == ["nothing goes wrong"]

    faults.kind_box.setCurrentText("late")
    faults.instrument_box.setCurrentText("clock")
    faults.chance.when_box.setCurrentText(OFTEN)
    faults.chance.share_box.setValue(0.5)
    click(qtbot, faults.plant_button)
    qtbot.waitUntil(
        lambda: listed(window) == ["late of clock: 0.5 % of its chances"], timeout=PATIENCE
    )
    assert window.session.queue.running is not None

    click(qtbot, faults.clear_button)
    qtbot.waitUntil(lambda: listed(window) == ["nothing goes wrong"], timeout=PATIENCE)


@pytest.mark.parametrize(
    ("name", "speed"), [("60 times as fast", 60.0), ("as fast as the wall's", 1.0)]
)
def test_the_pace_of_bench_time_is_chosen_while_the_bench_is_open(window, qtbot, name, speed):
    window.show_view("simulation")
    box = window.simulation.speed_box
    station = window.session.station

    box.setCurrentText(name)
    box.activated.emit(box.currentIndex())

    qtbot.waitUntil(lambda: window.session.rack.facts.speed == speed, timeout=PATIENCE)
    assert window.session.station is station


def test_a_window_of_levels_that_is_none_is_marked_and_a_right_one_is_taken(read_window, qtbot):
    scales = read_window.array.scales
    scales.scale_box.setCurrentText("fixed")

    scales.window_line.setText("20 uS to 2 uS")
    assert scales.window_line.property("wrong") is True
    assert read_window.array.span == (2e-6, 20e-6)

    scales.window_line.setText("0 to 40 uS")
    assert scales.window_line.property("wrong") is False
    assert read_window.array.span == pytest.approx((0.0, 40e-6))
