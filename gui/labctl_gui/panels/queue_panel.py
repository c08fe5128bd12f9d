"""The queue panel: what will be, is and was measured, and its order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from labctl.queue import Job, JobState
from labctl_gui.panels.words import OneLine
from labctl_gui.state.session import Session

MARKS = {
    JobState.WAITING: "…",
    JobState.RUNNING: "▶",
    JobState.DONE: "✓",
    JobState.INTERRUPTED: "■",
    JobState.FAILED: "✗",
    JobState.SKIPPED: "↷",
}
MOST_ENDED = 100
"""Jobs that are over and still listed, at most: the newest."""


class QueuePanel(QWidget):
    """The jobs: next on top, what is over below; buttons change the one that is chosen.

    Parameters
    ----------
    session : Session
        Whose queue it is.
    """

    file_wanted = pyqtSignal(object)
    """Path of a run file that is to be shown."""
    edit_wanted = pyqtSignal(object)
    """The waiting `Job` that is to be edited in the form."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._version: tuple[int, bool] | None = None
        self.state = OneLine(part="faint")
        self.list = QListWidget()
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setMinimumHeight(60)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setToolTip("Double-click a job that is over to look at its run file")
        self.list.setAccessibleName("Jobs")
        self.list.itemDoubleClicked.connect(self._open_item)
        self.list.currentItemChanged.connect(lambda *_: self._show_buttons())
        self._make_buttons()
        self._lay_out()

    @property
    def chosen(self) -> Job | None:
        """The job that the buttons act on."""
        item = self.list.currentItem()
        job = None if item is None else item.data(Qt.ItemDataRole.UserRole)
        return job if isinstance(job, Job) else None

    def refresh(self) -> None:
        """Show what has changed in the queue."""
        version = (self._session.queue.version, self._session.held)
        if version == self._version:
            return
        self._version = version
        chosen = self.chosen
        self.list.clear()
        for job in _listed(self._session.queue.jobs):
            item = QListWidgetItem(_line(job))
            item.setData(Qt.ItemDataRole.UserRole, job)
            item.setToolTip(_detail(job))
            self.list.addItem(item)
            if chosen is not None and job.id == chosen.id:
                self.list.setCurrentItem(item)
        waiting = len(self._session.queue.waiting)
        held = ", held until you say Go on" if self._session.held and waiting else ""
        self.state.setText(f"{waiting} waiting{held}" if waiting else "Nothing waits")
        self._show_buttons()

    def _make_buttons(self) -> None:
        queue = self._session.queue
        self.buttons: dict[str, QToolButton] = {}
        self._add_button("Up", "▲", "One place earlier", lambda job: queue.shift(job.id, -1))
        self._add_button("Down", "▼", "One place later", lambda job: queue.shift(job.id, 1))
        self._add_button("Edit", "Edit", "Change it in the form", self.edit_wanted.emit)
        self._add_button(
            "Skip",
            "Skip",
            "Leave it out; one that runs ends at its next pulse boundary",
            lambda job: queue.change("skipping a job", lambda q: q.skip(job.id)),
        )
        self._add_button(
            "Repeat",
            "Repeat",
            "The same once more, at the end",
            lambda job: queue.change("repeating a job", lambda q: q.repeat(job.id)),
        )
        self._add_button(
            "Resume",
            "Resume",
            "Go on with the run file of a job that was interrupted",
            lambda job: queue.change("resuming a job", lambda q: q.resume(job.id)),
        )
        self._add_button(
            "Remove",
            "✕",
            "Take it off the list (Del); its run file stays",
            lambda job: queue.change("removing a job", lambda q: q.remove(job.id)),
        )
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.list)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self.buttons["Remove"].click)

    def _add_button(self, name: str, text: str, tip: str, act: Callable[[Job], object]) -> None:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(f"{name}: {tip}")

        def clicked() -> None:
            job = self.chosen
            if job is not None:
                act(job)

        button.clicked.connect(clicked)
        self.buttons[name] = button

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(2)
        for button in self.buttons.values():
            row.addWidget(button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.setSpacing(4)
        layout.addWidget(self.state)
        layout.addWidget(self.list, stretch=1)
        layout.addLayout(row)

    def _show_buttons(self) -> None:
        state = None if self.chosen is None else self.chosen.state
        waits = state is JobState.WAITING
        for name in ("Up", "Down", "Edit"):
            self.buttons[name].setEnabled(waits)
        self.buttons["Skip"].setEnabled(waits or state is JobState.RUNNING)
        self.buttons["Repeat"].setEnabled(state is not None)
        self.buttons["Resume"].setEnabled(state in (JobState.INTERRUPTED, JobState.FAILED))
        self.buttons["Remove"].setEnabled(state not in (None, JobState.RUNNING))

    def _open_item(self, item: QListWidgetItem) -> None:
        job = item.data(Qt.ItemDataRole.UserRole)
        if isinstance(job, Job) and job.run_file is not None:
            self.file_wanted.emit(job.run_file)


def _listed(jobs: tuple[Job, ...]) -> list[Job]:
    """Return what goes on and what waits, in order, and then what is over, newest first."""
    running = [job for job in jobs if job.state is JobState.RUNNING]
    waiting = [job for job in jobs if job.state is JobState.WAITING]
    over = [job for job in jobs if job not in running and job not in waiting]
    over.sort(key=lambda job: job.ended.timestamp() if job.ended else 0.0, reverse=True)
    return [*running, *waiting, *over[:MOST_ENDED]]


def _line(job: Job) -> str:
    words = f"{MARKS[job.state]}  {job.id}  {job.procedure}  {job.state.value}"
    if job.state is JobState.WAITING and job.start_at is not None:
        words += f" until {_clock(job.start_at)}"
    return f"{words}: {job.error}" if job.error else words


def _detail(job: Job) -> str:
    lines = [f"bench {job.bench}", *(f"{key} = {value}" for key, value in job.parameters.items())]
    if job.run_file is not None:
        lines.insert(0, str(job.run_file))
    return "\n".join([*lines, *([job.error] if job.error else [])])


def _clock(time: datetime) -> str:
    return time.astimezone().strftime("%d %b %H:%M")
