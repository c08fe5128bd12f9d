"""A window that is killed while it measures on a served bench: the guardian puts outputs off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kill_and_rest import await_first_pulse, end_with, environment, witnessed

from labctl.queue import JobQueue, JobState

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the guardian's deadlines are measured on Linux"
)
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
    if not started:
        started.append(True)
        values = {"cells": "0/:/:", "window": "2 nS", "limit": "100000"}
        window.session.start("WriteVerify", values)

timer = QTimer()
timer.timeout.connect(begin)
timer.start(20)
sys.exit(app.launch(sys.argv[1], None))
"""


def test_outputs_are_off_within_a_second_of_the_death_of_the_window(tmp_path: Path) -> None:
    own = {
        "QT_QPA_PLATFORM": "offscreen",
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    with witnessed("sim-board", tmp_path, clients=8) as (served, log):
        process = subprocess.Popen(
            [sys.executable, "-c", OPERATOR, str(served)],
            stdout=subprocess.PIPE,
            env={**environment(), **own},
        )
        try:
            await_first_pulse(process, log)
            time.sleep(0.2)  # the run is in the middle of its messages
            (path,) = Path(tmp_path, "data").rglob("*.h5")
            ending = end_with(process, signal.SIGKILL, path, log)
        finally:
            process.kill()
            process.communicate()

    assert ending.was_on
    assert ending.seconds <= 1.0
    assert ending.rest.seen
    assert ending.rest.pulses_after == 0
    assert ending.status == "interrupted"
    (job,) = JobQueue(tmp_path / "data" / "labctl" / "queue.sqlite").jobs()
    assert job.state is JobState.INTERRUPTED
