"""The chosen cell: its conductance after each pulse it received lately."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from labctl_data.pulse import PulseKind
from labctl_gui import theme
from labctl_gui.panels.plot_view import label_axis
from labctl_gui.panels.words import OneLine, faint
from labctl_gui.state.cell_events import READ, CellTrace
from labctl_gui.state.pictures import WINDOW, Axis

PULSES, READS = Axis("Pulses"), Axis("Reads")
MOST = 2_000
"""Entries of a trace that are drawn at most; the last ones are."""


class CellPanel(QWidget):
    """Shows the recent life of one cell: blue after SET, orange after RESET, grey after a read."""

    def __init__(self) -> None:
        super().__init__()
        self.title = OneLine("Click a cell to see its history", "heading")
        self.key = faint("")
        self.plot = pg.PlotWidget()
        self.plot.setMinimumSize(160, 110)
        self._item = self.plot.getPlotItem()
        self._item.showGrid(x=True, y=True, alpha=0.18)
        self._item.setMenuEnabled(False)
        label_axis(self._item.getAxis("bottom"), PULSES)
        label_axis(self._item.getAxis("left"), Axis("Conductance", "S"))
        self._line = pg.PlotDataItem()
        dots = {"pen": None, "symbol": "o", "symbolSize": 5, "symbolPen": None}
        self._dots = {kind: pg.PlotDataItem(**dots) for kind in (READ, *PulseKind)}
        for item in (self._line, *self._dots.values()):
            self._item.addItem(item)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(3)
        layout.addWidget(self.title)
        layout.addWidget(self.plot, stretch=1)
        layout.addWidget(self.key)
        self._colours = theme.LIGHT

    def show_trace(self, cell: tuple[int, int, int] | None, trace: CellTrace) -> None:
        """Show the trace of `cell` (PE, row, column)."""
        self.title.setText(_title(cell, trace))
        pulses = trace.pulses[-MOST:].astype(np.float64)
        conductances, kinds = trace.conductances[-MOST:], trace.last_kind[-MOST:]
        if len(pulses) and pulses[-1] == pulses[0]:
            pulses = np.arange(len(pulses), dtype=np.float64)
            label_axis(self._item.getAxis("bottom"), READS)
        else:
            label_axis(self._item.getAxis("bottom"), PULSES)
        self._show_range(conductances)
        self._line.setData(pulses, conductances)
        for kind, item in self._dots.items():
            mine = kinds == kind
            item.setData(pulses[mine], conductances[mine])
        self._paint()

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self._colours = colours
        self._paint()
        self.plot.setBackground(colours.base)
        for name in ("left", "bottom"):
            self._item.getAxis(name).setPen(colours.text)
            self._item.getAxis(name).setTextPen(colours.text)
        self.key.setText(
            f"<span style='color:{colours.first}'>●</span> SET  "
            f"<span style='color:{colours.second}'>●</span> RESET  "
            f"<span style='color:{colours.faint}'>●</span> read"
        )

    def _show_range(self, conductances: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        """Show from zero to the one known value until there is a trace to fit the axes to."""
        if len(conductances) > 1:
            self._item.enableAutoRange()
            return
        top = float(np.nanmax(conductances, initial=0.0)) or WINDOW[1]
        self._item.getViewBox().setRange(xRange=(-0.5, 1.5), yRange=(0.0, 1.3 * top))

    def _paint(self) -> None:
        self._line.setPen(pg.mkPen(self._colours.faint, width=1))
        for kind, item in self._dots.items():
            item.setSymbolBrush(self._colour(kind))

    def _colour(self, kind: int) -> str:
        chosen = {PulseKind.SET: self._colours.first, PulseKind.RESET: self._colours.second}
        return chosen.get(PulseKind(kind), "") if kind != READ else self._colours.faint


def _title(cell: tuple[int, int, int] | None, trace: CellTrace) -> str:
    if cell is None:
        return "Click a cell to see its history"
    place = f"Cell {cell[0]}/{cell[1]}/{cell[2]}"
    if trace.is_empty:
        return f"{place}: not read yet"
    pulses = int(trace.pulses[-1])
    counted = f"{pulses} pulse{'' if pulses == 1 else 's'}"
    return f"{place}: {1e6 * trace.conductances[-1]:.3f} µS, {counted}"
