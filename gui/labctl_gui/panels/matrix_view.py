"""The switch matrix: which line is joined to which row, as a picture."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from labctl_data.cells import Geometry
from labctl_gui import theme
from labctl_gui.panels.words import OneLine
from labctl_instruments.station import Int8Array

ROWS = "ABCDEFGH"
"""Rows of a mainframe."""


class MatrixView(QWidget):
    """Draws each closed crosspoint: rows A to H downwards, bit, source and word lines across."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: bytes | None = None
        self.text = OneLine(part="faint")
        self.plot = pg.PlotWidget()
        self.plot.setFixedHeight(132)
        self.plot.setToolTip("Closed crosspoints; rows downwards, lines of the chip across")
        item = self.plot.getPlotItem()
        item.hideButtons()
        item.setMenuEnabled(False)
        self._box = item.getViewBox()
        self._box.setMouseEnabled(x=True, y=False)
        self._box.invertY(True)
        self._axes = [item.getAxis(name) for name in ("left", "bottom")]
        self._axes[0].setTicks([list(enumerate(ROWS))])
        self._image = pg.ImageItem(axisOrder="row-major", levels=(0, 1))
        item.addItem(self._image)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.plot)
        layout.addWidget(self.text)

    def show_connections(self, connections: Int8Array | None, geometry: Geometry | None) -> None:
        """Show the row of each line, -1 for none; nothing on a bench without a matrix."""
        self.setVisible(connections is not None)
        if connections is None or geometry is None:
            return
        now = connections.tobytes()
        if now == self._shown:
            return
        self._shown = now
        n = len(connections)
        closed = np.flatnonzero(connections >= 0)
        picture = np.zeros((len(ROWS), n))
        picture[connections[closed], closed] = 1.0
        self._image.setImage(picture, autoLevels=False)
        self._image.setRect(-0.5, -0.5, n, len(ROWS))
        self._box.setLimits(xMin=-0.5, xMax=n - 0.5)
        self._box.setRange(xRange=(-0.5, n - 0.5), yRange=(-0.5, len(ROWS) - 0.5), padding=0)
        self._axes[1].setTicks([_line_ticks(geometry)])
        self.text.setText(f"{len(closed)} of {n} lines joined; {_rows_text(connections)}")

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self.plot.setBackground(colours.base)
        self._image.setColorMap(pg.ColorMap([0.0, 1.0], [colours.base, colours.accent]))
        for axis in self._axes:
            axis.setPen(colours.text)
            axis.setTextPen(colours.text)


def _line_ticks(geometry: Geometry) -> list[tuple[int, str]]:
    bits = geometry.pes * geometry.columns
    return [(0, "BL"), (bits, "SL"), (bits + geometry.n_lines, "WL")]


def _rows_text(connections: Int8Array) -> str:
    rows, counts = np.unique(connections[connections >= 0], return_counts=True)
    pairs = zip(rows.tolist(), counts.tolist(), strict=True)
    return ", ".join(f"{ROWS[row]}: {count}" for row, count in pairs) or "all open"
