"""The array view: the conductances of one PE as a heat map."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from labctl_gui import theme
from labctl_gui.panels.words import conductance_text, faint
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.pictures import WINDOW, range_of

COLOUR_MAPS = ("viridis", "cividis", "inferno")
"""Maps that stay ordered for every kind of colour vision, and in grey."""

SCALES = ("as read", "2 to 20 µS")
"""What the colours span: what the PE that is shown holds, or always the window."""

FloatArray = npt.NDArray[np.float64]


class ArrayPanel(QWidget):
    """Heat map of one PE, its long side across; click a cell to choose it, arrows move on."""

    cell_chosen = pyqtSignal(int, int, int)
    """PE, row and column of the cell that was clicked."""
    pe_chosen = pyqtSignal(int)
    """The PE that was picked."""
    read_wanted = pyqtSignal(int)
    """The PE that is to be read."""

    def __init__(self) -> None:
        super().__init__()
        self._map: ChipMap | None = None
        self._shown: tuple[int, int, int] | None = None
        self._values: FloatArray = np.empty((0, 0))
        self._rows_across = True
        self._chosen: tuple[int, int, int] | None = None
        self._make_controls()
        self._make_plot()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.setSpacing(4)
        layout.addLayout(self._controls)
        layout.addWidget(self.plot, stretch=1)
        layout.addWidget(self.read_out)
        self._make_shortcuts()

    @property
    def pe(self) -> int:
        """The PE that is shown."""
        return max(self.pe_box.currentIndex(), 0)

    @property
    def image(self) -> FloatArray:
        """What the heat map shows, as (row, column), in S."""
        return self._values

    @property
    def scale(self) -> tuple[float, float]:
        """Conductances at the ends of the colours, in S."""
        low, high = self._bar.levels()
        return float(low), float(high)

    def show_map(self, chip_map: ChipMap | None) -> None:
        """Show `chip_map`, if there is anything new in it."""
        if chip_map is None:
            self._forget()
            return
        if chip_map is not self._map:
            self._take(chip_map)
        shown = (id(chip_map), self.pe, chip_map.version)
        if shown == self._shown:
            return
        self._values = chip_map.pe(self.pe)
        across = self._values.T if self._rows_across else self._values
        self._image.setImage(across, autoLevels=False)
        self._shown = shown
        self._rescale()

    def choose(self, pe: int, row: int, column: int) -> None:
        """Choose a cell, as a click does."""
        if self._map is None:
            return
        pes, rows, columns = self._map.geometry.shape
        if not (0 <= pe < pes and 0 <= row < rows and 0 <= column < columns):
            return
        self._chosen = (pe, row, column)
        x, y = self._to_plot(row, column)
        self._mark.setData(
            [x - 0.5, x + 0.5, x + 0.5, x - 0.5, x - 0.5],
            [y - 0.5, y - 0.5, y + 0.5, y + 0.5, y - 0.5],
        )
        self._say(self._chosen)
        self.cell_chosen.emit(pe, row, column)

    def scene_point(self, row: int, column: int) -> QPointF:
        """Return where the cell lies on the plot widget, in its pixels."""
        x, y = self._to_plot(row, column)
        scene = self._box.mapViewToScene(QPointF(x, y))
        return QPointF(self.plot.mapFromScene(scene))

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self.plot.setBackground(colours.base)
        for name in ("left", "bottom"):
            self._item.getAxis(name).setPen(colours.text)
            self._item.getAxis(name).setTextPen(colours.text)
        self._bar.getAxis("right").setPen(colours.text)
        self._bar.getAxis("right").setTextPen(colours.text)
        self._mark.setPen(pg.mkPen("#ff2d95", width=2))
        for line in self._cross:
            line.setPen(pg.mkPen(colours.faint))

    def _make_controls(self) -> None:
        self.pe_box = QComboBox()
        self.pe_box.setMinimumWidth(64)
        self.pe_box.setToolTip("Processing element (array) that is shown")
        self.pe_box.currentIndexChanged.connect(self._pe_picked)
        self.read_button = QPushButton("Read PE")
        self.read_button.setToolTip("Read every cell of this PE once, at 0.2 V")
        self.read_button.clicked.connect(lambda: self.read_wanted.emit(self.pe))
        self.map_box = QComboBox()
        self.map_box.addItems(COLOUR_MAPS)
        self.map_box.setToolTip("Colours; all three read well with any colour vision")
        self.map_box.currentTextChanged.connect(self._colour)
        self.scale_box = QComboBox()
        self.scale_box.addItems(SCALES)
        self.scale_box.setToolTip("Span of the colours; a fixed one lets two pictures be compared")
        self.scale_box.currentTextChanged.connect(self._rescale)
        self.source = faint("")
        self._controls = QHBoxLayout()
        for part in (QLabel("PE"), self.pe_box, self.read_button, self.source):
            self._controls.addWidget(part)
        self._controls.addStretch(1)
        for part in (QLabel("Scale"), self.scale_box, QLabel("Colours"), self.map_box):
            self._controls.addWidget(part)
        self.read_out = QLabel("No bench yet")
        self.read_out.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def _make_plot(self) -> None:
        self.plot = pg.PlotWidget()
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.plot.setMinimumHeight(120)
        self._item = self.plot.getPlotItem()
        self._item.hideButtons()
        self._item.setMenuEnabled(False)
        self._box = self._item.getViewBox()
        self._box.invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major", levels=WINDOW)
        self._item.addItem(self._image)
        self._cross = (pg.InfiniteLine(angle=90), pg.InfiniteLine(angle=0))
        self._mark = pg.PlotDataItem()
        for item in (*self._cross, self._mark):
            self._item.addItem(item, ignoreBounds=True)
        self._bar = pg.ColorBarItem(
            values=WINDOW, width=14, interactive=False, colorMap=COLOUR_MAPS[0]
        )
        self._bar.setImageItem(self._image, insert_in=self._item)
        self._bar.layout.setContentsMargins(0, 7, 0, 0)  # the topmost number needs half a line
        self._bar.getAxis("right").setLabel("Conductance", units="S")
        scene = self.plot.scene()
        scene.sigMouseClicked.connect(self._clicked)
        scene.sigMouseMoved.connect(self._hovered)
        self._show_cross(None)

    def _make_shortcuts(self) -> None:
        steps = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}
        for key, step in steps.items():
            shortcut = QShortcut(QKeySequence(key), self.plot)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda step=step: self._step(*step))

    def _take(self, chip_map: ChipMap) -> None:
        pes, rows, columns = chip_map.geometry.shape
        self._map = chip_map
        self._rows_across = rows > columns
        wide, high = (rows, columns) if self._rows_across else (columns, rows)
        self._refill_pes(pes)
        names = ("Row", "Column") if self._rows_across else ("Column", "Row")
        for axis, name, size in zip(("bottom", "left"), names, (wide, high), strict=True):
            self._item.setLabel(axis, name)
            self._item.getAxis(axis).setTicks([_ticks(size)])
            self._item.getAxis(axis).setStyle(hideOverlappingLabels=False)
        self._image.setImage(np.full((high, wide), np.nan), autoLevels=False)
        self._image.setRect(-0.5, -0.5, wide, high)
        self._box.setLimits(xMin=-0.5, xMax=wide - 0.5, yMin=-0.5, yMax=high - 0.5)
        self._box.setRange(xRange=(-0.5, wide - 0.5), yRange=(-0.5, high - 0.5), padding=0)
        self._chosen = None
        self._mark.setData([], [])

    def _refill_pes(self, pes: int) -> None:
        kept = min(self.pe, pes - 1)
        self.pe_box.blockSignals(True)
        self.pe_box.clear()
        self.pe_box.addItems([str(number) for number in range(pes)])
        self.pe_box.setCurrentIndex(kept)
        self.pe_box.blockSignals(False)
        self.pe_chosen.emit(kept)

    def _forget(self) -> None:
        if self._map is None:
            return
        self._map, self._shown, self._values = None, None, np.empty((0, 0))
        self._image.setImage(np.full((1, 1), np.nan), autoLevels=False)
        self._chosen = None
        self._mark.setData([], [])
        self.read_out.setText("Nothing to show on the array")

    def _pe_picked(self, pe: int) -> None:
        self.show_map(self._map)
        self.pe_chosen.emit(pe)
        if self._chosen is not None:
            self.choose(pe, *self._chosen[1:])

    def _colour(self, name: str) -> None:
        self._bar.setColorMap(pg.colormap.get(name))

    def _rescale(self) -> None:
        fixed = self.scale_box.currentText() == SCALES[1]
        self._bar.setLevels(WINDOW if fixed else range_of(self._values))
        self._say(self._chosen)

    def _to_plot(self, row: int, column: int) -> tuple[int, int]:
        return (row, column) if self._rows_across else (column, row)

    def _cell_at(self, scene_point: QPointF) -> tuple[int, int] | None:
        """Return row and column of the cell under a point of the scene."""
        if self._map is None or not self._box.sceneBoundingRect().contains(scene_point):
            return None
        point = self._box.mapSceneToView(scene_point)
        x, y = round(point.x()), round(point.y())
        row, column = (x, y) if self._rows_across else (y, x)
        inside = 0 <= row < self._map.geometry.rows and 0 <= column < self._map.geometry.columns
        return (row, column) if inside else None

    def _clicked(self, event: Any) -> None:  # noqa: ANN401  (pyqtgraph's own event)
        cell = self._cell_at(event.scenePos())
        if cell is not None and event.button() == Qt.MouseButton.LeftButton:
            self.choose(self.pe, *cell)
            self.plot.setFocus()

    def _hovered(self, scene_point: QPointF) -> None:
        cell = self._cell_at(scene_point)
        self._show_cross(cell)
        self._say(self._chosen if cell is None else (self.pe, *cell))

    def _show_cross(self, cell: tuple[int, int] | None) -> None:
        place = None if cell is None else self._to_plot(*cell)
        for number, line in enumerate(self._cross):
            line.setVisible(place is not None)
            if place is not None:
                line.setPos(place[number])

    def _say(self, cell: tuple[int, int, int] | None) -> None:
        if cell is None or not self._values.size:
            known = int(np.isfinite(self._values).sum())
            text = f"{known} of {self._values.size} cells of this PE are known"
            self.read_out.setText(f"{text}{self._beyond()}")
            return
        value = self._values[cell[1], cell[2]]
        self.read_out.setText(
            f"PE {cell[0]}  ·  row {cell[1]}  ·  column {cell[2]}  ·  {conductance_text(value)}"
        )

    def _beyond(self) -> str:
        """Say how many cells lie beyond the colours, and have the colour of an end."""
        low, high = self.scale
        counts = {
            f"above {conductance_text(high)}": int(np.sum(self._values > high)),
            f"below {conductance_text(low)}": int(np.sum(self._values < low)),
        }
        return "".join(f"  ·  {count} {where}" for where, count in counts.items() if count)

    def _step(self, x: int, y: int) -> None:
        if self._map is None:
            return
        pe, row, column = self._chosen or (self.pe, 0, 0)
        down, across = (x, y) if self._rows_across else (y, x)
        self.choose(pe, row + down, column + across)


def _ticks(size: int) -> list[tuple[int, str]]:
    """Return some eight numbers along `size` cells, the first among them, and their texts."""
    step = max(1, 1 << round(np.log2(max(size, 1) / 8)))
    return [(number, str(number)) for number in range(0, size, step)]
