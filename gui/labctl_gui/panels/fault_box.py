"""The fault box: what is to go wrong on the simulated bench, planted and cleared as it runs."""

from __future__ import annotations

from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSpinBox,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from labctl_gui.panels.words import OneLine, faint
from labctl_gui.state.rack_desk import RackDesk, RackFacts, Trouble

ONCE, OFTEN = "once", "by chance"
_STICKS = "stuck-relay"
"""The fault that befalls one crosspoint."""


class FaultBox(QWidget):
    """Plants faults and lists those that are still to come.

    Parameters
    ----------
    desk : RackDesk
        Puts them at the open bench.
    """

    def __init__(self, desk: RackDesk) -> None:
        super().__init__()
        self._desk = desk
        self._facts: RackFacts | None = None
        self.kind_box, self.instrument_box = QComboBox(), QComboBox()
        self.kind_box.setToolTip("At one instrument's door, or behind it")
        self.kind_box.currentTextChanged.connect(lambda _: self._offer_victims())
        self.instrument_box.setToolTip("Whom it befalls")
        self.instrument_box.setMinimumContentsLength(6)
        self.chance = ChanceBox()
        self.relay = RelayBox()
        self.plant_button = QPushButton("Plant")
        self.plant_button.setToolTip("Let it go wrong from now on; the bench stays open")
        self.plant_button.clicked.connect(lambda: self._desk.plant(self.trouble))
        self.clear_button = QPushButton("Clear all")
        self.clear_button.setToolTip(
            "Let nothing more go wrong; a source or relay that is broken stays broken"
        )
        self.clear_button.clicked.connect(self._desk.clear)
        self.planned = QListWidget()
        self.planned.setMinimumHeight(44)
        self.planned.setMaximumHeight(110)
        self.planned.setAccessibleName("Faults that are planted")
        self.told = OneLine(part="problem")
        self._lay_out()

    @property
    def trouble(self) -> Trouble:
        """What is asked for."""
        sticks = self.kind_box.currentText() == _STICKS
        return Trouble(
            self.kind_box.currentText(),
            self.instrument_box.currentText(),
            nth=self.chance.nth_box.value(),
            share=self.chance.share,
            channel=self.relay.channel_line.text().strip() if sticks else "",
            stuck_closed=sticks and self.relay.closed_box.isChecked(),
        )

    def show_facts(self, facts: RackFacts) -> None:
        """Show what is still to come, and offer what this bench can suffer."""
        if self.told.text() != self._desk.problem:
            self.told.setText(self._desk.problem)
        before, self._facts = self._facts, facts
        if before is None or before.victims != facts.victims:
            self.kind_box.clear()
            self.kind_box.addItems([kind for kind, names in facts.victims.items() if names])
        if before is None or before.planned != facts.planned:
            self.planned.clear()
            self.planned.addItems(facts.planned or ("nothing goes wrong",))
            self.clear_button.setEnabled(bool(facts.planned))

    def _offer_victims(self) -> None:
        kind, facts = self.kind_box.currentText(), self._facts
        self.instrument_box.clear()
        if facts is not None:
            self.instrument_box.addItems(facts.victims.get(kind, ()))
        self._form.setRowVisible(self.relay, kind == _STICKS)

    def _lay_out(self) -> None:
        self._form = form = QFormLayout()
        form.addRow("Goes wrong", _row(self.kind_box, QLabel("of"), self.instrument_box))
        form.addRow("Relay sticks", self.relay)
        form.addRow("When", self.chance)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addLayout(_row(self.plant_button, self.clear_button, faint("still to come:")))
        layout.addWidget(self.planned)
        layout.addWidget(self.told)


class ChanceBox(QWidget):
    """Asks for one chance, or for a share of them."""

    def __init__(self) -> None:
        super().__init__()
        self.when_box = QComboBox()
        self.when_box.addItems((ONCE, OFTEN))
        self.nth_box = QSpinBox()
        self.nth_box.setRange(1, 999_999)
        self.nth_box.setPrefix("at its no. ")
        self.nth_box.setToolTip("Which of its answers, or of the messages to it, counted from now")
        self.share_box = QDoubleSpinBox()
        self.share_box.setRange(0.01, 100.0)
        self.share_box.setValue(1.0)
        self.share_box.setPrefix("at ")
        self.share_box.setSuffix(" % of them")
        self.share_box.setToolTip("Share of its answers, or of the messages to it")
        stack = QStackedLayout()
        stack.addWidget(self.nth_box)
        stack.addWidget(self.share_box)
        self.when_box.currentIndexChanged.connect(stack.setCurrentIndex)
        row = _row(self.when_box)
        row.insertLayout(1, stack)
        row.setContentsMargins(0, 0, 0, 0)
        self.setLayout(row)

    @property
    def share(self) -> float | None:
        """Share of the chances, 0 to 1; None for one chance."""
        return self.share_box.value() / 100 if self.when_box.currentText() == OFTEN else None


class RelayBox(QWidget):
    """Asks for a crosspoint, and how it sticks."""

    def __init__(self) -> None:
        super().__init__()
        self.channel_line = QLineEdit()
        self.channel_line.setPlaceholderText("1A01")
        self.channel_line.setMaximumWidth(80)
        self.closed_box = QCheckBox("closed")
        row = _row(self.channel_line, self.closed_box)
        row.setContentsMargins(0, 0, 0, 0)
        self.setLayout(row)


def _row(*fields: QWidget) -> QHBoxLayout:
    """Return fields side by side, left."""
    row = QHBoxLayout()
    for field in fields:
        row.addWidget(field)
    row.addStretch(1)
    return row
