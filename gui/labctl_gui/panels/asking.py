"""Questions for a file or a folder, none of them modal: STOP stays within reach meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QWidget

Take = Callable[[Path], object]
"""Is given what was picked; it is not called where nothing was."""


def ask_to_open(parent: QWidget, title: str, kinds: str, take: Take) -> None:
    """Ask for a file that is there.

    Parameters
    ----------
    parent : QWidget
        Over which the question stands.
    title : str
        What is asked for.
    kinds : str
        Kinds of files, as Qt has them: ``Masks (*.npy)``, parted by ``;;``.
    take : callable
        Takes its path.
    """
    dialog = QFileDialog(parent, title, "", kinds)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    _show(dialog, take)


def ask_to_save(
    parent: QWidget, title: str, kinds: str, take: Take, *, proposed: str, suffix: str = ""
) -> None:
    """Ask for a file to write; see `ask_to_open`.

    Parameters
    ----------
    proposed : str
        Name that stands there at first.
    suffix : str
        What is added to a name without one.
    """
    dialog = QFileDialog(parent, title, proposed, kinds)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suffix)
    _show(dialog, take)


def ask_for_folder(parent: QWidget, title: str, take: Take) -> None:
    """Ask for a folder; see `ask_to_open`."""
    dialog = QFileDialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    _show(dialog, take)


def _show(dialog: QFileDialog, take: Take) -> None:
    dialog.setModal(False)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda name: take(Path(name)))
    dialog.show()
