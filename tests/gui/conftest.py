"""A session on the simulated board, and the real window around it, drawn offscreen."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PyQt6.QtCore import QSettings

from labctl_gui import application
from labctl_gui.state.journal import Journal
from labctl_gui.state.session import Session
from labctl_gui.window import OperatorWindow
from tests.gui.driving import PATIENCE
from tests.gui.small_bench import SMALL_BENCH


@pytest.fixture
def bench(tmp_path: Path) -> str:
    """Path of a small simulated bench: two PEs of 16 x 8 cells."""
    path = tmp_path / "small.toml"
    path.write_text(SMALL_BENCH)
    return str(path)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """No test sees the settings or the data of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def closed_session(tmp_path: Path) -> Iterator[Session]:
    """A session without a bench, with a queue of its own."""
    session = Session(tmp_path / "queue.sqlite")
    yield session
    assert session.close(timeout=PATIENCE / 1000)


@pytest.fixture
def session(closed_session: Session, bench: str) -> Session:
    """A session on the small bench, its catalogue loaded."""
    closed_session.open_bench(bench)
    assert closed_session.settled(PATIENCE / 1000)
    assert closed_session.status.problem == ""
    return closed_session


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    """Settings of this test alone."""
    return QSettings(str(tmp_path / "layout.ini"), QSettings.Format.IniFormat)


@pytest.fixture(autouse=True)
def _collect_in_this_thread() -> Iterator[None]:
    """Let no other thread collect what Qt made, as in the application."""
    gc.disable()
    yield
    gc.collect(1)
    gc.enable()


@pytest.fixture
def journal() -> Iterator[Journal]:
    """A journal that hears labctl."""
    journal = application.listen()
    yield journal
    application.stop_listening(journal)


@pytest.fixture
def make_window(
    qtbot, settings: QSettings, journal: Journal
) -> Callable[[Session], OperatorWindow]:
    """Open the operator's window on a session."""

    def make(session: Session) -> OperatorWindow:
        application.make_application()
        window = OperatorWindow(session, journal, settings)
        window.resize(1366, 768)
        qtbot.addWidget(window, before_close_func=lambda w: w.end())
        window.show()
        qtbot.waitExposed(window)
        return window

    return make


@pytest.fixture
def window(make_window, session: Session, qtbot) -> OperatorWindow:
    """The window on the small bench, its catalogue on offer."""
    window = make_window(session)
    qtbot.waitUntil(lambda: window.run.procedure_box.count() > 0, timeout=PATIENCE)
    return window


@pytest.fixture
def read_window(window, qtbot):
    """The window with PE 0 read."""
    window.array.read_button.click()
    qtbot.waitUntil(lambda: np.isfinite(window.array.image).all(), timeout=PATIENCE)
    return window
