"""The live plot: what the run that goes on has measured so far."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from labctl_gui import theme
from labctl_gui.panels.plot_view import PlotView
from labctl_gui.panels.words import OneLine
from labctl_gui.state.pictures import Picture
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
        head = QHBoxLayout()
        head.addWidget(self.title, stretch=1)
        head.addWidget(self.subject_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self.plot, stretch=1)
        layout.addWidget(self.note)

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
        self.title.setText(picture.title)
        self.note.setText(picture.note)
        self.plot.show_picture(picture)

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self.plot.wear(colours)
