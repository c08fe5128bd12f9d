"""One picture of the window, drawn offscreen."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PyQt6.QtCore import QEventLoop, QSettings, QTimer
from PyQt6.QtWidgets import QApplication

from labctl_data.errors import LabctlError
from labctl_gui.application import catch_exceptions, listen, make_application, stop_listening
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.session import Session
from labctl_gui.window import OperatorWindow

PATIENCE = 60.0
"""How long the bench may take, in s; the first time, kernels are compiled."""


class ScreenshotError(LabctlError):
    """The picture could not be taken."""


def take_screenshot(bench: str, path: Path, *, view: str, size: tuple[int, int]) -> None:
    """Open `bench`, read its first PE, draw the window into `path`, and close.

    Parameters
    ----------
    bench : str
        Name of a shipped bench or path of a bench file.
    path : Path
        The picture.
    view : str
        One of `labctl_gui.app.VIEWS`.
    size : tuple of int
        Width and height of the picture, in px.

    Raises
    ------
    ScreenshotError
        If the bench does not open or the file cannot be written.
    """
    application = make_application()
    journal = listen(alone=True)
    catch_exceptions()
    with TemporaryDirectory() as folder:
        session = Session(Path(folder) / "queue.sqlite")
        settings = QSettings(f"{folder}/layout.ini", QSettings.Format.IniFormat)
        window = OperatorWindow(session, journal, settings)
        window.resize(*size)
        window.show()
        try:
            _open_and_read(session, window, bench)
            window.show_view(view)
            window.browser.settled(PATIENCE)
            settle(window)
            if not window.grab().save(str(path), "PNG"):
                raise ScreenshotError(f"screenshot {path}: cannot be written")
        finally:
            window.end()
            stop_listening(journal)
            application.processEvents()


def _open_and_read(session: Session, window: OperatorWindow, bench: str) -> None:
    session.open_bench(bench)
    wait_for(lambda: session.status.is_open or bool(session.status.problem))
    info = session.status.info
    if info is None:
        late = f"bench '{bench}': did not open in {PATIENCE:g} s"
        raise ScreenshotError(session.status.problem or late)
    session.read_pe(0)
    wait_for(lambda: _is_read(session) and bool(session.offers.procedures))
    window.refresh()
    window.array.choose(0, info.geometry.rows // 2, info.geometry.columns // 2)


def wait_for(reached: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Let the window live until `reached`, or for `patience` s; return whether it was."""
    end = time.monotonic() + patience
    while not reached() and time.monotonic() < end:
        live(0.01)
    return reached()


def live(seconds: float) -> None:
    """Let the window live for `seconds`, as an operator's does, without spinning."""
    loop = QEventLoop()
    QTimer.singleShot(round(1e3 * seconds), loop.quit)
    loop.exec()


def settle(window: OperatorWindow) -> None:
    """Let everything that was measured reach the screen."""
    window.sketcher.draw_if_changed()
    window.refresh()
    for _ in range(3):
        QApplication.processEvents()


def _is_read(session: Session) -> bool:
    done = session.status.phase in (BenchPhase.READY, BenchPhase.FAILED)
    return done and session.chip_map is not None and session.chip_map.version > 0
