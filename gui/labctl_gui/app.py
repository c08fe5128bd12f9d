"""Start the operator's window."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QApplication

from labctl.configuration import refuse_existing
from labctl_data.errors import LabctlError
from labctl_gui.state.journal import Journal

log = logging.getLogger("labctl")

LOGGERS = ("labctl", "labctl_gui", "labctl_procedures", "labctl_instruments", "labctl_data")
"""Loggers whose lines are shown."""
SWITCH = 1e-3
"""How long a thread keeps the interpreter while another waits for it, in s."""
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that close the window and bring the bench to rest."""
DEFAULT_BENCH = "sim-board"
"""The bench that is opened when nobody names one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window as the command line says, and return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; a caller who gives them is also given the errors. By default
        those of this process, and an error is one line on stderr.
    """
    parser = argparse.ArgumentParser(prog="labctl-gui", description="The operator's window.")
    parser.add_argument("--bench", help="name of a shipped bench, or path of a bench file")
    parser.add_argument("--screenshot", type=Path, help="write one picture (.png) and leave")
    options = parser.parse_args(arguments)
    try:
        return launch(options.bench, options.screenshot)
    except LabctlError as error:
        if arguments is not None:
            raise
        parser.exit(2, f"labctl-gui: {error}\n")


def launch(bench: str | None, screenshot: Path | None) -> int:
    """Open the window on a bench, or take one picture of it.

    Parameters
    ----------
    bench : str or None
        Name of a shipped bench or path of a bench file; None takes the simulated board.
    screenshot : Path or None
        A .png that must not exist; the window is then drawn offscreen, the bench's first PE is
        read, and the program ends.

    Returns
    -------
    int
        0 when all went well.

    Raises
    ------
    LabctlError
        If the picture exists already, or the bench for it does not open.
    """
    if screenshot is not None:
        refuse_existing(screenshot)
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = make_application()
    journal = listen()
    catch_exceptions()
    from labctl_gui.state.session import Session
    from labctl_gui.window import OperatorWindow

    session = Session()
    if screenshot is not None:
        from labctl_gui.screenshot import take_screenshot

        take_screenshot(session, journal, bench or DEFAULT_BENCH, screenshot)
        return 0
    window = OperatorWindow(session, journal, QSettings("labctl", "labctl"))
    session.open_bench(bench or DEFAULT_BENCH)
    window.show()
    for number in ENDING:
        signal.signal(number, lambda *_: window.end())
    try:
        return application.exec()
    finally:
        session.close()


def make_application() -> QApplication:
    """Return the one QApplication of this process."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    # The bench thread computes in Python too: a click is not to wait 5 ms for each of its turns.
    sys.setswitchinterval(SWITCH)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("labctl")
    return application


def listen() -> Journal:
    """Return a journal that hears labctl's log lines from now on."""
    journal = Journal()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(journal)
        logger.setLevel(min(logger.level or logging.INFO, logging.INFO))
    return journal


def stop_listening(journal: Journal) -> None:
    """Let a journal hear no more."""
    for name in LOGGERS:
        logging.getLogger(name).removeHandler(journal)


def catch_exceptions() -> None:
    """Log what a slot or a thread did not catch, instead of letting Qt end the process."""
    sys.excepthook = _log_exception
    threading.excepthook = lambda caught: _log_exception(
        caught.exc_type, caught.exc_value or caught.exc_type(), caught.exc_traceback
    )


def _log_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        QApplication.quit()
        return
    log.error("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))
