"""The data browser: runs that were measured, found by words; open, compare, tag, note, report."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from labctl_data.catalogue import Entry
from labctl_gui.panels.asking import ask_for_folder
from labctl_gui.panels.listing import Listing
from labctl_gui.panels.words import OneLine, faint
from labctl_gui.state.browser import Browser

COLUMNS = ("Started", "Procedure", "Status", "Rows", "Chip", "Tags", "Note", "File")
MOST = 500
"""Runs that are listed at most."""


class RunsPanel(QWidget):
    """Searches the catalogue, and lists what is found.

    Parameters
    ----------
    browser : Browser
        Asks the catalogue.
    """

    file_wanted = pyqtSignal(object)
    """Path of a run file that is to be shown."""
    compare_wanted = pyqtSignal(object)
    """Path of a run file whose map the array is to be compared with."""

    def __init__(self, browser: Browser) -> None:
        super().__init__()
        self._browser = browser
        self._shown = -1
        self._make_search()
        self._make_table()
        self._make_description()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.setSpacing(4)
        layout.addLayout(self._search_row)
        layout.addWidget(self.table, stretch=1)
        layout.addLayout(self._description_row)

    @property
    def chosen(self) -> list[Entry]:
        """The runs that are selected, from the top."""
        rows = sorted({index.row() for index in self.table.selectedIndexes()})
        items = [self.table.item(row, 0) for row in rows]
        found = [item.data(Qt.ItemDataRole.UserRole) for item in items if item is not None]
        return [entry for entry in found if isinstance(entry, Entry)]

    def look(self) -> None:
        """Look at the folder again."""
        self._browser.search(self.search_line.text())

    def refresh(self) -> None:
        """Show what the last search has found."""
        found = self._browser.found
        if found.number == self._shown:
            return
        self._shown = found.number
        chosen = {entry.file for entry in self.chosen}
        self.table.setRowCount(0)
        self.table.setRowCount(min(len(found.entries), MOST))
        self.table.clearSelection()
        for row, entry in enumerate(found.entries[:MOST]):
            self._fill(row, entry)
            if entry.file in chosen:
                self.table.selectRow(row)
        shown = f", the newest {MOST} are listed" if len(found.entries) > MOST else ""
        self.count.setText(f"{len(found.entries)} runs in {found.folder}{shown}")
        self._show_chosen()

    def _make_search(self) -> None:
        self.search_line = QLineEdit()
        self.search_line.setPlaceholderText("search: procedure, status, chip, tag, level=8 …")
        self.search_line.setToolTip("Every word must occur, anywhere in what is known of a run")
        self.search_line.setAccessibleName("Search runs")
        self.search_line.setClearButtonEnabled(True)
        self.search_line.textEdited.connect(lambda _: self.look())
        self.look_button = QPushButton("Look again")
        self.look_button.setToolTip("Look at the folder again (F5)")
        self.look_button.setShortcut("F5")
        self.look_button.clicked.connect(self.look)
        self.folder_button = QPushButton("Folder …")
        self.folder_button.setToolTip("Browse another folder")
        self.folder_button.clicked.connect(self._ask_for_folder)
        self.count = OneLine(part="faint")
        self._search_row = QHBoxLayout()
        self._search_row.addWidget(self.search_line, stretch=2)
        self._search_row.addWidget(self.look_button)
        self._search_row.addWidget(self.folder_button)
        self._search_row.addWidget(self.count, stretch=1)

    def _make_table(self) -> None:
        self.table = Listing("Runs", COLUMNS, (118, 100, 78, 58, 66, 76, 96))
        self.table.setToolTip("Double-click a run to look at it; Ctrl or Shift selects several")
        self.table.doubleClicked.connect(lambda _: self._open())
        self.table.itemSelectionChanged.connect(self._show_chosen)

    def _make_description(self) -> None:
        self.open_button = QPushButton("Open")
        self.open_button.setToolTip("Show the run in place of the live bench")
        self.open_button.clicked.connect(self._open)
        self.compare_button = QPushButton("Compare")
        self.compare_button.setToolTip("Show how the array differs from this run's last map")
        self.compare_button.clicked.connect(self._compare)
        self.report_button = QPushButton("Report")
        self.report_button.setToolTip("Draw a page from the selected runs, beside them")
        self.report_button.clicked.connect(self._report)
        self.tags_line = QLineEdit()
        self.tags_line.setPlaceholderText("tags")
        self.tags_line.setToolTip("Words parted by blanks; Enter keeps them")
        self.tags_line.setAccessibleName("Tags")
        self.note_line = QLineEdit()
        self.note_line.setPlaceholderText("note")
        self.note_line.setToolTip("What is to be said of this run; Enter keeps it")
        self.note_line.setAccessibleName("Note")
        self._description_row = QHBoxLayout()
        for button in (self.open_button, self.compare_button, self.report_button):
            self._description_row.addWidget(button)
        self._description_row.addWidget(faint("Tags"))
        self._description_row.addWidget(self.tags_line, stretch=1)
        self._description_row.addWidget(faint("Note"))
        self._description_row.addWidget(self.note_line, stretch=2)
        for line in (self.tags_line, self.note_line):
            line.returnPressed.connect(self._describe)
        self._show_chosen()

    def _fill(self, row: int, entry: Entry) -> None:
        started = entry.started[:16].replace("T", " ")
        status = entry.status or "unreadable"
        texts = (started, entry.procedure, status, str(entry.rows), entry.chip)
        more = (" ".join(entry.tags), entry.note, entry.problem or entry.file.name)
        tip = entry.problem or f"{entry.wafer} {entry.die} {entry.chip}\n{entry.file}"
        self.table.fill_row(row, (*texts, *more), [tip] * len(COLUMNS))
        first = self.table.item(row, 0)
        if first is not None:
            first.setData(Qt.ItemDataRole.UserRole, entry)

    def _show_chosen(self) -> None:
        chosen = self.chosen
        readable = [entry for entry in chosen if not entry.problem]
        self.open_button.setEnabled(len(readable) == 1)
        self.compare_button.setEnabled(len(readable) == 1)
        self.report_button.setEnabled(bool(readable))
        one = chosen[0] if len(chosen) == 1 else None
        for line, text in (
            (self.tags_line, "" if one is None else " ".join(one.tags)),
            (self.note_line, "" if one is None else one.note),
        ):
            line.setEnabled(one is not None)
            if not line.hasFocus():
                line.setText(text)

    def _open(self) -> None:
        for entry in self.chosen[:1]:
            self.file_wanted.emit(entry.file)

    def _compare(self) -> None:
        for entry in self.chosen[:1]:
            self.compare_wanted.emit(entry.file)

    def _report(self) -> None:
        self._browser.write_report(entry.file for entry in self.chosen if not entry.problem)

    def _describe(self) -> None:
        for entry in self.chosen[:1]:
            tags, note = self.tags_line.text().split(), self.note_line.text()
            self._browser.describe(entry.file, tags=tags, note=note)

    def _ask_for_folder(self) -> None:
        ask_for_folder(self, "Folder of run files", self._browser.look_into)
