"""A plot widget that shows pictures, and keeps its curves from one to the next."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QColor

from labctl_gui import theme
from labctl_gui.state.pictures import Axis, Curve, Picture, Style

SMOOTH = 400
"""Points of a curve up to which its edges are smoothed; beyond, speed matters more."""
DOT_SIZE = 4
"""Diameter of a dot, in px."""


def label_axis(item: pg.AxisItem, axis: Axis) -> None:
    """Label an axis; prefixes (µ, k) where there is a unit to carry them, and no decades."""
    prefixed = bool(axis.unit) and not axis.logarithmic
    item.setLabel(
        axis.label, units=axis.unit or None, siPrefixEnableRanges=None if prefixed else ()
    )


class PlotView(pg.PlotWidget):
    """Shows one picture after another; a click sets a cursor that others are measured from."""

    pointed = pyqtSignal(str)
    """Where the mouse is, and how far from the cursor that was set, in words."""

    def __init__(self) -> None:
        super().__init__()
        self._item = self.getPlotItem()
        self._item.showGrid(x=True, y=True, alpha=0.18)
        self._item.setMenuEnabled(False)
        self._curves: list[pg.PlotDataItem] = []
        self._logarithmic: tuple[bool, bool] = (False, False)
        self._colours = theme.LIGHT
        self._tones = pg.colormap.get("viridis")
        self._picture: Picture | None = None
        self._cursor: tuple[float, float] | None = None
        self._cursors = [pg.InfiniteLine(angle=90), pg.InfiniteLine(angle=0)]
        for line in self._cursors:
            line.setVisible(False)
            self._item.addItem(line, ignoreBounds=True)
        self.setToolTip("Drag to move, wheel to zoom; click to set a cursor, again to take it away")
        self.scene().sigMouseMoved.connect(self._point)
        self.scene().sigMouseClicked.connect(self._set_cursor)
        self.setMinimumSize(160, 110)

    def show_picture(self, picture: Picture) -> None:
        """Draw `picture` in the place of the last one."""
        self._picture = picture
        self._set_axes(picture)
        while len(self._curves) < len(picture.curves):
            self._curves.append(self._new_curve())
        for number, item in enumerate(self._curves):
            if number < len(picture.curves):
                self._draw(item, picture.curves[number])
            elif item.isVisible():
                item.setData([], [])
            item.setVisible(number < len(picture.curves))

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self._colours = colours
        self.setBackground(colours.base)
        for name in ("left", "bottom"):
            self._item.getAxis(name).setPen(colours.text)
            self._item.getAxis(name).setTextPen(colours.text)
        if self._picture is not None:
            self.show_picture(self._picture)

    def _place(self, scene_point: QPointF) -> tuple[float, float] | None:
        """Return what lies under a point of the scene; None beside the plot."""
        box = self._item.getViewBox()
        if not box.sceneBoundingRect().contains(scene_point):
            return None
        point = box.mapSceneToView(scene_point)
        x, y = (
            10.0**value if logarithmic else value
            for value, logarithmic in zip((point.x(), point.y()), self._logarithmic, strict=True)
        )
        return x, y

    def _point(self, scene_point: QPointF) -> None:
        place, picture = self._place(scene_point), self._picture
        if place is None or picture is None:
            self.pointed.emit("")
            return
        text = ", ".join(map(_value_text, place, (picture.x, picture.y)))
        if self._cursor is not None:
            away = (place[0] - self._cursor[0], place[1] - self._cursor[1])
            text += "  Δ " + ", ".join(map(_value_text, away, (picture.x, picture.y)))
        self.pointed.emit(text)

    def _set_cursor(self, event: Any) -> None:  # noqa: ANN401  (pyqtgraph's own event)
        place = self._place(event.scenePos())
        if event.button() != Qt.MouseButton.LeftButton or place is None:
            return
        self._cursor = place if self._cursor is None else None
        point = self._item.getViewBox().mapSceneToView(event.scenePos())
        for line, value in zip(self._cursors, (point.x(), point.y()), strict=True):
            line.setPos(value)
            line.setPen(pg.mkPen(self._colours.second))
            line.setVisible(self._cursor is not None)

    def _set_axes(self, picture: Picture) -> None:
        for name, axis in (("bottom", picture.x), ("left", picture.y)):
            label_axis(self._item.getAxis(name), axis)
        logarithmic = (picture.x.logarithmic, picture.y.logarithmic)
        if logarithmic != self._logarithmic:
            self._item.setLogMode(*logarithmic)
            self._logarithmic = logarithmic

    def _new_curve(self) -> pg.PlotDataItem:
        # Pictures come thinned. Clipping to the view would take abscissae for sorted, which those
        # of a sweep, or of traces one after another, are not.
        item = pg.PlotDataItem(connect="finite")
        self._item.addItem(item)
        return item

    def _draw(self, item: pg.PlotDataItem, curve: Curve) -> None:
        colour = self._colour(curve)
        if curve.style is Style.DOTS:
            options = {"pen": None, "symbol": "o", "symbolSize": DOT_SIZE}
            item.setData(curve.x, curve.y, symbolPen=None, symbolBrush=colour, **options)
            return
        smooth = len(curve.x) <= SMOOTH
        item.setData(curve.x, curve.y, pen=pg.mkPen(colour), symbol=None, antialias=smooth)

    def _colour(self, curve: Curve) -> QColor:
        if curve.faint:
            return QColor(self._colours.faint)
        if curve.tone is None:
            return QColor(self._colours.accent)
        dark = self._colours is theme.DARK
        # The end of the map that melts into the paper is left out.
        place = 0.18 + 0.82 * curve.tone if dark else 0.88 * curve.tone
        return self._tones.mapToQColor(place)


def _value_text(value: float, axis: Axis) -> str:
    return pg.siFormat(value, precision=4, suffix=axis.unit) if axis.unit else f"{value:.4g}"
