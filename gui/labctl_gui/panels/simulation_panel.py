"""The simulation panel: another chip, clock or fault behind a simulated bench."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from labctl_gui.panels.words import faint
from labctl_gui.state.bench import BenchPhase, BenchStatus
from labctl_gui.state.simulation import Variation, variation_of
from labctl_instruments.station import BenchInfo

AS_IT_IS = "as it is"
NOTHING = "nothing"


class SimulationPanel(QWidget):
    """Asks for a simulated bench that differs from the one that is open."""

    wanted = pyqtSignal(object)
    """The `Variation` that is to be opened."""

    def __init__(self) -> None:
        super().__init__()
        self._info: BenchInfo | None = None
        self.preset_box = QComboBox()
        self.preset_box.addItem(AS_IT_IS)
        self.seed_box = QSpinBox()
        self.seed_box.setRange(0, 2**31 - 1)
        self.state_box = QComboBox()
        self.state_box.addItems(("formed", "fresh"))
        self.clock_box = QComboBox()
        self.clock_box.addItems(("jump", "real"))
        self.noise_box = QCheckBox("reads are noisy")
        self.fault_box = QComboBox()
        self.fault_box.addItem(NOTHING)
        self.instrument_box = QComboBox()
        self.nth_box = QSpinBox()
        self.nth_box.setRange(1, 10**9)
        self.open_button = QPushButton("Open this bench instead")
        self.open_button.setToolTip("Close the bench that is open; its simulated chip is gone then")
        self.open_button.clicked.connect(lambda: self.wanted.emit(self.variation))
        self._lay_out()

    @property
    def variation(self) -> Variation:
        """What is asked for."""
        preset, fault = self.preset_box.currentText(), self.fault_box.currentText()
        return Variation(
            seed=self.seed_box.value(),
            preset="" if preset == AS_IT_IS else preset,
            state=self.state_box.currentText(),
            clock=self.clock_box.currentText(),
            noise=self.noise_box.isChecked(),
            fault="" if fault == NOTHING else fault,
            instrument=self.instrument_box.currentText(),
            nth=self.nth_box.value(),
        )

    def offer(self, presets: tuple[str, ...], faults: tuple[str, ...]) -> None:
        """Offer device models and faults, once they are known."""
        for box, names in ((self.preset_box, presets), (self.fault_box, faults)):
            if box.count() == 1:
                box.addItems(names)

    def show_status(self, status: BenchStatus) -> None:
        """Start from the bench that is open."""
        self.open_button.setEnabled(status.phase is BenchPhase.READY)
        if status.info is self._info or status.info is None or status.info.seed is None:
            return
        self._info = status.info
        self.instrument_box.clear()
        self.instrument_box.addItems([name for name, _, _ in status.instruments])
        now = variation_of(status.info)
        self.preset_box.setCurrentText(AS_IT_IS)
        self.seed_box.setValue(now.seed)
        self.state_box.setCurrentText(now.state)
        self.clock_box.setCurrentText(now.clock)
        self.noise_box.setChecked(now.noise)
        self.fault_box.setCurrentText(now.fault or NOTHING)
        self.instrument_box.setCurrentText(now.instrument)
        self.nth_box.setValue(now.nth)

    def _lay_out(self) -> None:
        form = QFormLayout()
        for text, tip, field in (
            ("Device model", "Chip preset; as it is keeps the bench file's", self.preset_box),
            ("Seed", "Another seed is another chip", self.seed_box),
            ("Cells", "Formed, or fresh from the fab", self.state_box),
            ("Bench time", "Waits pass at once (jump), or with the wall's clock", self.clock_box),
            ("Noise", "Of reads and conversions", self.noise_box),
            ("Goes wrong", "A fault at one instrument's door", self.fault_box),
            ("Instrument", "Whom it befalls", self.instrument_box),
            ("At its", "Which of its answers, or messages, from 1", self.nth_box),
        ):
            field.setToolTip(tip)
            field.setMaximumWidth(240)
            form.addRow(text, field)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addWidget(faint("This bench is simulated. Open one like it, with:"))
        layout.addLayout(form)
        self.open_button.setMaximumWidth(320)
        layout.addWidget(self.open_button)
        layout.addStretch(1)
