"""The bench panel: which chip lies on which bench, what it may be given, what it is doing."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from labctl_gui import theme
from labctl_gui.panels.matrix_view import MatrixView
from labctl_gui.panels.words import faint, labelled
from labctl_gui.state.bench import BenchStatus, Outputs
from labctl_gui.state.progress import duration_text
from labctl_instruments.station import BenchInfo
from labctl_procedures.quantities import format_quantity

_UNKNOWN = "-"
_LINES = (
    "Wafer",
    "Die",
    "Chip",
    "Array",
    "Kind",
    "Simulated",
    "Outputs",
    "Bench time",
    "Temperature",
    "Interlock",
    "Compliance",
    "Guardian",
    "Max. voltage",
    "Max. gate",
    "Max. current",
    "Max. energy",
    "Max. pulses",
)


class BenchPanel(QWidget):
    """Identity, outputs, time and envelope of the bench, and the choice of another."""

    open_wanted = pyqtSignal(str)
    """Name or path of a bench that is to be opened."""

    def __init__(self) -> None:
        super().__init__()
        self._status: BenchStatus | None = None
        self._colours = theme.LIGHT
        self.bench_box = QComboBox()
        self.bench_box.setEditable(True)
        self.bench_box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.bench_box.setToolTip("A shipped bench, or the path of a bench file")
        self.open_button = QPushButton("Open")
        self.open_button.clicked.connect(
            lambda: self.open_wanted.emit(self.bench_box.currentText().strip())
        )
        self.problem = labelled("", "problem")
        self.problem.setWordWrap(True)
        self.values = {name: QLabel(_UNKNOWN) for name in _LINES}
        self._lay_out()

    def offer(self, benches: tuple[str, ...]) -> None:
        """Offer the benches that come with labctl, once they are known."""
        if benches and not self.bench_box.count():
            text = self.bench_box.currentText()
            self.bench_box.addItems(benches)
            self.bench_box.setCurrentText(text)

    def show_status(self, status: BenchStatus) -> None:
        """Show the bench as it is."""
        geometry = None if status.info is None else status.info.geometry
        self.matrix.show_connections(status.connections, geometry)
        if status == self._status:
            return
        renamed = self._status is None or status.name != self._status.name
        if renamed and status.name:
            self.bench_box.setCurrentText(status.name)
        self._status = status
        self.problem.setText(status.problem)
        self.problem.setVisible(bool(status.problem))
        for name, text in _texts(status).items():
            self.values[name].setText(text)
        self.instruments.setText("\n".join(f"{n}: {d}" for n, d, _ in status.instruments))
        self.instruments.setToolTip("\n".join(f"{n}: {a}" for n, _, a in status.instruments))
        self._colour_outputs(status.outputs)

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self._colours = colours
        self.matrix.wear(colours)
        if self._status is not None:
            self._colour_outputs(self._status.outputs)

    def _lay_out(self) -> None:
        choice = QHBoxLayout()
        choice.addWidget(self.bench_box, stretch=1)
        choice.addWidget(self.open_button)
        form = QFormLayout()
        form.setVerticalSpacing(3)
        form.setHorizontalSpacing(12)
        for name, value in self.values.items():
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setWordWrap(True)
            form.addRow(faint(name), value)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addLayout(choice)
        layout.addWidget(self.problem)
        self.instruments = QLabel(_UNKNOWN)
        self.instruments.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        form.addRow(faint("Instruments"), self.instruments)
        self.matrix = MatrixView()
        self.matrix.hide()
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.matrix)
        column.addLayout(form)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(page)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        layout.addWidget(scroll, stretch=1)

    def _colour_outputs(self, outputs: Outputs) -> None:
        colour = {
            Outputs.RESTING: self._colours.good,
            Outputs.DRIVEN: self._colours.busy,
            Outputs.UNKNOWN: self._colours.faint,
        }[outputs]
        self.values["Outputs"].setStyleSheet(f"color: {colour}; font-weight: 600;")


def _texts(status: BenchStatus) -> dict[str, str]:
    texts: dict[str, str] = dict.fromkeys(_LINES, _UNKNOWN)
    if status.info is not None:
        texts |= _info_texts(status.info)
    texts["Outputs"] = status.outputs.value
    texts["Bench time"] = _UNKNOWN if status.time is None else time_text(status.time)
    texts["Guardian"] = status.guardian
    if status.temperature is not None:
        texts["Temperature"] = f"{status.temperature:.2f} K"
    if status.interlock is not None:
        texts["Interlock"] = "engaged" if status.interlock else "open: no relay closes"
    if status.compliance is not None:
        texts["Compliance"] = format_quantity(status.compliance, "A")
    return texts


def _info_texts(info: BenchInfo) -> dict[str, str]:
    envelope, (pes, rows, columns) = info.envelope, info.geometry.shape
    simulated = "no: real instruments"
    if info.seed is not None:
        chip = f", chip file {info.chip_file.name}" if info.chip_file is not None else ""
        simulated = f"yes, seed {info.seed}{chip}"
    return {
        "Wafer": info.identity.wafer,
        "Die": info.identity.die,
        "Chip": info.identity.chip,
        "Array": f"{pes} x {rows} x {columns} cells",
        "Kind": {"board": "array-test board", "smu": "SMUs and matrix"}.get(info.kind, info.kind),
        "Simulated": simulated,
        "Max. voltage": format_quantity(envelope.voltage, "V"),
        "Max. gate": format_quantity(envelope.gate_voltage, "V"),
        "Max. current": format_quantity(envelope.current, "A"),
        "Max. energy": f"{format_quantity(envelope.energy, 'J')} a pulse",
        "Max. pulses": f"{envelope.pulses:,} a cell".replace(",", "\u202f"),
    }


def time_text(seconds: float) -> str:
    """Return a bench time as an operator reads it."""
    return f"{seconds:.3f} s" if seconds < 60 else duration_text(seconds)
