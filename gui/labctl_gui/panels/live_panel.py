"""The live plot: what the run that goes on has measured so far."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from labctl_gui import theme
from labctl_gui.panels.asking import ask_to_save
from labctl_gui.panels.plot_view import PlotView
from labctl_gui.panels.words import OneLine
from labctl_gui.state.export import export
from labctl_gui.state.pictures import EMPTY, Picture
from labctl_gui.state.sketcher import Subject


class LivePanel(QWidget):
    """Shows the picture that goes with the run, or with the PE."""

    subject_chosen = pyqtSignal(object)
    """The `Subject` that was picked."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = PlotView()
        self.title = OneLine(part="heading")
        self.note = OneLine(part="faint")
        self.subject_box = QComboBox()
        self.subject_box.setToolTip("What is plotted")
        for subject in Subject:
            self.subject_box.addItem(subject.value, subject)
        self.subject_box.currentIndexChanged.connect(
            lambda _: self.subject_chosen.emit(self.subject)
        )
        self.read_out = OneLine(part="faint")
        self.read_out.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.read_out.hide()
        self.plot.pointed.connect(self._point)
        self.export_button = QToolButton()
        self.export_button.setText("Export …")
        self.export_button.setToolTip("Write the plot as .png, .csv, .svg or .pdf")
        self.export_button.clicked.connect(self._ask_for_file)
        self._picture = EMPTY
        head = QHBoxLayout()
        head.addWidget(self.title, stretch=1)
        head.addWidget(self.subject_box)
        head.addWidget(self.export_button)
        foot = QHBoxLayout()
        foot.addWidget(self.note, stretch=3)
        foot.addWidget(self.read_out, stretch=2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self.plot, stretch=1)
        layout.addLayout(foot)

    @property
    def subject(self) -> Subject:
        """What is plotted."""
        subject = self.subject_box.currentData()
        return subject if isinstance(subject, Subject) else Subject.RUN

    def choose(self, subject: Subject) -> None:
        """Plot `subject`, as if it had been picked."""
        self.subject_box.setCurrentIndex(self.subject_box.findData(subject))

    def show_picture(self, picture: Picture) -> None:
        """Show a picture with its title and note."""
        self._picture = picture
        self.title.setText(picture.title)
        self.note.setText(picture.note)
        self.plot.show_picture(picture)

    def _point(self, text: str) -> None:
        self.read_out.setText(text)
        self.read_out.setVisible(bool(text))

    def export(self, path: Path) -> None:
        """Write what is plotted: .png as it is seen, .csv its points, .svg or .pdf as vectors."""
        if path.suffix == ".png":
            self.plot.grab().save(str(path), "PNG")
        else:
            export(self._picture, path)

    def _ask_for_file(self) -> None:
        kinds = "Picture (*.png);;Numbers (*.csv);;Vectors (*.svg *.pdf *.eps)"
        ask_to_save(self, "Export plot", kinds, self.export, proposed="plot.png")

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self.plot.wear(colours)
