"""What an operator does at the window, as functions of tests."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QApplication, QComboBox

from labctl_gui.state.bench import BenchPhase
from tests.gui.patience import SECONDS

PATIENCE = 1000 * SECONDS
"""How long a test waits for what must happen, in ms."""

PACE = 12
"""Time between two moves of the mouse, in ms; pyqtgraph drops what comes faster than 100 Hz."""


def click(qtbot, button):
    qtbot.waitUntil(button.isEnabled, timeout=PATIENCE)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def click_cell(qtbot, window, row, column, modifier=Qt.KeyboardModifier.NoModifier):
    place = window.array.scene_point(row, column).toPoint()
    viewport = window.array.plot.viewport()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, modifier, pos=place)


def drag_cells(qtbot, window, first, last):
    """Press on the cell `first` (row, column), move to `last`, and let go."""
    viewport = window.array.plot.viewport()
    ends = [window.array.scene_point(*cell) for cell in (first, last)]
    between = [ends[0] + (ends[1] - ends[0]) * step / 8 for step in range(9)]
    _send(viewport, QEvent.Type.MouseButtonPress, ends[0], Qt.MouseButton.LeftButton)
    for place in between:
        qtbot.wait(PACE)
        _send(viewport, QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton)
    _send(viewport, QEvent.Type.MouseButtonRelease, ends[1], Qt.MouseButton.LeftButton)


def _send(widget, kind, place, button):
    held = Qt.MouseButton.LeftButton
    if kind == QEvent.Type.MouseButtonRelease:
        held = Qt.MouseButton.NoButton
    there = widget.mapToGlobal(place.toPoint())
    event = QMouseEvent(kind, place, QPointF(there), button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def pick(window, qtbot, procedure):
    window.run.procedure_box.setCurrentText(procedure)
    qtbot.waitUntil(lambda: window.run.form_view.form.procedure == procedure, timeout=PATIENCE)


def fill(qtbot, operator_window, /, **texts):
    for name, text in texts.items():
        editor = operator_window.run.form_view.lines[name].editor
        if isinstance(editor, QComboBox):
            editor.setCurrentText(text)
            continue
        editor.selectAll()
        qtbot.keyClick(editor, Qt.Key.Key_Delete)
        qtbot.keyClicks(editor, text)


def start_small_write(qtbot, window):
    pick(window, qtbot, "WriteVerify")
    fill(qtbot, window, cells="0/:/:", levels="4", after="")
    click(qtbot, window.run.start_button)


def start_long_write(qtbot, window):
    """Start what would go on for minutes: a window of 2 nS is hardly ever met."""
    pick(window, qtbot, "WriteVerify")
    fill(qtbot, window, cells="0/:/:", window="2 nS", limit="100000")
    click(qtbot, window.run.start_button)
    qtbot.waitUntil(lambda: window.session.rows.version[1] > 2_000, timeout=PATIENCE)


def wait_for_end(qtbot, window):
    qtbot.waitUntil(
        lambda: (
            bool(window.session.queue.jobs)
            and not window.session.queue.waiting
            and window.session.queue.running is None
            and window.session.status.phase is BenchPhase.READY
        ),
        timeout=PATIENCE,
    )
