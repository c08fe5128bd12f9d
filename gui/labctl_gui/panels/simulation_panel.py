"""The simulation panel: time and faults of the simulated bench, and another chip behind it."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from labctl_gui.panels.fault_box import FaultBox
from labctl_gui.state.bench import BenchPhase, BenchStatus
from labctl_gui.state.rack_desk import SPEEDS, RackDesk
from labctl_gui.state.simulation import Variation, variation_of
from labctl_instruments.station import BenchInfo

AS_IT_IS = "as it is"
_FIELD_WIDTH = 200
_GROUP_WIDTH = 560


class SimulationPanel(QScrollArea):
    """Changes the simulated bench that is open, and asks for one that differs from it.

    Parameters
    ----------
    desk : RackDesk
        Changes time and faults while the bench is open.
    """

    wanted = pyqtSignal(object)
    """The `Variation` that is to be opened."""

    def __init__(self, desk: RackDesk) -> None:
        super().__init__()
        self._desk = desk
        self._info: BenchInfo | None = None
        self.speed_box = QComboBox()
        self.speed_box.addItems(list(SPEEDS))
        self.speed_box.activated.connect(lambda _: self._pace())
        self.faults = FaultBox(desk)
        self.preset_box = QComboBox()
        self.preset_box.addItem(AS_IT_IS)
        self.seed_box = QSpinBox()
        self.seed_box.setRange(0, 2**31 - 1)
        self.state_box = QComboBox()
        self.state_box.addItems(("formed", "fresh"))
        self.noise_box = QCheckBox("reads are noisy")
        self.open_button = QPushButton("Open with this chip")
        self.open_button.setToolTip("Close the bench that is open; its simulated chip is gone then")
        self.open_button.clicked.connect(lambda: self.wanted.emit(self.variation))
        self._lay_out()

    @property
    def variation(self) -> Variation:
        """What is asked for."""
        preset = self.preset_box.currentText()
        return Variation(
            seed=self.seed_box.value(),
            preset="" if preset == AS_IT_IS else preset,
            state=self.state_box.currentText(),
            noise=self.noise_box.isChecked(),
        )

    def offer(self, presets: tuple[str, ...]) -> None:
        """Offer device models, once they are known."""
        if self.preset_box.count() == 1:
            self.preset_box.addItems(presets)

    def show_status(self, status: BenchStatus) -> None:
        """Show how the simulation goes on, and start from the bench that is open."""
        self.open_button.setEnabled(status.phase is BenchPhase.READY)
        facts = self._desk.facts
        if facts is not None:
            self.faults.show_facts(facts)
            self._show_speed(facts.speed)
        if status.info is self._info or status.info is None or status.info.seed is None:
            return
        self._info = status.info
        now = variation_of(status.info)
        self.preset_box.setCurrentText(AS_IT_IS)
        self.seed_box.setValue(now.seed)
        self.state_box.setCurrentText(now.state)
        self.noise_box.setChecked(now.noise)

    def _show_speed(self, speed: float) -> None:
        view = self.speed_box.view()
        if view is not None and view.isVisible():
            return  # the operator is choosing
        known = {value: name for name, value in SPEEDS.items()}
        name = known.get(speed, f"{speed:g} times as fast")
        if self.speed_box.findText(name) < 0:
            self.speed_box.addItem(name)
        if self.speed_box.currentText() != name:
            self.speed_box.setCurrentText(name)

    def _pace(self) -> None:
        name = self.speed_box.currentText()
        if name in SPEEDS:
            self._desk.pace(SPEEDS[name])

    def _lay_out(self) -> None:
        now = QGroupBox("This bench, while it is open")
        inside = QVBoxLayout(now)
        inside.addLayout(
            _form(("Bench time", "How long waits take, from now on", self.speed_box)),
        )
        inside.addWidget(self.faults)
        chip = QGroupBox("Another chip behind it")
        beside = QVBoxLayout(chip)
        beside.addLayout(
            _form(
                ("Device model", "Chip preset; as it is keeps the bench file's", self.preset_box),
                ("Seed", "Another seed is another chip", self.seed_box),
                ("Cells", "Formed, or fresh from the fab", self.state_box),
                ("Noise", "Of reads and conversions", self.noise_box),
            )
        )
        beside.addWidget(self.open_button)
        beside.addStretch(1)
        page = QWidget()
        both = QHBoxLayout(page)
        both.setContentsMargins(8, 6, 8, 6)
        for group, share in ((now, 1), (chip, 0)):
            group.setMaximumWidth(_GROUP_WIDTH)
            both.addWidget(group, stretch=share, alignment=Qt.AlignmentFlag.AlignTop)
        both.addStretch(0)
        self.setWidget(page)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)


def _form(*rows: tuple[str, str, QWidget]) -> QFormLayout:
    form = QFormLayout()
    for text, tip, field in rows:
        field.setToolTip(tip)
        field.setMaximumWidth(_FIELD_WIDTH)
        form.addRow(text, field)
    return form
