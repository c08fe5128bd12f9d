"""A heat map of one PE: colours, crosshair, marks; clicks, drags and arrow keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QSizePolicy

from labctl_gui import theme
from labctl_gui.state.pictures import WINDOW

FloatArray = npt.NDArray[np.float64]
MARK = "#ff2d95"
"""Colour of what is chosen, on no colour map."""
_VEIL = (255, 45, 149, 110)
"""The same over the selected cells, as red, green, blue, opacity."""


class _CellBox(pg.ViewBox):
    """A view box in which dragging selects cells; with Shift, or another button, it moves."""

    def __init__(self, dragged: Any) -> None:  # noqa: ANN401  (a function of pyqtgraph's events)
        super().__init__()
        self._dragged = dragged

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:  # noqa: ANN401, N802
        shift = bool(ev.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if ev.button() == Qt.MouseButton.LeftButton and not shift and axis is None:
            ev.accept()
            self._dragged(ev)
        else:
            super().mouseDragEvent(ev, axis)


class HeatMap(pg.PlotWidget):
    """Shows values of one PE, its long side across."""

    clicked = pyqtSignal(int, int, bool)
    """Row and column of the cell that was clicked, and whether Ctrl was held."""
    hovered = pyqtSignal(int, int)
    """Row and column of the cell under the mouse; -1, -1 beside all cells."""
    dragged = pyqtSignal(int, int, int, int)
    """First row, last row, first column and last column of a rectangle that was drawn."""
    stepped = pyqtSignal(int, int)
    """Rows down and columns across that an arrow key asks for."""

    def __init__(self) -> None:
        self._box = _CellBox(self._drag)
        super().__init__(viewBox=self._box)
        self._shape = (0, 0)
        self._coloured = ""
        self._rows_across = True
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(120)
        self._item = self.getPlotItem()
        self._item.hideButtons()
        self._item.setMenuEnabled(False)
        self._box.invertY(True)
        self._make_items()
        self.scene().sigMouseClicked.connect(self._click)
        self.scene().sigMouseMoved.connect(self._hover)
        self._make_shortcuts()

    @property
    def span(self) -> tuple[float, float]:
        """Values at the ends of the colours."""
        low, high = self._bar.levels()
        return float(low), float(high)

    def set_shape(self, rows: int, columns: int) -> None:
        """Make room for a PE of another size."""
        self._shape, self._rows_across = (rows, columns), rows > columns
        wide, high = (rows, columns) if self._rows_across else (columns, rows)
        names = ("Row", "Column") if self._rows_across else ("Column", "Row")
        for axis, name, size in zip(("bottom", "left"), names, (wide, high), strict=True):
            self._item.setLabel(axis, name)
            self._item.getAxis(axis).setTicks([_ticks(size)])
            self._item.getAxis(axis).setStyle(hideOverlappingLabels=False)
        for image in (self._image, self._veil):
            image.setImage(np.full((high, wide), np.nan), autoLevels=False)
            image.setRect(-0.5, -0.5, wide, high)
        self._box.setLimits(xMin=-0.5, xMax=wide - 0.5, yMin=-0.5, yMax=high - 0.5)
        self._box.setRange(xRange=(-0.5, wide - 0.5), yRange=(-0.5, high - 0.5), padding=0)
        self.mark(None)
        self.select(np.zeros(self._shape, np.bool_))

    def show_values(self, values: FloatArray, span: tuple[float, float]) -> None:
        """Colour the cells by `values`, (row, col); `span` lies at the ends of the colours."""
        self._image.setImage(self._laid(values), autoLevels=False)
        if span != self.span:
            self._bar.setLevels(span)

    def colour(self, name: str) -> None:
        """Use another colour map."""
        if name == self._coloured:
            return
        self._coloured = name
        self._bar.setColorMap(pg.colormap.get(name))

    def label(self, text: str, unit: str) -> None:
        """Say at the colour bar what the colours mean."""
        prefixed = None if unit else ()
        self._bar.getAxis("right").setLabel(text, units=unit or None, siPrefixEnableRanges=prefixed)

    def name_ticks(self, ticks: list[tuple[float, str]] | None) -> None:
        """Put words beside the colour bar in the place of numbers; None for numbers."""
        self._bar.getAxis("right").setTicks(None if ticks is None else [ticks])

    def mark(self, cell: tuple[int, int] | None) -> None:
        """Frame one cell (row, column); None frames none."""
        if cell is None:
            self._frame.setData([], [])
            return
        x, y = self._to_plot(*cell)
        self._frame.setData(
            [x - 0.5, x + 0.5, x + 0.5, x - 0.5, x - 0.5],
            [y - 0.5, y - 0.5, y + 0.5, y + 0.5, y - 0.5],
        )

    def select(self, chosen: npt.NDArray[np.bool_]) -> None:
        """Lay a veil over the chosen cells, (row, col)."""
        laid = chosen.T if self._rows_across else chosen
        veil = np.zeros((*laid.shape, 4), np.uint8)
        veil[laid] = _VEIL
        self._veil.setImage(veil, autoLevels=False)
        self._veil.setVisible(bool(chosen.any()))

    def scene_point(self, row: int, column: int) -> QPointF:
        """Return where the cell lies on this widget, in its pixels."""
        x, y = self._to_plot(row, column)
        return QPointF(self.mapFromScene(self._box.mapViewToScene(QPointF(x, y))))

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self.setBackground(colours.base)
        axes = [self._item.getAxis(name) for name in ("left", "bottom")]
        for axis in (*axes, self._bar.getAxis("right")):
            axis.setPen(colours.text)
            axis.setTextPen(colours.text)
        for line in self._cross:
            line.setPen(pg.mkPen(colours.faint))

    def _make_items(self) -> None:
        self._image = pg.ImageItem(axisOrder="row-major", levels=WINDOW)
        self._veil = pg.ImageItem(axisOrder="row-major")
        self._item.addItem(self._image)
        self._item.addItem(self._veil, ignoreBounds=True)
        self._cross = (pg.InfiniteLine(angle=90), pg.InfiniteLine(angle=0))
        self._frame = pg.PlotDataItem(pen=pg.mkPen(MARK, width=2))
        for item in (*self._cross, self._frame):
            self._item.addItem(item, ignoreBounds=True)
        self._bar = pg.ColorBarItem(values=WINDOW, width=14, interactive=False, colorMap="viridis")
        self._bar.setImageItem(self._image, insert_in=self._item)
        self._bar.layout.setContentsMargins(0, 7, 0, 0)  # the topmost number needs half a line
        self._bar.getAxis("right").setWidth(74)  # the same for every quantity: nothing jumps
        self._show_cross(None)

    def _make_shortcuts(self) -> None:
        steps = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}
        for key, step in steps.items():
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda step=step: self._step(*step))

    def _step(self, x: int, y: int) -> None:
        down, across = (x, y) if self._rows_across else (y, x)
        self.stepped.emit(down, across)

    def _laid(self, values: FloatArray) -> FloatArray:
        return values.T if self._rows_across else values

    def _to_plot(self, row: int, column: int) -> tuple[int, int]:
        return (row, column) if self._rows_across else (column, row)

    def _nearest(self, scene_point: QPointF) -> tuple[int, int]:
        """Return row and column of the place under a point of the scene, on the PE or not."""
        point = self._box.mapSceneToView(scene_point)
        x, y = round(point.x()), round(point.y())
        return (x, y) if self._rows_across else (y, x)

    def _cell_at(self, scene_point: QPointF) -> tuple[int, int] | None:
        if not self._box.sceneBoundingRect().contains(scene_point):
            return None
        row, column = self._nearest(scene_point)
        inside = 0 <= row < self._shape[0] and 0 <= column < self._shape[1]
        return (row, column) if inside else None

    def _click(self, event: Any) -> None:  # noqa: ANN401  (pyqtgraph's own event)
        cell = self._cell_at(event.scenePos())
        if cell is not None and event.button() == Qt.MouseButton.LeftButton:
            held = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self.clicked.emit(*cell, held)
            self.setFocus()

    def _drag(self, event: Any) -> None:  # noqa: ANN401  (pyqtgraph's own event)
        if not all(self._shape):
            return
        ends = [self._nearest(p) for p in (event.buttonDownScenePos(), event.scenePos())]
        last = np.array(self._shape) - 1
        (top, left), (bottom, right) = np.clip(ends, 0, last).tolist()
        if event.isFinish():
            self.dragged.emit(top, bottom, left, right)
            return
        drawn = np.zeros(self._shape, np.bool_)
        rows, columns = sorted((top, bottom)), sorted((left, right))
        drawn[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1] = True
        self.select(drawn)

    def _hover(self, scene_point: QPointF) -> None:
        cell = self._cell_at(scene_point)
        self._show_cross(cell)
        self.hovered.emit(*((-1, -1) if cell is None else cell))

    def _show_cross(self, cell: tuple[int, int] | None) -> None:
        place = None if cell is None else self._to_plot(*cell)
        for number, line in enumerate(self._cross):
            line.setVisible(place is not None)
            if place is not None:
                line.setPos(place[number])


def _ticks(size: int) -> list[tuple[int, str]]:
    """Return some eight numbers along `size` cells, the first among them, and their texts."""
    step = 1 << max(0, round(np.log2(max(size, 1) / 8)))
    return [(number, str(number)) for number in range(0, size, step)]
