"""The run panel: pick a procedure, fill its form, start it, follow it."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from labctl_gui.panels.form_view import FormView
from labctl_gui.panels.words import faint, labelled
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.progress import Progress, duration_text
from labctl_gui.state.runs import QueuedRun, RunStatus
from labctl_gui.state.session import Session

_MARKS = {
    RunStatus.WAITING: "…",
    RunStatus.RUNNING: "▶",
    RunStatus.COMPLETE: "✓",
    RunStatus.ABORTED: "■",
    RunStatus.FAILED: "✗",
}


class RunPanel(QWidget):
    """Procedures, the form of one, and the queue.

    Parameters
    ----------
    session : Session
        Where runs are started.
    """

    started = pyqtSignal()
    """A run was put into the queue."""
    file_wanted = pyqtSignal(object)
    """Path of a run file that is to be shown."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._queue_version = -1
        self._station: object = None
        self._make_form()
        self._make_buttons()
        self._make_queue()
        self._lay_out()

    def refresh(self) -> None:
        """Show what has changed in the session."""
        if self._session.procedures and not self.procedure_box.count():
            self.procedure_box.addItems(self._session.procedures)
            self.procedure_box.setCurrentIndex(0)
        if self._session.station is not self._station:
            self._station = self._session.station
            self._judge_by_bench()
        if self._session.queue.version != self._queue_version:
            self._show_queue()
        self._show_progress(self._session.progress.now)
        self._show_buttons()

    def start(self) -> None:
        """Start what the form says, or queue it behind what goes on."""
        form = self.form_view.form
        if form is not None and not form.problems:
            self._session.start(form.procedure, form.values)
            self.started.emit()

    def _make_form(self) -> None:
        self.procedure_box = QComboBox()
        self.procedure_box.setPlaceholderText("loading the procedures …")
        self.procedure_box.currentTextChanged.connect(self._load_form)
        self.doc = faint("")
        self.doc.setWordWrap(True)
        self.form_view = FormView()
        self.form_view.changed.connect(self._show_buttons)
        self.form_view.hint.connect(self._hint)
        self.hint = faint(" ")
        self.hint.setWordWrap(True)
        self.problem = labelled("", "problem")
        self.problem.setWordWrap(True)

    def _make_buttons(self) -> None:
        self.start_button = QPushButton("Start")
        self.start_button.setDefault(True)
        self.start_button.clicked.connect(self.start)
        self.abort_button = QPushButton("Abort run")
        self.abort_button.setToolTip("End the run after its present step; what it measured is kept")
        self.abort_button.clicked.connect(self._session.abort)
        self.go_on_button = QPushButton("Go on")
        self.go_on_button.setToolTip("Let the held queue go on with its next run")
        self.go_on_button.clicked.connect(self._session.go_on)

    def _make_queue(self) -> None:
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(12)
        self.progress = QLabel("Idle")
        self.queue = QListWidget()
        self.queue.setMaximumHeight(120)
        self.queue.setToolTip(
            "Double-click a finished run to look at it; Del takes a waiting one out"
        )
        self.queue.itemDoubleClicked.connect(self._open_item)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.queue)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self._remove_item)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.start_button, self.abort_button, self.go_on_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(5)
        layout.addWidget(self.procedure_box)
        layout.addWidget(self.doc)
        layout.addWidget(self.form_view, stretch=3)
        layout.addWidget(self.hint)
        layout.addWidget(self.problem)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.bar)
        layout.addWidget(self.queue, stretch=1)

    def _load_form(self, name: str) -> None:
        if not name:
            return
        from labctl_gui.state.forms import ProcedureForm  # with PyMeasure, loaded by now

        form = ProcedureForm(name, station=self._session.station)
        self.doc.setText(form.doc)
        self.form_view.show_form(form)

    def _judge_by_bench(self) -> None:
        form = self.form_view.form
        if form is not None:
            form.set_station(self._session.station)
            self.form_view.judge_again()

    def _hint(self, text: str) -> None:
        self.hint.setText(text)

    def _show_buttons(self) -> None:
        form, status = self.form_view.form, self._session.status
        problems = () if form is None else form.problems
        running = self._session.queue.running is not None
        self.problem.setText("" if not problems else f"Cannot start: {problems[0]}")
        self.problem.setVisible(bool(problems))
        self.start_button.setText("Add to queue" if running else "Start")
        self.start_button.setEnabled(form is not None and not problems and status.is_open)
        self.abort_button.setEnabled(running and status.phase is BenchPhase.BUSY)
        waits = self._session.queue.held and bool(self._session.queue.waiting)
        self.go_on_button.setVisible(waits)
        self.go_on_button.setEnabled(waits and not running)

    def _show_progress(self, progress: Progress) -> None:
        running = self._session.queue.running
        if running is None:
            self.progress.setText("Idle")
            self._set_bar(0, 1000)
            return
        fraction, remaining = progress.fraction, progress.remaining
        words = [running.procedure, duration_text(progress.elapsed)]
        if fraction is not None:
            words.append(f"{100 * fraction:.0f} %")
        if remaining is not None:
            words.append(f"about {duration_text(remaining)} to go")
        self.progress.setText("  ·  ".join(words))
        self._set_bar(round(1000 * (fraction or 0)), 1000 if fraction is not None else 0)

    def _set_bar(self, value: int, maximum: int) -> None:
        self.bar.setMaximum(maximum)
        self.bar.setValue(value)

    def _show_queue(self) -> None:
        self._queue_version = self._session.queue.version
        self.queue.clear()
        for run in reversed(self._session.queue.runs):
            item = QListWidgetItem(_line(run))
            item.setData(Qt.ItemDataRole.UserRole, run)
            item.setToolTip(_detail(run))
            self.queue.addItem(item)

    def _remove_item(self) -> None:
        item = self.queue.currentItem()
        run = None if item is None else item.data(Qt.ItemDataRole.UserRole)
        if isinstance(run, QueuedRun):
            self._session.queue.remove(run.number)

    def _open_item(self, item: QListWidgetItem) -> None:
        run = item.data(Qt.ItemDataRole.UserRole)
        if isinstance(run, QueuedRun) and run.path is not None:
            self.file_wanted.emit(run.path)


def _line(run: QueuedRun) -> str:
    rows = f", {run.rows} rows" if run.rows else ""
    reason = f": {run.message}" if run.message else ""
    return f"{_MARKS[run.status]}  {run.number}  {run.procedure}  {run.status.value}{rows}{reason}"


def _detail(run: QueuedRun) -> str:
    lines = [f"{key} = {value}" for key, value in run.values.items()]
    if run.path is not None:
        lines.insert(0, str(run.path))
    return "\n".join(lines)
