"""The campaign panel: a plan of many measurements, its jobs, and how far they have come."""

from __future__ import annotations

from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from labctl_gui.panels.asking import ask_to_open
from labctl_gui.panels.listing import Listing
from labctl_gui.panels.words import OneLine, faint
from labctl_gui.state.bench import BenchPhase, BenchStatus
from labctl_gui.state.campaign import CampaignDesk, CampaignStatus

COLUMNS = ("", "Job", "Procedure", "Bench", "State", "Result or reason")
_POLICY = (
    "A campaign has the bench in a process of its own: it goes on when this window is closed. STOP "
    "ends it too"
)


class CampaignPanel(QWidget):
    """Open a plan, check it, carry it out, and watch.

    Parameters
    ----------
    desk : CampaignDesk
        Opens, starts and stops.
    """

    def __init__(self, desk: CampaignDesk) -> None:
        super().__init__()
        self._desk = desk
        self._shown: CampaignStatus | None = None
        self._is_asked = False
        self._make_request()
        self.table = Listing("Jobs of the campaign", COLUMNS, (32, 230, 104, 90, 84))
        self.note = OneLine("No plan is open")
        self.forecast = OneLine(part="faint")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.setSpacing(4)
        layout.addLayout(self._request_row)
        layout.addWidget(self.note)
        layout.addWidget(self.forecast)
        layout.addWidget(self.table, stretch=1)

    def offer(self) -> None:
        """Put the shipped plans on offer, once."""
        if self.plan_box.count() == 0:
            from labctl.campaign.loading import shipped_plans

            self.plan_box.addItems(shipped_plans())

    def refresh(self, bench: BenchStatus) -> None:
        """Show what is new of the campaign; it can be started while the bench is free."""
        status = self._desk.status
        free = bench.phase in (BenchPhase.READY, BenchPhase.CLOSED, BenchPhase.FAILED)
        self.check_button.setEnabled(status.is_idle and bool(status.jobs))
        self.start_button.setEnabled(free and (status.can_start or status.can_resume))
        self.stop_button.setEnabled(status.state == "running")
        if status is self._shown:
            return
        self._shown = status
        self._name_start()
        words = (status.problem, status.activity, status.state or "not begun", status.folder or "")
        told = "  ·  ".join(str(word) for word in words if word)
        self.note.setText(told if status.plan else "No plan is open: pick one, and Open")
        self.forecast.setText(status.forecast)
        self._fill(status)

    def _make_request(self) -> None:
        self.plan_box = QComboBox()
        self.plan_box.setEditable(True)
        self.plan_box.setMinimumWidth(180)
        self.plan_box.setToolTip("A shipped plan, or the path of a .toml file")
        self.plan_box.setAccessibleName("Plan")
        self.file_button = QToolButton()
        self.file_button.setText("…")
        self.file_button.setToolTip("Pick a plan file")
        self.file_button.clicked.connect(self._ask_for_plan)
        self.open_button = _button("Open", "Read the plan, and look at its newest campaign")
        self.open_button.clicked.connect(self._open)
        self.check_button = _button("Check", "Rehearse every job beside the bench: time and pulses")
        self.check_button.clicked.connect(self._desk.check)
        self.start_button = _button("Start", _POLICY)
        self.start_button.clicked.connect(self._start)
        self.stop_button = _button("Stop", "End it at its next pulse boundary; it can be resumed")
        self.stop_button.clicked.connect(self._desk.stop)
        self._request_row = QHBoxLayout()
        parts: tuple[QWidget, ...] = (faint("Plan"), self.plan_box, self.file_button)
        for part in (*parts, self.open_button, self.check_button):
            self._request_row.addWidget(part)
        self._request_row.addStretch(1)
        self._request_row.addWidget(self.start_button)
        self._request_row.addWidget(self.stop_button)

    def _fill(self, status: CampaignStatus) -> None:
        self.table.setRowCount(len(status.jobs))
        for row, job in enumerate(status.jobs):
            texts = (str(job.number), job.label, job.procedure, job.bench, job.state, job.told)
            self.table.fill_row(row, texts, texts)

    def _open(self) -> None:
        self._is_asked = False
        self._desk.open(self.plan_box.currentText().strip())

    def _start(self) -> None:
        """Start at the second press: the first says what becomes of the bench."""
        if not self._is_asked:
            self._is_asked = True
            self._name_start()
            return
        self._is_asked = False
        self._desk.start("resume" if self._desk.status.can_resume else "run")

    def _name_start(self) -> None:
        verb = "Resume" if self._desk.status.can_resume else "Start"
        self.start_button.setText(f"Close bench and {verb.lower()}" if self._is_asked else verb)

    def _ask_for_plan(self) -> None:
        ask_to_open(
            self, "Plan", "Plans (*.toml)", lambda path: self.plan_box.setCurrentText(str(path))
        )


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
