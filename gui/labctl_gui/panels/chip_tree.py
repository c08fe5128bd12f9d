"""The tree of wafers, dies, chips and PEs: the chip on the bench, and those that runs tell of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QPushButton, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from labctl_gui.state.chips import KnownChip, with_chip
from labctl_instruments.station import ChipIdentity

_DATA = Qt.ItemDataRole.UserRole


class ChipTree(QWidget):
    """Choose a PE of the chip on the bench, or another chip to compare it with."""

    pe_chosen = pyqtSignal(int)
    """The PE that was chosen."""
    compare_wanted = pyqtSignal(object)
    """Run files of the chip to compare with, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: object = None
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setIndentation(12)
        self.tree.setAccessibleName("Wafers, dies, chips and PEs")
        self.tree.setToolTip("Wafer, die, chip, and the PEs of the chip on the bench (bold)")
        self.tree.itemSelectionChanged.connect(self._selected)
        self.tree.itemActivated.connect(lambda *_: self._compare())
        self.compare_button = QPushButton("Compare")
        self.compare_button.setToolTip(
            "Show how the array differs from the newest run on this chip that tells conductances"
        )
        self.compare_button.setEnabled(False)
        self.compare_button.clicked.connect(self._compare)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.tree, stretch=1)
        layout.addWidget(self.compare_button)

    def show_chips(
        self, chips: Sequence[KnownChip], here: ChipIdentity | None, pes: int, pe: int
    ) -> None:
        """Show the chips, if anything is new.

        Parameters
        ----------
        chips : sequence of KnownChip
            Those that runs tell of.
        here : ChipIdentity or None
            The chip on the bench; None without one.
        pes : int
            How many PEs it has.
        pe : int
            The PE that is shown.
        """
        if (tuple(chips), here, pes) != self._shown:
            self._shown = (tuple(chips), here, pes)
            self._fill(with_chip(chips, here), here, pes)
        self._mark(pe)

    @property
    def chosen(self) -> KnownChip | None:
        """The chip that is chosen; None where a PE is, or nothing."""
        found = [item.data(0, _DATA) for item in self.tree.selectedItems()]
        return found[0] if found and isinstance(found[0], KnownChip) else None

    def _fill(self, chips: Sequence[KnownChip], here: ChipIdentity | None, pes: int) -> None:
        self.tree.blockSignals(True)
        self.tree.clear()
        wafers: dict[str, QTreeWidgetItem] = {}
        dies: dict[tuple[str, str], QTreeWidgetItem] = {}
        for chip in chips:
            wafer, die = chip.identity.wafer, chip.identity.die
            if wafer not in wafers:
                wafers[wafer] = _item(self.tree, f"wafer {wafer}")
            if (wafer, die) not in dies:
                dies[wafer, die] = _item(wafers[wafer], f"die {die}")
            self._add_chip(dies[wafer, die], chip, pes if chip.identity == here else 0)
        self.tree.blockSignals(False)
        self._selected()

    def _add_chip(self, die: QTreeWidgetItem, chip: KnownChip, pes: int) -> None:
        item = _item(die, f"chip {chip.identity.chip}")
        item.setData(0, _DATA, chip)
        newest = f", the newest {chip.runs[0].name}" if chip.runs else ""
        item.setToolTip(0, f"{len(chip.runs)} runs{newest}")
        font = item.font(0)
        font.setBold(bool(pes))
        item.setFont(0, font)
        for number in range(pes):
            _item(item, f"PE {number}").setData(0, _DATA, number)

    def _mark(self, pe: int) -> None:
        """Choose the PE that is shown, unless a chip is chosen."""
        if self.chosen is not None or self._chosen_pe() == pe:
            return
        for item in self._items():
            if item.data(0, _DATA) == pe and isinstance(item.data(0, _DATA), int):
                self.tree.blockSignals(True)
                self.tree.setCurrentItem(item)
                self.tree.blockSignals(False)

    def _chosen_pe(self) -> int | None:
        found = [item.data(0, _DATA) for item in self.tree.selectedItems()]
        return found[0] if found and isinstance(found[0], int) else None

    def _items(self) -> Iterator[QTreeWidgetItem]:
        waiting = [self.tree.invisibleRootItem()]
        while waiting:
            item = waiting.pop()
            if item is not None:
                yield item
                waiting += [item.child(number) for number in range(item.childCount())]

    def _selected(self) -> None:
        chip, pe = self.chosen, self._chosen_pe()
        self.compare_button.setEnabled(chip is not None and bool(chip.runs))
        if pe is not None:
            self.pe_chosen.emit(pe)

    def _compare(self) -> None:
        chip = self.chosen
        if chip is not None and chip.runs:
            self.compare_wanted.emit(chip.runs)


def _item(parent: QTreeWidget | QTreeWidgetItem, text: str) -> QTreeWidgetItem:
    item = QTreeWidgetItem(parent, [text])
    item.setExpanded(True)
    return item
