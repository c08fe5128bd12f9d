"""The array view: what is known of one PE as a heat map, and the cells that are selected."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from labctl_gui import theme
from labctl_gui.panels.chip_tree import ChipTree
from labctl_gui.panels.heat_map import HeatMap
from labctl_gui.panels.scale_bar import ScaleBar
from labctl_gui.panels.selection_bar import SelectionBar
from labctl_gui.panels.words import OneLine, conductance_text
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.pictures import WINDOW
from labctl_gui.state.quantities import CLASSES, Known, Quantity, Scale
from labctl_procedures.quantities import format_quantity

FloatArray = npt.NDArray[np.float64]


class ArrayPanel(QWidget):
    """Heat map of one PE; click a cell to choose it, drag or Ctrl-click to select cells."""

    cell_chosen = pyqtSignal(int, int, int)
    """PE, row and column of the cell that was clicked."""
    pe_chosen = pyqtSignal(int)
    """The PE that was picked."""
    read_wanted = pyqtSignal(int)
    """The PE that is to be read."""
    cells_wanted = pyqtSignal(str)
    """The selected cells, as a form takes them."""

    def __init__(self) -> None:
        super().__init__()
        self._map: ChipMap | None = None
        self._shown: object = None
        self._values: FloatArray = np.empty((0, 0))
        self._conductances: FloatArray = np.empty((0, 0))
        self._kept: FloatArray | None = None
        self._kept_name = ""
        self._span = WINDOW
        self._labelled: Scale | None = None
        self._chosen: tuple[int, int, int] | None = None
        self._make_controls()
        self.scales = ScaleBar()
        self.scales.changed.connect(lambda: self.show_map(self._map))
        self.scales.recoloured.connect(self._colour)
        self.read_out = OneLine("No bench yet")
        self.read_out.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.selecting = SelectionBar()
        self.selecting.changed.connect(self._show_selection)
        self.selecting.cells_wanted.connect(self.cells_wanted)
        self.plot = HeatMap()
        self.plot.clicked.connect(self._clicked)
        self.plot.hovered.connect(self._hovered)
        self.plot.dragged.connect(self._dragged)
        self.plot.stepped.connect(self._step)
        self._make_chips()
        self._lay_out()

    @property
    def pe(self) -> int:
        """The PE that is shown."""
        return max(self.pe_box.currentIndex(), 0)

    @property
    def image(self) -> FloatArray:
        """What the heat map shows, as (row, column), in the unit of the quantity."""
        return self._values

    @property
    def span(self) -> tuple[float, float]:
        """Values at the ends of the colours; logarithms to the base of 10 where decades are."""
        return self.plot.span

    @property
    def scale(self) -> Scale:
        """What is shown, and how it is turned into colours."""
        return self.scales.scale

    def show_map(self, chip_map: ChipMap | None) -> None:
        """Show `chip_map`, if there is anything new in it."""
        if chip_map is None:
            self._forget()
            return
        if chip_map is not self._map:
            self._take(chip_map)
        shown = (id(chip_map), self.pe, chip_map.version, self.scale, id(self._kept))
        if shown != self._shown:
            self._shown = shown
            self._draw(chip_map)

    def choose(self, pe: int, row: int, column: int) -> None:
        """Choose a cell, as a click does."""
        if self._map is None:
            return
        pes, rows, columns = self._map.geometry.shape
        if not (0 <= pe < pes and 0 <= row < rows and 0 <= column < columns):
            return
        self._chosen = (pe, row, column)
        self.plot.mark((row, column))
        self._say(self._chosen)
        self.cell_chosen.emit(pe, row, column)

    def keep(self) -> None:
        """Keep what is shown, of all PEs, to compare later pictures with."""
        if self._map is not None:
            self.compare_with(self._map.whole(), "what was kept here")

    def compare_with(self, conductances: FloatArray, name: str) -> None:
        """Show, where *change* is picked, how cells differ from these, (pe, row, col) in S."""
        self._kept, self._kept_name = conductances, name
        self.show_map(self._map)

    def scene_point(self, row: int, column: int) -> QPointF:
        """Return where the cell lies on the plot widget, in its pixels."""
        return self.plot.scene_point(row, column)

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self.plot.wear(colours)

    def choose_pe(self, pe: int) -> None:
        """Show another PE, where the chip that is shown has it."""
        if pe < self.pe_box.count():
            self.pe_box.setCurrentIndex(pe)

    def _make_chips(self) -> None:
        """Put the tree of chips beside the map; it can be drawn to nothing."""
        self.chips = ChipTree()
        self.chips.pe_chosen.connect(self.choose_pe)
        self._split = QSplitter()
        self._split.addWidget(self.chips)
        self._split.addWidget(self.plot)
        self._split.setStretchFactor(1, 1)
        self._split.setSizes([140, 600])
        self._split.setCollapsible(1, False)

    def _make_controls(self) -> None:
        self.pe_box = QComboBox()
        self.pe_box.setMinimumWidth(64)
        self.pe_box.setToolTip("Processing element (array) that is shown")
        self.pe_box.currentIndexChanged.connect(self._pe_picked)
        self.read_button = QPushButton("Read PE")
        self.read_button.setToolTip("Read every cell of this PE once, at 0.2 V")
        self.read_button.clicked.connect(lambda: self.read_wanted.emit(self.pe))
        self.keep_button = QPushButton("Keep")
        self.keep_button.setToolTip(
            "Keep this picture, to see as 'change since kept' what differs later, or on another "
            "chip whose run file you open"
        )
        self.keep_button.clicked.connect(self.keep)
        self.source = OneLine(part="faint")
        self._controls = QHBoxLayout()
        for part in (QLabel("PE"), self.pe_box, self.read_button, self.keep_button):
            self._controls.addWidget(part)
        self._controls.addWidget(self.source, stretch=1)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.setSpacing(4)
        layout.addLayout(self._controls)
        layout.addWidget(self.scales)
        layout.addWidget(self._split, stretch=1)
        below = QHBoxLayout()
        below.addWidget(self.read_out, stretch=1)
        below.addWidget(self.selecting)
        layout.addLayout(below)

    def _take(self, chip_map: ChipMap) -> None:
        pes, rows, columns = chip_map.geometry.shape
        self._map = chip_map
        self._refill_pes(pes)
        self.plot.set_shape(rows, columns)
        self._chosen = None
        self.selecting.take_chip(chip_map.geometry)

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
        self._map, self._shown = None, None
        self._values = self._conductances = np.empty((0, 0))
        self.plot.set_shape(1, 1)
        self._chosen = None
        self.read_out.setText("Nothing to show on the array")

    def _draw(self, chip_map: ChipMap) -> None:
        scale, pe = self.scale, self.pe
        self._conductances = chip_map.pe(pe)
        known = Known(self._conductances, chip_map.targets(pe), self._kept_pe(), chip_map.stuck[pe])
        self._values = scale.values(known)
        self._span = scale.span(self._values)
        low, high = scale.coloured(np.array(self._span))
        self.plot.show_values(scale.coloured(self._values), (float(low), float(high)))
        if scale != self._labelled:
            self._labelled = scale
            self._label(scale)
            self._colour()
        self._say(self._chosen)

    def _kept_pe(self) -> FloatArray:
        shape = self._conductances.shape
        kept = self._kept
        if kept is None or self.pe >= len(kept) or kept.shape[1:] != shape:
            return np.full(shape, np.nan)
        return np.asarray(kept[self.pe], np.float64)

    def _label(self, scale: Scale) -> None:
        words = scale.quantity.value.capitalize()
        if scale.is_logarithmic:
            self.plot.label(f"log₁₀ of {scale.quantity.value} in {scale.unit}", "")
        else:
            self.plot.label(words, scale.unit)
        classes = scale.quantity is Quantity.YIELD
        self.plot.name_ticks([(float(n), t) for n, t in enumerate(CLASSES)] if classes else None)
        self.scales.enable()

    def _colour(self) -> None:
        self.plot.colour(self.scales.colour_map)

    def _pe_picked(self, pe: int) -> None:
        self.show_map(self._map)
        self.pe_chosen.emit(pe)
        self._show_selection()
        if self._chosen is not None:
            self.choose(pe, *self._chosen[1:])

    def _clicked(self, row: int, column: int, held: bool) -> None:
        if held:
            self.selecting.toggle(self.pe, row, column)
        self.choose(self.pe, row, column)

    def _dragged(self, top: int, bottom: int, left: int, right: int) -> None:
        self.selecting.add_rectangle(self.pe, (top, bottom), (left, right))

    def _hovered(self, row: int, column: int) -> None:
        self._say(self._chosen if row < 0 else (self.pe, row, column))

    def _step(self, down: int, across: int) -> None:
        pe, row, column = self._chosen or (self.pe, 0, 0)
        self.choose(pe, row + down, column + across)

    def _show_selection(self) -> None:
        chosen = self.selecting.selection
        if chosen is not None and self.pe < chosen.geometry.pes:
            self.plot.select(chosen.pe(self.pe))

    def _say(self, cell: tuple[int, int, int] | None) -> None:
        if cell is None or not self._values.size:
            known = int(np.isfinite(self._values).sum())
            text = f"{known} of {self._values.size} cells of this PE are known"
            self.read_out.setText(f"{text}{self._beyond()}")
            return
        place = f"PE {cell[0]}  ·  row {cell[1]}  ·  column {cell[2]}"
        words = [place, conductance_text(self._conductances[cell[1], cell[2]])]
        if self.scale.quantity is not Quantity.CONDUCTANCE:
            words.insert(1, self._value_text(float(self._values[cell[1], cell[2]])))
        self.read_out.setText("  ·  ".join(words))

    def _value_text(self, value: float) -> str:
        scale = self.scale
        if not np.isfinite(value):
            return f"{scale.quantity.value}: not known"
        if scale.quantity is Quantity.YIELD:
            return CLASSES[int(value)]
        text = format_quantity(value, scale.unit, digits=4) if scale.unit else f"{value:.0f}"
        origin = f" ({self._kept_name})" if scale.quantity is Quantity.DIFFERENCE else ""
        return f"{scale.quantity.value}: {text}{origin}"

    def _beyond(self) -> str:
        """Say how many cells lie beyond the colours, and have the colour of an end."""
        scale = self.scale
        if not scale.unit or not self._values.size:
            return ""
        low, high = self._span
        counts = {
            f"above {_end_text(high, scale)}": int(np.sum(self._values > high)),
            f"below {_end_text(low, scale)}": int(np.sum(self._values < low)),
        }
        return "".join(f"  ·  {count} {where}" for where, count in counts.items() if count)


def _end_text(value: float, scale: Scale) -> str:
    if scale.quantity is Quantity.CONDUCTANCE:
        return conductance_text(value)
    return format_quantity(value, scale.unit)
