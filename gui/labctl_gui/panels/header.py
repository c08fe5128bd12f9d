"""The header: chip, what the bench does, and STOP, above everything else and always there."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from labctl_gui import theme
from labctl_gui.panels.words import faint, labelled
from labctl_gui.state.bench import BenchPhase, BenchStatus, Outputs


class Header(QWidget):
    """One line with the state of the bench and the STOP button, and a banner for trouble."""

    stop_wanted = pyqtSignal()
    """STOP was pressed."""
    live_wanted = pyqtSignal()
    """The live bench is to be shown again."""

    def __init__(self) -> None:
        super().__init__()
        self._status: BenchStatus | None = None
        self._colours = theme.LIGHT
        self.lamp = QLabel("●")
        self.phase = labelled("no bench", "heading")
        self.activity = faint("")
        self.chip = QLabel("")
        self.live_button = QPushButton("Back to the live bench")
        self.live_button.clicked.connect(self.live_wanted.emit)
        self.live_button.hide()
        self.stop_button = QPushButton("STOP")
        self.stop_button.setObjectName("stop")
        self.stop_button.setToolTip("End what goes on and bring the bench to rest (Esc or Ctrl+.)")
        self.stop_button.setAccessibleName("STOP: bring the bench to rest")
        self.stop_button.setMinimumSize(130, 42)
        self.stop_button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.stop_button.pressed.connect(self.stop_wanted.emit)
        self._make_banner()
        self._lay_out()

    def show_status(self, status: BenchStatus) -> None:
        """Show the bench as it is."""
        if status == self._status:
            return
        self._status = status
        self.phase.setText(status.phase.value.capitalize())
        self.activity.setText(status.activity)
        self.chip.setText(_chip(status))
        self._colour_lamp(status)

    def complain(self, text: str) -> None:
        """Show trouble until somebody puts it away."""
        # An instrument's message may hold a binary block.
        self.trouble.setText("".join(c if c.isprintable() or c == "\n" else "·" for c in text))
        self.banner.show()

    def show_source(self, text: str) -> None:
        """Say that a file, and not the bench, is shown; empty text for the bench."""
        self.live_button.setVisible(bool(text))
        self.live_button.setToolTip(text)

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application."""
        self._colours = colours
        if self._status is not None:
            self._colour_lamp(self._status)

    def _make_banner(self) -> None:
        self.banner = QFrame()
        self.banner.setObjectName("banner")
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        away = QToolButton()
        away.setText("✕")
        away.setAutoRaise(True)
        away.setToolTip("Put this message away; it stays in the log")
        away.clicked.connect(self.banner.hide)
        row = QHBoxLayout(self.banner)
        row.setContentsMargins(10, 4, 6, 4)
        row.addWidget(self.trouble, stretch=1)
        row.addWidget(away)
        self.banner.hide()

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        for part in (self.lamp, self.phase, self.activity):
            line.addWidget(part)
        line.addStretch(1)
        line.addWidget(self.live_button)
        line.addWidget(self.chip)
        line.addSpacing(12)
        line.addWidget(self.stop_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 5, 8, 5)
        layout.setSpacing(4)
        layout.addLayout(line)
        layout.addWidget(self.banner)

    def _colour_lamp(self, status: BenchStatus) -> None:
        colour = self._colours.faint
        if status.phase is BenchPhase.FAILED:
            colour = self._colours.bad
        elif status.is_open:
            resting = status.outputs is Outputs.RESTING
            colour = self._colours.good if resting else self._colours.busy
        self.lamp.setStyleSheet(f"color: {colour}; font-size: 18px;")


def _chip(status: BenchStatus) -> str:
    if status.info is None:
        return ""
    identity = status.info.identity
    return f"wafer {identity.wafer}  ·  die {identity.die}  ·  chip {identity.chip}"
