"""The selection bar: how many cells are selected, and what is done with them."""

from __future__ import annotations

import logging
from pathlib import Path

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from labctl_data.cells import Geometry
from labctl_data.errors import LabctlError
from labctl_gui.panels.asking import ask_to_open, ask_to_save
from labctl_gui.panels.words import faint
from labctl_gui.state.selection import Selection

log = logging.getLogger(__name__)


class SelectionBar(QWidget):
    """Keeps the selected cells of the chip that is shown."""

    changed = pyqtSignal()
    """Other cells are selected."""
    cells_wanted = pyqtSignal(str)
    """The selected cells, as a form takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.selection: Selection | None = None
        self.told = faint("")
        self.told.setToolTip("Drag over cells, or click them with Ctrl, to select them")
        self.use_button = _tool("Use", "Put the selected cells into the form of the run")
        self.use_button.clicked.connect(self._use)
        self.clear_button = _tool("Clear", "Select no cell")
        self.clear_button.clicked.connect(self._clear)
        self.save_button = _tool("Save …", "Write the selected cells as a mask file (.npy)")
        self.save_button.clicked.connect(self._ask_where_to_save)
        self.load_button = _tool("Load …", "Select the cells of a mask file (.npy)")
        self.load_button.clicked.connect(self._ask_what_to_load)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.told)
        for button in (self.use_button, self.clear_button, self.save_button, self.load_button):
            row.addWidget(button)

    def take_chip(self, geometry: Geometry) -> None:
        """Select on a chip of this size; on one of the same size the cells stay selected."""
        if self.selection is None or self.selection.geometry != geometry:
            self.selection = Selection(geometry)
        self._tell()

    def toggle(self, pe: int, row: int, column: int) -> None:
        """Take a cell in, or out if it is in."""
        if self.selection is not None:
            self.selection.toggle(pe, row, column)
            self._tell()

    def add_rectangle(self, pe: int, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Take in the cells of a rectangle, ends included."""
        if self.selection is not None:
            self.selection.add_rectangle(pe, rows, columns)
            self._tell()

    def save_mask(self, path: Path) -> None:
        """Write the selected cells as a mask file."""
        if self.selection is not None:
            self.selection.save(path)
            log.info("mask of %d cells: %s", len(self.selection), path)

    def load_mask(self, path: Path) -> None:
        """Select the cells of a mask file; a file that is none is refused in the log."""
        if self.selection is None:
            return
        try:
            self.selection.load(path)
        except LabctlError as error:
            log.error("%s", error)  # noqa: TRY400  (its one line says it all)
        self._tell()

    def _tell(self) -> None:
        n = 0 if self.selection is None else len(self.selection)
        self.told.setText(f"{n} selected" if n else "none selected")
        for button in (self.use_button, self.clear_button, self.save_button):
            button.setEnabled(n > 0)
        self.changed.emit()

    def _use(self) -> None:
        if self.selection is not None:
            self.cells_wanted.emit(self.selection.text())

    def _clear(self) -> None:
        if self.selection is not None:
            self.selection.clear()
            self._tell()

    def _ask_where_to_save(self) -> None:
        ask_to_save(self, "Save mask", _MASKS, self.save_mask, proposed="mask.npy", suffix="npy")

    def _ask_what_to_load(self) -> None:
        ask_to_open(self, "Load mask", _MASKS, self.load_mask)


_MASKS = "Masks (*.npy)"


def _tool(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    return button
