"""The Qt application: its log, its exceptions, its signals, and the window in it."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from types import TracebackType

from PyQt6.QtCore import QMessageLogContext, QSettings, QtMsgType, qInstallMessageHandler
from PyQt6.QtWidgets import QApplication
from pyqtgraph.util.garbage_collector import GarbageCollector

from labctl_gui.state.journal import Journal
from labctl_gui.state.session import Session
from labctl_gui.window import OperatorWindow

log = logging.getLogger("labctl")
_qt_log = logging.getLogger("labctl_gui.qt")

LOGGERS = ("labctl", "labctl_gui", "labctl_procedures", "labctl_instruments", "labctl_data")
"""Loggers whose lines are shown."""
SWITCH = 1e-3
"""How long a thread keeps the interpreter while another waits for it, in s."""
COLLECTING = 1.0
"""How often what Python no longer needs is collected, in s."""
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that close the window and bring the bench to rest."""


def run_window(bench: str) -> int:
    """Open the window on a bench and stay until it is closed; return Qt's exit code.

    Parameters
    ----------
    bench : str
        Name of a shipped bench or path of a bench file.
    """
    application = make_application()
    journal = listen()
    catch_exceptions()
    # Qt's objects die in their own thread only: the bench's thread is not to collect them.
    collector = GarbageCollector(interval=COLLECTING)
    session = Session()
    window = OperatorWindow(session, journal, QSettings("labctl", "labctl"))
    session.open_bench(bench)
    window.show()
    for number in ENDING:
        signal.signal(number, lambda *_: window.end())
    try:
        return application.exec()
    finally:
        collector.timer.stop()
        session.close()


def make_application() -> QApplication:
    """Return the one QApplication of this process."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    # The bench thread computes in Python too: a click is not to wait 5 ms for each of its turns.
    sys.setswitchinterval(SWITCH)
    qInstallMessageHandler(_log_message)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("labctl")
    return application


def listen(*, alone: bool = False) -> Journal:
    """Return a journal that hears labctl's log lines from now on.

    Parameters
    ----------
    alone : bool
        Whether nobody else is to hear them: a verb that ends with one line on stderr.
    """
    journal = Journal()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(journal)
        logger.propagate = not alone
        logger.setLevel(min(logger.level or logging.INFO, logging.INFO))
    return journal


def stop_listening(journal: Journal) -> None:
    """Let a journal hear no more, and everybody else again."""
    for name in LOGGERS:
        logging.getLogger(name).removeHandler(journal)
        logging.getLogger(name).propagate = True


def catch_exceptions() -> None:
    """Log what a slot or a thread did not catch, instead of letting Qt end the process."""
    sys.excepthook = _log_exception
    threading.excepthook = lambda caught: _log_exception(
        caught.exc_type, caught.exc_value or caught.exc_type(), caught.exc_traceback
    )


def _log_message(level: QtMsgType, _: QMessageLogContext, text: str | None) -> None:
    """Log what Qt has to say, instead of letting it write on stderr."""
    serious = level in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg)
    _qt_log.log(logging.ERROR if serious else logging.DEBUG, "%s", text)


def _log_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        QApplication.quit()
        return
    log.error("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))
