"""A picture that takes what room there is, and keeps its proportions."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QSize, Qt
from PyQt6.QtGui import QPainter, QPaintEvent, QPixmap
from PyQt6.QtWidgets import QLabel


class Picture(QLabel):
    """Shows a PNG, or a word where there is none.

    Parameters
    ----------
    missing : str
        What stands there without a picture.
    """

    def __init__(self, missing: str) -> None:
        super().__init__(missing)
        self.setProperty("part", "faint")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.shown = QPixmap()

    def show_png(self, png: bytes | None) -> None:
        """Show a picture; None takes it away."""
        self.shown = QPixmap()
        if png is not None:
            self.shown.loadFromData(png, "PNG")
        self.update()

    def minimumSizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        """Return a size that constrains nobody."""
        return QSize(120, 60)

    def paintEvent(self, a0: QPaintEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Draw the picture as large as fits, at the screen's own resolution."""
        if self.shown.isNull():
            super().paintEvent(a0)
            return
        ratio = self.devicePixelRatioF()
        fitted = self.shown.scaled(
            self.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        fitted.setDevicePixelRatio(ratio)
        across, down = fitted.width() / ratio, fitted.height() / ratio
        place = QPoint(round((self.width() - across) / 2), round((self.height() - down) / 2))
        QPainter(self).drawPixmap(place, fitted)
