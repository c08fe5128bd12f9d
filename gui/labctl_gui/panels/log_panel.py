"""The log console: what has happened, last line at the bottom, and a line to ask the bench."""

from __future__ import annotations

import html
import logging
from datetime import datetime

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from labctl_gui import theme
from labctl_gui.state.journal import Journal, Line, Sieve

LEVELS = {
    "everything": logging.INFO,
    "warnings": logging.WARNING,
    "errors": logging.ERROR,
}
"""What may be shown, by name."""


class LogPanel(QWidget):
    """Shows the lines of a journal, all or some of them, and takes orders for the bench.

    Parameters
    ----------
    journal : Journal
        Where the lines are.
    """

    ordered = pyqtSignal(str)
    """What was typed for the bench."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal
        self._seen = 0
        self._colours = theme.LIGHT
        self.lines = QPlainTextEdit()
        self.lines.setReadOnly(True)
        self.lines.setMaximumBlockCount(2_000)
        self.lines.setMinimumHeight(36)
        self.lines.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.order_line = OrderLine()
        self.order_line.ordered.connect(self.ordered)
        self.level_box = QComboBox()
        self.level_box.addItems(list(LEVELS))
        self.level_box.setToolTip("Which lines are shown")
        self.level_box.currentIndexChanged.connect(lambda _: self.show_again())
        self.filter_line = QLineEdit()
        self.filter_line.setPlaceholderText("filter")
        self.filter_line.setClearButtonEnabled(True)
        self.filter_line.setMaximumWidth(160)
        self.filter_line.setToolTip("Show only lines with this text")
        self.filter_line.textChanged.connect(lambda _: self.show_again())
        row = QHBoxLayout()
        row.addWidget(self.order_line, stretch=1)
        row.addWidget(self.level_box)
        row.addWidget(self.filter_line)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 4)
        layout.setSpacing(2)
        layout.addWidget(self.lines)
        layout.addLayout(row)

    @property
    def sieve(self) -> Sieve:
        """Which lines are shown."""
        return Sieve(LEVELS[self.level_box.currentText()], self.filter_line.text().strip())

    def refresh(self) -> tuple[Line, ...]:
        """Append what is new, and return it, whether it is shown or not."""
        if self._journal.written == self._seen:
            return ()
        fresh = self._journal.since(self._seen)
        self._append(fresh)
        self._seen = fresh[-1].number if fresh else self._journal.written
        return fresh

    def show_again(self) -> None:
        """Show the kept lines anew: others are wanted, or in other colours."""
        self.lines.clear()
        self._append([line for line in self._journal.since(0) if line.number <= self._seen])

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application, the old lines too."""
        self._colours = colours
        self.show_again()

    def _append(self, lines: tuple[Line, ...] | list[Line]) -> None:
        sieve = self.sieve
        for line in lines:
            if sieve.passes(line):
                self.lines.appendHtml(self._markup(line))

    def _markup(self, line: Line) -> str:
        clock = datetime.fromtimestamp(line.created).astimezone().strftime("%H:%M:%S")
        colour = self._colours.text
        if line.level >= logging.WARNING:
            colour = self._colours.bad if line.level >= logging.ERROR else self._colours.busy
        text = "".join(sign if sign.isprintable() else "·" for sign in line.text)
        detail = f"<br>{html.escape(line.detail)}".replace("\n", "<br>") if line.detail else ""
        return (
            f"<span style='color:{self._colours.faint}'>{clock}</span>&nbsp; "
            f"<span style='color:{colour}; white-space:pre-wrap'>"
            f"{html.escape(text)}{detail}</span>"
        )


class OrderLine(QLineEdit):
    """A line to type orders; the arrow keys bring back what was typed before."""

    ordered = pyqtSignal(str)
    """What was typed."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: list[str] = []
        self._place = 0
        self.setPlaceholderText("ask the bench: read 0/0:4/:  ·  time  ·  help")
        self.setAccessibleName("Order for the bench")
        self.setToolTip("An order for the bench, and Enter; the answer is in the log")
        self.returnPressed.connect(self._entered)

    def keyPressEvent(self, a0: QKeyEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Walk through what was typed before; type as usual otherwise."""
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        step = 0 if a0 is None else steps.get(Qt.Key(a0.key()), 0)
        if not step:
            super().keyPressEvent(a0)
            return
        self._place = min(max(self._place + step, 0), len(self._typed))
        self.setText(self._typed[self._place] if self._place < len(self._typed) else "")

    def _entered(self) -> None:
        text = self.text().strip()
        if text:
            self._typed.append(text)
            self._place = len(self._typed)
            self.clear()
            self.ordered.emit(text)
