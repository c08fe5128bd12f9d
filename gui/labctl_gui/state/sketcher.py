"""The sketcher: a thread that turns rows into pictures, so that the window only shows them."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from enum import Enum

import numpy as np

from labctl_gui.state.cell_events import NO_TRACE, CellTrace
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.pictures import (
    EMPTY,
    Picture,
    columns_needed,
    draw,
    draw_distribution,
)
from labctl_gui.state.session import Session

log = logging.getLogger(__name__)

PERIOD = 0.1
"""Time between two looks at the session, in s."""

CellAddress = tuple[int, int, int]
"""PE, row and column of a cell."""


class Subject(Enum):
    """What the live plot shows."""

    RUN = "Run"
    DISTRIBUTION = "Distribution"


@dataclass(frozen=True)
class View:
    """What the operator looks at."""

    pe: int = 0
    """The PE on the array view."""
    cell: CellAddress | None = None
    """The cell chosen on it; None before the first click."""
    subject: Subject = Subject.DISTRIBUTION
    """What the live plot shows."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """What was drawn last."""

    number: int = 0
    """Changes with each sketch."""
    picture: Picture = EMPTY
    """The live plot."""
    trace: CellTrace = NO_TRACE
    """The recent life of the chosen cell."""
    cell: CellAddress | None = None
    """The cell that was chosen."""


class Sketcher:
    """Draws what the operator looks at, again whenever something of it has changed.

    Parameters
    ----------
    session : Session
        Where rows, maps and traces are.
    """

    def __init__(self, session: Session) -> None:
        self.view = View()
        self._session = session
        self._sketch = Sketch()
        self._drawn: object = None
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sketcher", daemon=True)
        self._thread.start()

    @property
    def sketch(self) -> Sketch:
        """What was drawn last."""
        return self._sketch

    def look_at(self, view: View) -> None:
        """Draw `view` from now on, at once."""
        self.view = view
        self._wanted.set()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._wanted.set()
        self._thread.join()

    def draw_if_changed(self) -> bool:
        """Draw if anything has changed since the last time; return whether it had."""
        state = self._state()
        if state == self._drawn:
            return False
        view = self.view
        self._sketch = Sketch(
            self._sketch.number + 1, self._picture(view), self._trace(view), view.cell
        )
        self._drawn = state
        return True

    def _work(self) -> None:
        while not self._ended.is_set():
            started = time.monotonic()
            try:
                self.draw_if_changed()
            except Exception:
                log.exception("a picture could not be drawn")
                self._drawn = self._state()
            # Drawing takes a fifth of a core at most: the bench comes first.
            self._wanted.wait(max(PERIOD, 4 * (time.monotonic() - started)))
            self._wanted.clear()

    def _state(self) -> object:
        session, shown = self._session, self.shown_map
        return (
            self.view,
            id(session.reader.opened),
            session.rows.version,
            session.events.version,
            id(shown),
            None if shown is None else shown.version,
        )

    @property
    def shown_map(self) -> ChipMap | None:
        """The chip map that goes with what is shown: the opened file's, or the bench's."""
        opened = self._session.reader.opened
        return self._session.chip_map if opened is None else opened.chip_map

    def _picture(self, view: View) -> Picture:
        if view.subject is Subject.DISTRIBUTION:
            return self._distribution(view.pe)
        opened, recording = self._session.reader.opened, self._session.recording
        if opened is not None:
            return draw(opened.procedure, opened.table, opened.columns)
        if recording is None:
            return EMPTY
        rows, procedure = self._session.rows, recording.procedure
        return draw(procedure, rows.table(columns_needed(procedure, rows.names)), recording.columns)

    def _distribution(self, pe: int) -> Picture:
        shown = self.shown_map
        title = f"Conductances of PE {pe}"
        if shown is None or pe >= shown.geometry.pes:
            return draw_distribution(np.empty(0), title)
        return draw_distribution(shown.pe(pe), title)

    def _trace(self, view: View) -> CellTrace:
        session, shown = self._session, self.shown_map
        if view.cell is None or shown is None:
            return NO_TRACE
        if session.reader.opened is not None:
            return session.reader.opened.trace(view.cell)
        if any(part >= size for part, size in zip(view.cell, shown.geometry.shape, strict=True)):
            return NO_TRACE
        return session.events.trace(int(np.ravel_multi_index(view.cell, shown.geometry.shape)))
