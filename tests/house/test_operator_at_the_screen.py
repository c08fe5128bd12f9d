"""A session at a real screen with a real mouse: Xvfb draws, xdotool moves and presses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl_data.run_file import open_run
from labctl_gui.app import missing_library
from tests.gui.small_bench import SMALL_BENCH

MISSING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
MISSING += [missing_library()] if missing_library() else []
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"needs {' and '.join(MISSING)}: apt-get install xvfb xdotool libxcb-cursor0",
)

WINDOW = """
import sys
from PyQt6.QtCore import QPoint, QTimer
from labctl_gui import app, application

qt = application.make_application()

def find():
    return next((w for w in qt.topLevelWidgets() if hasattr(w, "session")), None)

def place(widget):
    point = widget.mapToGlobal(QPoint(widget.width() // 2, widget.height() // 2))
    return f"{point.x()},{point.y()}"

def cell(window, row, column):
    plot = window.array.plot
    point = plot.viewport().mapToGlobal(window.array.scene_point(row, column).toPoint())
    return f"{point.x()},{point.y()}"

said = []

def say(word):
    if word not in said:
        said.append(word)
        print(word, flush=True)

def look():
    window = find()
    if window is None:
        return
    session = window.session
    ready = session.status.is_open and session.offers.procedures
    if not (ready and window.run.start_button.isEnabled()):
        return
    window.move(0, 0)
    say("read " + place(window.array.read_button))
    if session.chip_map.version:
        say("drag " + cell(window, 2, 1) + " " + cell(window, 9, 5))
    if window.array.selecting.use_button.isEnabled():
        say(f"selected {window.array.selecting.told.text()}")
        say("use " + place(window.array.selecting.use_button))
        cells = window.run.form_view.form.values["cells"]
        if cells == "0/2:10/1:6":
            say("cells " + cells)
            say("start " + place(window.run.start_button))
    if session.rows.version[1] > 200 and session.queue.running is not None:
        say("stop " + place(window.header.stop_button))
    if window.session.queue.jobs and session.queue.running is None and not session.queue.waiting:
        if session.status.outputs.value == "at rest":
            say("rested " + session.queue.jobs[0].state.value)

timer = QTimer()
timer.timeout.connect(look)
timer.start(50)
sys.exit(app.launch(sys.argv[1], None))
"""


@pytest.fixture
def screen() -> Iterator[str]:
    """Name of a display of 1366 x 768 that only this test draws on."""
    reading, writing = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        "1366x768x24",
        "-nolisten",
        "tcp",
    ]
    with subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as told:
            yield f":{told.readline().strip()}"
        server.terminate()


class Hand:
    """A hand on the mouse of a display."""

    def __init__(self, display: str) -> None:
        self._environment = {**os.environ, "DISPLAY": display}

    def click(self, place: str) -> None:
        """Press and let go of the left button at `x,y`."""
        self._do("mousemove", *place.split(","), "click", "1")

    def drag(self, start: str, end: str) -> None:
        """Press at one place, move to another as a hand does, and let go."""
        (x, y), (to_x, to_y) = (map(int, place.split(",")) for place in (start, end))
        steps: list[str] = []
        for k in range(1, 13):
            place = (x + (to_x - x) * k // 12, y + (to_y - y) * k // 12)
            steps += ["mousemove", *map(str, place), "sleep", "0.03"]
        self._do("mousemove", str(x), str(y), "mousedown", "1", *steps, "mouseup", "1")

    def _do(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env=self._environment, check=True)


def test_a_person_reads_selects_starts_and_stops_with_the_mouse(screen, tmp_path: Path):
    bench = tmp_path / "bench.toml"
    bench.write_text(SMALL_BENCH)
    layout = tmp_path / "config"
    environment = {
        **os.environ,
        "DISPLAY": screen,
        "QT_QPA_PLATFORM": "xcb",
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(layout),
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
    }
    hand, told = Hand(screen), {}
    with subprocess.Popen(
        [sys.executable, "-c", WINDOW, str(bench)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as window:
        assert window.stdout is not None
        acts = {
            "read": lambda words: hand.click(words[0]),
            "drag": lambda words: hand.drag(*words),
            "use": lambda words: hand.click(words[0]),
            "start": lambda words: hand.click(words[0]),
            "stop": lambda words: hand.click(words[0]),
        }
        for line in window.stdout:
            word, *rest = line.split()
            told[word] = " ".join(rest)
            if word in acts:
                acts[word](rest)
            if word == "rested":
                window.terminate()
        assert window.wait(20) == 0

    assert told["selected"] == "40 selected"
    assert told["cells"] == "0/2:10/1:6"
    (path,) = Path(tmp_path, "data").rglob("*.h5")
    status = open_run(path).status
    assert re.fullmatch("aborted|complete", status)
    assert told["rested"] == ("interrupted" if status == "aborted" else "done")
