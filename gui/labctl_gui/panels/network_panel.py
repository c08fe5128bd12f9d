"""The network panel: a network on the array, its accuracies, confusions and wrong images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QIcon, QImage, QPixmap
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from labctl_data.errors import LabctlError
from labctl_gui import theme
from labctl_gui.panels.asking import ask_to_open
from labctl_gui.panels.picture import Picture
from labctl_gui.panels.words import OneLine, faint
from labctl_gui.state.bench import BenchPhase, BenchStatus
from labctl_gui.state.progress import duration_text
from labctl_gui.state.verdict import Verdict, Wrong
from labctl_procedures.quantities import parse_quantity

MODELS = ("mcnn",)
"""Shipped networks on offer; any .onnx file can be named instead."""
IMAGES = ("digits", "mnist", "cifar10")
"""Image sets on offer."""
THUMB = 40
"""Side of a wrong image on the screen, in px."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of a network."""

    model: str
    """A shipped network, or the path of an .onnx file."""
    images: str
    """The image set."""
    count: int | None
    """How many images; None for all."""
    train: bool
    """Whether the last layer is trained on the array."""
    again: tuple[float, ...]
    """Bench times after the last step at which to ask again, rising, in s."""


class NetworkPanel(QWidget):
    """Pick a network and images, run it on the array, and see what came of it."""

    wanted = pyqtSignal(object)
    """The `Wanted` network."""

    def __init__(self) -> None:
        super().__init__()
        self._verdict: Verdict | None = None
        self._mapping: bytes | None = None
        self._make_request()
        self._make_results()
        request = QHBoxLayout()
        parts: tuple[QWidget, ...] = (faint("Network"), self.model_box, self.file_button)
        parts += (faint("Images"), self.images_box, faint("Count"), self.count_line)
        parts += (self.train_box, faint("Again"), self.again_line)
        for part in parts:
            request.addWidget(part)
        request.addStretch(1)
        request.addWidget(self.run_button)
        results = QGridLayout()
        results.addWidget(self.accuracies, 0, 0, Qt.AlignmentFlag.AlignTop)
        results.addWidget(self.pages, 0, 1, 2, 1)
        results.addWidget(self.facts, 1, 0, Qt.AlignmentFlag.AlignTop)
        results.setColumnStretch(1, 1)
        results.setRowStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.addLayout(request)
        layout.addWidget(self.note)
        layout.addLayout(results, stretch=1)

    def show_status(self, status: BenchStatus) -> None:
        """Let a network be run only while the bench is free, and the request makes sense."""
        problem = self.problem
        self.run_button.setEnabled(status.phase is BenchPhase.READY and not problem)
        if problem:
            self.note.setText(problem)
        elif self._verdict is None:
            busy = status.activity.startswith("network")
            self.note.setText(f"{status.activity} …" if busy else "No network was run yet")

    def show_verdict(self, verdict: Verdict | None) -> None:
        """Show what came of a network."""
        if verdict is self._verdict:
            return
        self._verdict = verdict
        self.wrong.clear()
        if verdict is None:
            return
        shares = [f"{name}  <b>{100 * v:.2f} %</b>" for name, v in verdict.accuracies.items()]
        later = verdict.over_time
        shares += [f"after {duration_text(t)}  <b>{100 * v:.2f} %</b>" for t, v in later]
        self.accuracies.setText("<br>".join(shares))
        self.facts.setText("\n".join(f"{name}: {text}" for name, text in verdict.facts.items()))
        self.note.setText(str(verdict.file))
        self._show_confusion(verdict)
        self.pages.setCurrentIndex(self.pages.indexOf(self.answers))
        for wrong in verdict.wrong:
            self.wrong.addItem(_thumbnail(wrong))

    def show_mapping(self, png: bytes | None) -> None:
        """Show where the layers lie on the array: a PNG, or None where that is not known."""
        if png is self._mapping:
            return
        self._mapping = png
        self.mapping.show_png(png)
        if png is not None and self._verdict is None:
            self.pages.setCurrentWidget(self.mapping)

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self.plot.setBackground(colours.base)
        for name in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(name)
            axis.setPen(colours.text)
            axis.setTextPen(colours.text)

    @property
    def request(self) -> Wanted:
        """What is asked for."""
        return Wanted(
            self.model_box.currentText().strip(),
            self.images_box.currentText(),
            self.count,
            self.train_box.isChecked(),
            self._times(),
        )

    def _times(self) -> tuple[float, ...]:
        parts = (part.strip() for part in self.again_line.text().split(",") if part.strip())
        return tuple(parse_quantity(part, "s") for part in parts)

    @property
    def count(self) -> int | None:
        """How many images; None for all."""
        text = self.count_line.text().strip()
        return int(text) if text.isdigit() else None

    @property
    def problem(self) -> str:
        """Why the request makes no sense; empty where it does."""
        text = self.count_line.text().strip()
        if text and not (text.isdigit() and int(text) > 0):
            return f"Count: asked for a whole number above 0, or nothing for all; found '{text}'"
        try:
            times = self._times()
        except LabctlError as error:
            return f"Again: {error}"
        if list(times) != sorted(set(times)):
            return "Again: the times must rise"
        return "" if self.model_box.currentText().strip() else "Network: a name is needed"

    def _make_request(self) -> None:
        self.model_box = QComboBox()
        self.model_box.setEditable(True)
        self.model_box.addItems(MODELS)
        self.model_box.setMinimumWidth(120)
        self.model_box.setToolTip("A shipped network, or the path of an .onnx file")
        self.file_button = QToolButton()
        self.file_button.setText("…")
        self.file_button.setToolTip("Pick an .onnx file")
        self.file_button.clicked.connect(self._ask_for_model)
        self.images_box = QComboBox()
        self.images_box.addItems(IMAGES)
        self.images_box.setToolTip("Test images; the training images set ranges and train")
        self.count_line = QLineEdit("500")
        self.count_line.setMaximumWidth(64)
        self.count_line.setToolTip("Test images, a fixed random choice; empty for all")
        self.count_line.setAccessibleName("Count of test images")
        self.train_box = QCheckBox("train")
        self.train_box.setToolTip("Train the last layer on the array afterwards (hybrid training)")
        self.run_button = QPushButton("Program and infer")
        self.run_button.setToolTip("Map the network, write its weights, ask it the images")
        self.run_button.clicked.connect(lambda: self.wanted.emit(self.request))
        self.again_line = QLineEdit()
        self.again_line.setMaximumWidth(100)
        self.again_line.setPlaceholderText("10min, 1h")
        self.again_line.setToolTip("Bench times after the last step at which to ask again")
        self.again_line.setAccessibleName("Times to ask again")

    def _make_results(self) -> None:
        self.note = OneLine(part="faint")
        self.accuracies = QLabel("")
        self.facts = faint("")
        self.plot = pg.PlotWidget()
        item = self.plot.getPlotItem()
        item.hideButtons()
        item.setMenuEnabled(False)
        item.getViewBox().invertY(True)
        item.getViewBox().setMouseEnabled(x=False, y=False)
        item.setLabel("bottom", "Taken for")
        item.setLabel("left", "Class")
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setColorMap("viridis")
        item.addItem(self._image)
        self._numbers: list[pg.TextItem] = []
        self._show_classes(10)
        self.plot.setMinimumSize(180, 140)
        self.wrong = QListWidget()
        self.wrong.setViewMode(QListView.ViewMode.IconMode)
        self.wrong.setResizeMode(QListView.ResizeMode.Adjust)
        self.wrong.setMovement(QListView.Movement.Static)
        self.wrong.setToolTip("Images it got wrong: what they are → what they were taken for")
        self.wrong.setAccessibleName("Images that were got wrong")
        self._make_pages()

    def _make_pages(self) -> None:
        self.mapping = Picture("No network was mapped yet")
        self.mapping.setToolTip("Where the layers lie; the stronger, the more a cell is to conduct")
        self.answers = QWidget()
        beside = QHBoxLayout(self.answers)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.addWidget(self.plot, stretch=1)
        beside.addWidget(self.wrong, stretch=1)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.addTab(self.answers, "Answers")
        self.pages.addTab(self.mapping, "Mapping")

    def _show_confusion(self, verdict: Verdict) -> None:
        table = verdict.confusion.astype(np.float64)
        n = len(table)
        item = self.plot.getPlotItem()
        self._show_classes(n)
        # Most images are right: the roots let single mistakes be seen beside them.
        self._image.setImage(np.sqrt(table))
        self._image.setRect(-0.5, -0.5, n, n)
        for text in self._numbers:
            item.removeItem(text)
        self._numbers = []
        for row, column in np.argwhere(verdict.confusion > 0).tolist() if n <= 20 else []:
            dark = table[row, column] < 0.3 * table.max()
            colour = "#ffffff" if dark else "#000000"
            text = pg.TextItem(f"{table[row, column]:.0f}", color=colour, anchor=(0.5, 0.5))
            text.setPos(column, row)
            item.addItem(text)
            self._numbers.append(text)

    def _show_classes(self, n: int) -> None:
        item = self.plot.getPlotItem()
        item.getViewBox().setRange(xRange=(-0.5, n - 0.5), yRange=(-0.5, n - 0.5), padding=0)
        for name in ("left", "bottom"):
            item.getAxis(name).setTicks([[(k, str(k)) for k in range(n)]])
            item.getAxis(name).setStyle(tickLength=0)

    def _ask_for_model(self) -> None:
        ask_to_open(
            self,
            "Network",
            "Networks (*.onnx)",
            lambda path: self.model_box.setCurrentText(str(path)),
        )


def _thumbnail(wrong: Wrong) -> QListWidgetItem:
    pixels = np.ascontiguousarray(wrong.pixels)
    rows, columns = pixels.shape
    image = QImage(pixels.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
    return QListWidgetItem(
        QIcon(QPixmap.fromImage(image.copy()).scaled(THUMB, THUMB)),
        f"{wrong.label} → {wrong.predicted}",
    )
