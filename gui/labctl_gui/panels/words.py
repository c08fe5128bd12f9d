"""Words and small labels that several panels share."""

from __future__ import annotations

import math

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent
from PyQt6.QtWidgets import QLabel, QWidget


def conductance_text(conductance: float) -> str:
    """Return a conductance, in S, as an operator reads it, with its resistance."""
    if not math.isfinite(conductance):
        return "not read yet"
    text = f"{conductance * 1e6:.3f} µS"
    return f"{text}  ({1e-3 / conductance:.4g} kΩ)" if conductance > 0 else text


class OneLine(QLabel):
    """A label that never asks for room: what does not fit ends in dots, and is in the tooltip."""

    def __init__(self, text: str = "", part: str = "") -> None:
        super().__init__(text)
        self.setProperty("part", part)

    def setText(self, a0: str | None) -> None:  # noqa: N802  (Qt's name)
        """Show a text, as far as there is room."""
        super().setText(a0)
        self.setToolTip(a0)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        """Return a size that constrains nobody."""
        return QSize(40, super().minimumSizeHint().height())

    def paintEvent(self, a0: QPaintEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Draw the text, cut to the width."""
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), int(self.alignment()), text)


def mark_wrong(editor: QWidget, wrong: bool) -> None:
    """Let the style sheet show that what is typed is wrong, or right again."""
    if editor.property("wrong") == wrong:
        return
    editor.setProperty("wrong", wrong)
    style = editor.style()
    if style is not None:
        style.unpolish(editor)
        style.polish(editor)


def labelled(text: str, part: str) -> QLabel:
    """Return a label that the style sheet knows as `part`."""
    label = QLabel(text)
    label.setProperty("part", part)
    return label


def faint(text: str) -> QLabel:
    """Return a label for what matters less."""
    return labelled(text, "faint")
