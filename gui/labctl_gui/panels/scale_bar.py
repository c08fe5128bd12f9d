"""The scale bar: what the colours of the array view show, and what they span."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QWidget

from labctl_gui.panels.words import mark_wrong
from labctl_gui.state.quantities import Quantity, Scale, Window, window_of

COLOUR_MAPS = ("viridis", "cividis", "inferno")
"""Maps that stay ordered for every kind of colour vision, and in grey."""
SIGNED_MAP = "CET-CBD1"
"""Blue over grey to yellow, made for those who do not part red from green (Kovesi 2015)."""
SCALES = ("as read", "fixed")
"""What the colours span: what the PE that is shown holds, or always the window."""


class ScaleBar(QWidget):
    """Asks for a quantity, its levels and its colours."""

    changed = pyqtSignal()
    """Something else is to be shown."""
    recoloured = pyqtSignal()
    """Other colours are wanted."""

    def __init__(self) -> None:
        super().__init__()
        self._window = Window()
        self.quantity_box = QComboBox()
        for quantity in Quantity:
            self.quantity_box.addItem(quantity.value, quantity)
        self.quantity_box.setToolTip("What the colours show of each cell")
        self.log_box = QCheckBox("log")
        self.log_box.setToolTip("Decades equally far apart")
        self.levels_box = QSpinBox()
        self.levels_box.setRange(2, 64)
        self.levels_box.setValue(8)
        self.levels_box.setToolTip("Levels equally spaced in the window")
        self.window_line = QLineEdit(self._window.text)
        self.window_line.setMaximumWidth(104)
        self.window_line.setToolTip(
            "Lowest and highest level: ends of a fixed scale, and of the levels"
        )
        self.window_line.textChanged.connect(self._window_typed)
        self.scale_box = QComboBox()
        self.scale_box.addItems(SCALES)
        self.scale_box.setToolTip("Span of the colours; a fixed one lets two pictures be compared")
        self.map_box = QComboBox()
        self.map_box.addItems(COLOUR_MAPS)
        self.map_box.setToolTip("Colours; all three read well with any colour vision")
        self._lay_out()
        for box in (self.quantity_box, self.scale_box):
            box.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.levels_box.valueChanged.connect(lambda _: self.changed.emit())
        self.log_box.toggled.connect(lambda _: self.changed.emit())
        self.map_box.currentTextChanged.connect(lambda _: self.recoloured.emit())

    @property
    def scale(self) -> Scale:
        """What is shown, and how it is turned into colours."""
        quantity = self.quantity_box.currentData()
        return Scale(
            quantity if isinstance(quantity, Quantity) else Quantity.CONDUCTANCE,
            logarithmic=self.log_box.isChecked(),
            fixed=self.scale_box.currentText() == SCALES[1],
            levels=self.levels_box.value(),
            window=self._window,
        )

    @property
    def colour_map(self) -> str:
        """Name of the map that suits what is shown."""
        return SIGNED_MAP if self.scale.is_signed else self.map_box.currentText()

    def enable(self) -> None:
        """Let only that be changed which changes what is shown."""
        scale = self.scale
        self.levels_box.setEnabled(scale.unit == "" or scale.is_signed)
        self.log_box.setEnabled(scale.unit != "" and not scale.is_signed)

    def _window_typed(self, text: str) -> None:
        window = window_of(text)
        mark_wrong(self.window_line, window is None)
        if window is not None and window != self._window:
            self._window = window
            self.changed.emit()

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.quantity_box)
        row.addWidget(self.log_box)
        row.addStretch(1)
        for text, field in (
            ("Levels", self.levels_box),
            ("in", self.window_line),
            ("Scale", self.scale_box),
            ("", self.map_box),
        ):
            if text:
                row.addWidget(QLabel(text))
            row.addWidget(field)
