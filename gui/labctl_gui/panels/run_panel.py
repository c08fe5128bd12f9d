"""The run panel: pick a procedure, fill its form, see what it would take, start it, follow it."""

from __future__ import annotations

from datetime import datetime

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from labctl.queue import Job
from labctl.queue.errors import QueueError
from labctl.queue.times import parse_start
from labctl_gui.panels.form_view import FormView
from labctl_gui.panels.words import OneLine, faint, labelled
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.presets import Presets
from labctl_gui.state.progress import Progress, duration_text
from labctl_gui.state.session import Session

NO_PRESET = "defaults"


class RunPanel(QWidget):
    """Procedures, the form of one, and the run that goes on.

    Parameters
    ----------
    session : Session
        Where runs are started.
    presets : Presets
        Forms that were filled before.
    """

    started = pyqtSignal()
    """A run was put into the queue."""

    def __init__(self, session: Session, presets: Presets) -> None:
        super().__init__()
        self._session = session
        self._presets = presets
        self._station: object = None
        self._edited: Job | None = None
        self._make_form()
        self._make_presets()
        self._make_buttons()
        self._lay_out()

    def refresh(self) -> None:
        """Show what has changed in the session."""
        if self._session.offers.procedures and not self.procedure_box.count():
            self.procedure_box.addItems(self._session.offers.procedures)
            self.procedure_box.setCurrentIndex(0)
        if self._session.station is not self._station:
            self._station = self._session.station
            self._judge_by_bench()
        self._show_progress(self._session.progress.now)
        self._show_prediction()
        self._show_buttons()

    def start(self) -> None:
        """Start what the form says, queue it behind what goes on, or save what was edited."""
        form, when = self.form_view.form, self.start_time
        if form is None or form.problems or self.start_problem:
            return
        if self._edited is not None:
            number = self._edited.id
            request = self._session.request(form.procedure, form.values, start_at=when)
            self._session.queue.change("editing a job", lambda queue: queue.edit(number, request))
            self._edited = None
            return
        self._session.start(form.procedure, form.values, start_at=when)
        self.start_line.clear()
        self.started.emit()

    def edit(self, job: Job) -> None:
        """Take a waiting job into the form; *Start* then saves it."""
        self.procedure_box.setCurrentText(job.procedure)
        self._load_form(job.procedure, {key: str(value) for key, value in job.parameters.items()})
        at = job.start_at
        self.start_line.setText("" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}")
        self._edited = job

    def take_cells(self, text: str) -> None:
        """Put cells into the form, where it has a field for them."""
        line = self.form_view.lines.get("cells")
        if line is not None and isinstance(line.editor, QLineEdit):
            line.editor.setText(text)
            line.editor.textEdited.emit(text)

    @property
    def start_time(self) -> datetime | None:
        """When the run is to start; None for as soon as may be."""
        try:
            return self._parse_start()
        except QueueError:
            return None

    @property
    def start_problem(self) -> str:
        """Why the time of the start is refused; empty if it is not."""
        try:
            self._parse_start()
        except QueueError as error:
            return str(error)
        return ""

    def _parse_start(self) -> datetime | None:
        text = self.start_line.text()
        return parse_start(text, datetime.now().astimezone()) if text.strip() else None

    def _make_form(self) -> None:
        self.procedure_box = QComboBox()
        self.procedure_box.setPlaceholderText("loading the procedures …")
        self.procedure_box.setToolTip("What is measured")
        self.procedure_box.currentTextChanged.connect(self._picked)
        self.doc = faint("")
        self.doc.setWordWrap(True)
        self.form_view = FormView()
        self.form_view.changed.connect(self._changed)
        self.form_view.hint.connect(self._hint)
        self.hint = faint(" ")
        self.hint.setWordWrap(True)
        self.problem = labelled("", "problem")
        self.problem.setWordWrap(True)

    def _make_presets(self) -> None:
        self.preset_box = QComboBox()
        self.preset_box.setEditable(True)
        self.preset_box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.preset_box.setToolTip("A form filled before; type a name and Save to keep this one")
        self.preset_box.activated.connect(lambda _: self._load_preset())
        self.save_button = QToolButton()
        self.save_button.setText("Save")
        self.save_button.setToolTip("Keep what is typed under this name")
        self.save_button.clicked.connect(self._save_preset)

    def _make_buttons(self) -> None:
        self.predict_button = QPushButton("Predict")
        self.predict_button.setToolTip("Rehearse the run: time, pulses, worst case")
        self.predict_button.clicked.connect(self._predict)
        self.prediction = faint("")
        self.prediction.setWordWrap(True)
        self.start_line = QLineEdit()
        self.start_line.setPlaceholderText("start now; or 22:30, +2h")
        self.start_line.setToolTip("When to start: 22:30, 2026-05-01 22:30 or +2h; empty is now")
        self.start_line.setAccessibleName("Start at")
        self.start_button = QPushButton("Start")
        self.start_button.setDefault(True)
        self.start_button.clicked.connect(self.start)
        self.pause_button = QPushButton("Pause")
        self.pause_button.setToolTip("Wait at the next pulse boundary, the bench at rest meanwhile")
        self.pause_button.clicked.connect(self._pause)
        self.abort_button = QPushButton("Abort run")
        self.abort_button.setToolTip("End the run after its present step; what it measured is kept")
        self.abort_button.clicked.connect(self._session.abort)
        self.go_on_button = QPushButton("Go on")
        self.go_on_button.setToolTip("Let the held queue go on with its next run")
        self.go_on_button.clicked.connect(self._session.go_on)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(12)
        self.progress = OneLine("Idle")

    def _lay_out(self) -> None:
        presets = QHBoxLayout()
        presets.addWidget(faint("Preset"))
        presets.addWidget(self.preset_box, stretch=1)
        presets.addWidget(self.save_button)
        buttons = QGridLayout()
        buttons.setSpacing(5)
        buttons.addWidget(self.start_line, 0, 0)
        buttons.addWidget(self.predict_button, 0, 1)
        buttons.addWidget(self.start_button, 1, 0, 1, 2)
        buttons.addWidget(self.pause_button, 2, 0)
        buttons.addWidget(self.abort_button, 2, 1)
        buttons.addWidget(self.go_on_button, 3, 0, 1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(5)
        layout.addWidget(self.procedure_box)
        layout.addWidget(self.doc)
        layout.addLayout(presets)
        layout.addWidget(self.form_view, stretch=1)
        for part in (self.hint, self.problem, self.prediction):
            layout.addWidget(part)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.bar)

    def _picked(self, name: str) -> None:
        if not name:
            return
        self.preset_box.clear()
        self.preset_box.addItems((NO_PRESET, *self._presets.names(name)))
        self._load_form(name, {})

    def _load_form(self, name: str, values: dict[str, str]) -> None:
        from labctl_gui.state.forms import ProcedureForm  # with PyMeasure, loaded by now

        self._edited = None
        self.start_line.clear()
        form = ProcedureForm(name, station=self._session.station, values=values)
        self.doc.setText(form.doc)
        self.form_view.show_form(form)

    def _load_preset(self) -> None:
        procedure, name = self.procedure_box.currentText(), self.preset_box.currentText()
        self._load_form(procedure, dict(self._presets.values(procedure, name)))

    def _save_preset(self) -> None:
        form, name = self.form_view.form, self.preset_box.currentText().strip()
        if form is None or name in ("", NO_PRESET):
            self._hint("Type a name for the preset first")
            return
        self._presets.save(form.procedure, name, form.values)
        if self.preset_box.findText(name) < 0:
            self.preset_box.addItem(name)
        self._hint(f"Kept as '{name}'")

    def _judge_by_bench(self) -> None:
        form = self.form_view.form
        if form is not None:
            form.set_station(self._session.station)
            self.form_view.judge_again()

    def _hint(self, text: str) -> None:
        self.hint.setText(text)

    def _changed(self) -> None:
        self._session.predictor.forget()
        self._show_buttons()

    def _predict(self) -> None:
        form = self.form_view.form
        if form is not None and not form.problems:
            self._session.predict(form.procedure, form.values)

    def _show_prediction(self) -> None:
        text = self._session.predictor.now.text
        if text != self.prediction.text():
            self.prediction.setText(text)
        self.prediction.setVisible(bool(text))

    def _pause(self) -> None:
        if self._session.is_pausing:
            self._session.resume()
        else:
            self._session.pause()

    def _show_buttons(self) -> None:
        form, status = self.form_view.form, self._session.status
        problems = () if form is None else form.problems
        late = self.start_problem
        problems = (*problems, late) if late else problems
        running = self._session.queue.running is not None
        working = status.phase in (BenchPhase.BUSY, BenchPhase.PAUSED)
        under_way = working and self._session.is_under_way
        self.problem.setText("" if not problems else f"Cannot start: {problems[0]}")
        self.problem.setVisible(bool(problems))
        self.start_button.setText(self._start_text(queued=running or self.start_time is not None))
        ready = form is not None and not problems
        self.start_button.setEnabled(ready and status.is_open)
        self.predict_button.setEnabled(ready and status.is_open)
        self.abort_button.setEnabled(under_way)
        self.pause_button.setEnabled(under_way)
        self.pause_button.setText("Go on with run" if self._session.is_pausing else "Pause run")
        waits = self._session.held and bool(self._session.queue.waiting) and not running
        self.go_on_button.setVisible(waits)
        self.go_on_button.setEnabled(waits and status.is_open)

    def _start_text(self, *, queued: bool) -> str:
        if self._edited is not None:
            return f"Save job {self._edited.id}"
        return "Add to queue" if queued else "Start"

    def _show_progress(self, progress: Progress) -> None:
        status = self._session.status
        if not self._session.is_under_way or status.phase is BenchPhase.READY:
            self.progress.setText("Idle")
            self._set_bar(0, 1000)
            return
        fraction, remaining = progress.fraction, progress.remaining
        words = [status.activity, duration_text(progress.elapsed)]
        if fraction is not None:
            words.append(f"{100 * fraction:.0f} %")
        if remaining is not None:
            words.append(f"about {duration_text(remaining)} to go")
        self.progress.setText("  ·  ".join(words))
        self._set_bar(round(1000 * (fraction or 0)), 1000 if fraction is not None else 0)

    def _set_bar(self, value: int, maximum: int) -> None:
        self.bar.setMaximum(maximum)
        self.bar.setValue(value)
