"""How the window's process ends, and what it refuses to begin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labctl_data.run_file import open_run
from labctl_gui import app
from tests.gui.patience import SECONDS

OPERATOR = """
import sys
from PyQt6.QtCore import QTimer
from labctl_gui import app, application

qt = application.make_application()

started = []

def begin():
    window = next((w for w in qt.topLevelWidgets() if hasattr(w, "session")), None)
    if window is None or not window.session.status.is_open or not window.session.offers.procedures:
        return
    if not window.session.queue.jobs and not started:
        started.append(True)
        values = {"cells": "0/:/:", "window": "2 nS", "limit": "100000"}
        window.session.start("WriteVerify", values)
    if window.session.rows.version[1] > 2_000:
        timer.stop()
        print("running", flush=True)

timer = QTimer()
timer.timeout.connect(begin)
timer.start(20)
sys.exit(app.launch(sys.argv[1], None))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_window_and_the_run_is_stored_as_aborted(bench, tmp_path, number):
    with subprocess.Popen(
        [sys.executable, "-c", OPERATOR, bench],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "running"

        process.send_signal(number)

        assert process.wait(timeout=SECONDS) == 0
    (path,) = Path(tmp_path, "data").rglob("*.h5")
    assert open_run(path).status == "aborted"


def test_a_machine_without_a_display_is_told_so_and_qt_does_not_abort(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(app.DisplayError, match="--screenshot"):
        app.launch(None, None)


def test_a_picture_that_exists_is_not_overwritten(tmp_path, capsys, monkeypatch):
    picture = tmp_path / "window.png"
    picture.write_bytes(b"precious")
    monkeypatch.setattr(sys, "argv", ["labctl-gui", "--screenshot", str(picture)])

    with pytest.raises(SystemExit) as ended:
        app.main()

    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert picture.read_bytes() == b"precious"
