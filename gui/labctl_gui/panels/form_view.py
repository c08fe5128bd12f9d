"""A form on the screen: one line a parameter, marked with the reason where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QResizeEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from labctl_gui.panels.words import labelled, mark_wrong
from labctl_gui.state.forms import Field, ProcedureForm


class FieldView(QWidget):
    """One line of a form: an editor, and the reason below it when its text is refused."""

    typed = pyqtSignal(str)
    """The text, whenever it changes."""
    entered = pyqtSignal()
    """The keyboard has come to this line."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field
        self.reason = labelled("", "problem")
        self.reason.setWordWrap(True)
        self.reason.hide()
        self.editor = self._make_editor(field)
        self.editor.setToolTip(_tip(field))
        self.editor.setAccessibleName(field.info.label)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.editor)
        layout.addWidget(self.reason)
        self.show_field(field)

    def resizeEvent(self, a0: QResizeEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Give the reason the height that it takes at this width."""
        super().resizeEvent(a0)
        self._make_room()

    def _make_room(self) -> None:
        self.reason.setMinimumHeight(max(self.reason.heightForWidth(self.width()), 0))

    def show_field(self, field: Field) -> None:
        """Mark the line as right or wrong."""
        self.field = field
        wrong = bool(field.problem)
        self.reason.setText(field.problem)
        self.reason.setVisible(wrong)
        self._make_room()
        mark_wrong(self.editor, wrong)

    def _make_editor(self, field: Field) -> QLineEdit | QComboBox:
        choices = _choices(field)
        if not choices:
            line = _Line(self.entered.emit)
            line.setText(field.text)
            line.setPlaceholderText(field.info.unit)
            line.textEdited.connect(self.typed.emit)
            return line
        box = QComboBox()
        box.addItems(choices)
        box.setCurrentText(field.text)
        box.currentTextChanged.connect(self.typed.emit)
        return box


class FormView(QScrollArea):
    """Shows a `ProcedureForm`, and types into it."""

    changed = pyqtSignal()
    """Something was typed and judged."""
    hint = pyqtSignal(str)
    """What the line under the keyboard is for."""

    def __init__(self) -> None:
        super().__init__()
        self.form: ProcedureForm | None = None
        self.lines: dict[str, FieldView] = {}
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_form(self, form: ProcedureForm) -> None:
        """Show `form` in the place of the last one."""
        self.form = form
        self.lines = {}
        page = QWidget()
        layout = QFormLayout(page)
        layout.setContentsMargins(0, 2, 6, 2)
        layout.setVerticalSpacing(4)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for field in form.fields:
            view = FieldView(field)
            view.typed.connect(partial(self._type, field.info.name))
            view.entered.connect(partial(self._explain, field.info.name))
            label = QLabel(field.info.label)
            label.setToolTip(_tip(field))
            layout.addRow(label, view)
            self.lines[field.info.name] = view
        self.setWidget(page)
        self.changed.emit()

    def judge_again(self) -> None:
        """Show the verdicts of the form as they are now."""
        if self.form is None:
            return
        for field in self.form.fields:
            self.lines[field.info.name].show_field(field)
        self.changed.emit()

    def _type(self, name: str, text: str) -> None:
        if self.form is not None:
            self.lines[name].show_field(self.form.set_text(name, text))
            self.changed.emit()

    def _explain(self, name: str) -> None:
        field = self.lines[name].field
        self.hint.emit(_tip(field))


class _Line(QLineEdit):
    """A line editor that says when the keyboard comes to it."""

    def __init__(self, entered: Callable[[], None]) -> None:
        super().__init__()
        self._entered = entered

    def focusInEvent(self, a0: QFocusEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Say so, then do as every editor does."""
        self._entered()
        super().focusInEvent(a0)


def _choices(field: Field) -> list[str]:
    if field.info.choices is not None:
        return [str(choice) for choice in field.info.choices]
    return ["true", "false"] if isinstance(field.info.default, bool) else []


def _tip(field: Field) -> str:
    parts = (field.info.doc, field.limits)
    return "; ".join(part for part in parts if part) or field.info.label
