"""The log console: what has happened, last line at the bottom."""

from __future__ import annotations

import html
import logging
from datetime import datetime

from PyQt6.QtWidgets import QPlainTextEdit

from labctl_gui import theme
from labctl_gui.state.journal import Journal, Line


class LogPanel(QPlainTextEdit):
    """Shows the lines of a journal.

    Parameters
    ----------
    journal : Journal
        Where the lines are.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal
        self._seen = 0
        self._colours = theme.LIGHT
        self.setReadOnly(True)
        self.setMaximumBlockCount(2_000)
        self.setMinimumHeight(48)
        self.setFrameShape(QPlainTextEdit.Shape.NoFrame)

    def refresh(self) -> tuple[Line, ...]:
        """Append what is new, and return it."""
        if self._journal.written == self._seen:
            return ()
        fresh = self._journal.since(self._seen)
        for line in fresh:
            self.appendHtml(self._markup(line))
        self._seen = fresh[-1].number if fresh else self._journal.written
        return fresh

    def wear(self, colours: theme.Colours) -> None:
        """Take on the colours of the application, the old lines too."""
        self._colours = colours
        self.clear()
        self._seen = 0

    def _markup(self, line: Line) -> str:
        clock = datetime.fromtimestamp(line.created).astimezone().strftime("%H:%M:%S")
        colour = self._colours.text
        if line.level >= logging.WARNING:
            colour = self._colours.bad if line.level >= logging.ERROR else self._colours.busy
        detail = f"<br>{html.escape(line.detail)}".replace("\n", "<br>") if line.detail else ""
        return (
            f"<span style='color:{self._colours.faint}'>{clock}</span>&nbsp; "
            f"<span style='color:{colour}; white-space:pre-wrap'>"
            f"{html.escape(line.text)}{detail}</span>"
        )
