"""A plot widget that shows pictures, and keeps its curves from one to the next."""

from __future__ import annotations

import pyqtgraph as pg
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
    """Shows one picture after another."""

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
