"""A table to read: rows are chosen as a whole, nothing is typed in."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

ROW_HEIGHT = 22


class Listing(QTableWidget):
    """A table of texts.

    Parameters
    ----------
    name : str
        What it lists, for people who do not see it.
    columns : sequence of str
        Headers.
    widths : sequence of int
        Widths of all columns but the last, in pixels.
    """

    def __init__(self, name: str, columns: Sequence[str], widths: Sequence[int]) -> None:
        super().__init__(0, len(columns))
        self.setHorizontalHeaderLabels(columns)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setAccessibleName(name)
        self.setMinimumHeight(80)
        vertical, horizontal = self.verticalHeader(), self.horizontalHeader()
        if vertical is not None:
            vertical.hide()
            vertical.setDefaultSectionSize(ROW_HEIGHT)
        if horizontal is not None:
            horizontal.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            horizontal.setStretchLastSection(True)
            for column, width in enumerate(widths):
                horizontal.resizeSection(column, width)

    def fill_row(self, row: int, texts: Sequence[str], tips: Sequence[str]) -> None:
        """Show texts in a row that is there; each with what it says when pointed at."""
        for column, (text, tip) in enumerate(zip(texts, tips, strict=True)):
            item = QTableWidgetItem(text)
            item.setToolTip(tip)
            self.setItem(row, column, item)
