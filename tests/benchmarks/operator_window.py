"""Measure the operator's window: how fast it is up, refreshes, answers and stops.

Run from the root of the source tree, offscreen or under Xvfb::

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/operator_window.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PyQt6.QtCore import QSettings, Qt, QTimer
from PyQt6.QtTest import QTest

from labctl_data.cells import Geometry
from labctl_gui.application import listen, make_application
from labctl_gui.screenshot import live, wait_for
from labctl_gui.state.bench import BenchPhase
from labctl_gui.state.chip_map import ChipMap
from labctl_gui.state.job_maker import Recording
from labctl_gui.state.pictures import Axis, Curve, Picture, draw
from labctl_gui.state.session import Session
from labctl_gui.state.sketcher import Subject
from labctl_gui.window import OperatorWindow

UP = """
import time; start = time.perf_counter()
from labctl_gui.application import listen, make_application
application, journal = make_application(), listen()
from pathlib import Path
from PyQt6.QtCore import QSettings
from labctl_gui.state.session import Session
from labctl_gui.window import OperatorWindow
session = Session(Path("{folder}/queue.sqlite"))
window = OperatorWindow(session, journal, QSettings("{folder}/up.ini", QSettings.Format.IniFormat))
session.open_bench("sim-board")
window.show()
application.processEvents()
window.grab()
up, core = time.perf_counter() - start, time.thread_time()
session.settled(60)
print(up, time.perf_counter() - start, core)
window.end()
"""
RUNS = 500
"""Runs after which memory must not have grown."""
LONG_WRITE = {"cells": "0/:/:", "window": "2 nS", "limit": "100000"}


def say(what: str, seconds: list[float] | float, limit: float) -> None:
    """Print one figure beside what it should stay below."""
    values = seconds if isinstance(seconds, list) else [seconds]
    print(
        f"{what:<46} median {1e3 * statistics.median(values):8.1f} ms   "
        f"p95 {1e3 * float(np.quantile(values, 0.95)):8.1f} ms   (limit {1e3 * limit:.0f} ms)"
    )


def repeated(act: Callable[[], object], n: int) -> list[float]:
    """Return what `n` calls took of this thread's core, in s: on a busy machine less than the wall.

    What the window's thread computes is the window's; what it waits for a core is the machine's.
    """
    taken = []
    for _ in range(n):
        start = time.thread_time()
        act()
        taken.append(time.thread_time() - start)
    return taken


def measure_start(folder: str) -> None:
    """Start fresh processes; the first one may have to compile."""
    ups, readies, cores = [], [], []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", UP.format(folder=folder)],
            capture_output=True,
            text=True,
            check=True,
        )
        up, ready, core = map(float, done.stdout.split())
        ups.append(up)
        readies.append(ready)
        cores.append(core)
    say("window up, its thread alone (core)", cores, 2.5)
    say("window up (imports to first picture)", ups, 2.5)
    say("bench open, at rest, catalogue loaded", readies, 5.0)


def measure_map(window: OperatorWindow, size: int, limit: float) -> None:
    """Redraw a whole square map, paint included."""
    chip_map = ChipMap(Geometry(1, size, size))
    index = np.arange(size * size)
    rng = np.random.default_rng(1)

    def refresh() -> None:
        window.array.show_map(chip_map)
        window.array.plot.grab()

    taken = []
    for _ in range(30):
        chip_map.update(index, rng.uniform(2e-6, 20e-6, size * size))
        taken += repeated(refresh, 1)
    say(f"{size} x {size} map: copy, colours, paint (core)", taken[2:], limit)


def measure_picture(window: OperatorWindow) -> None:
    """Redraw the largest picture there is: 32 curves of 20,000 points in all."""
    x = np.linspace(0, 300, 625)
    rng = np.random.default_rng(2)

    def show() -> None:
        curves = tuple(Curve(x, rng.uniform(2e-6, 20e-6, len(x)), tone=k / 31) for k in range(32))
        window.live.show_picture(Picture("largest", Axis("x"), Axis("y", "S"), curves))
        window.live.plot.grab()

    say("largest live picture (core)", repeated(show, 20), 0.04)


def measure_trace(window: OperatorWindow) -> None:
    """Redraw a trace of five million points: a thread folds it, the window's thread draws."""
    n = 5_000_000
    rng = np.random.default_rng(3)
    table = {"time": np.arange(n) * 1e-3, "conductance": rng.uniform(2e-6, 20e-6, n)}
    start = time.perf_counter()
    picture = draw("of a stranger", table, {})
    say("5 M points folded, wall (beside the window)", time.perf_counter() - start, 1.0)

    def show() -> None:
        window.live.show_picture(picture)
        window.live.plot.grab()

    say("5 M-point trace redrawn (core)", repeated(show, 20), 0.04)


def measure_memory(window: OperatorWindow, session: Session) -> None:
    """Queue many small runs, and see what memory they leave behind."""
    values = {"cells": "0/0/0", "cycles": "1", "step": "0.3 V"}

    def run(count: int) -> None:
        done = len(session.queue.jobs) + count
        for _ in range(count):
            session.queue.add(session.request("IVSweep", values))
        session.go_on()
        wait_for(
            lambda: (
                len(session.queue.jobs) == done
                and not session.queue.waiting
                and session.queue.running is None
                and session.settled(0)
            ),
            1200,
        )

    run(20)
    before, start = resident(), time.perf_counter()
    run(RUNS)
    grown, taken = resident() - before, time.perf_counter() - start
    what = f"memory after {RUNS} runs more ({taken:.0f} s)"
    print(f"{what:<46} {grown / 1e6:+8.1f} MB   (limit 50 MB)")


def resident() -> int:
    """Return the memory this process holds, in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure_answers(window: OperatorWindow, session: Session) -> None:
    """Let rows arrive as fast as the bench gives them, and see how late timers are."""
    session.start("WriteVerify", LONG_WRITE)
    wait_for(lambda: session.rows.version[1] > 10_000)
    before, start = session.rows.version[1], time.perf_counter()
    late = lateness()
    rate = (session.rows.version[1] - before) / (time.perf_counter() - start)
    say(f"event latency while {rate:,.0f} rows/s arrive", late, 0.05)
    session.stop()
    session.settled(10)


def lateness(seconds: float = 4.0) -> list[float]:
    """Return by how much ticks that were due every 10 ms were late, in s."""
    late: list[float] = []
    last = [time.perf_counter()]

    def tick() -> None:
        now = time.perf_counter()
        late.append(now - last[0] - 0.010)
        last[0] = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    timer.start(10)
    live(seconds)
    timer.stop()
    return late


def measure_answers_at_a_pace(window: OperatorWindow, session: Session, rate: int) -> None:
    """Let rows arrive at a pace, as those of a real bench do, and see how late timers are."""
    say("event latency with nothing arriving (machine)", lateness(), 0.05)
    ended, block = threading.Event(), rate // 90
    rng = np.random.default_rng(4)
    start = time.perf_counter()

    def feed() -> None:
        sent = 0
        while not ended.wait(0.01):
            cells = np.arange(sent, sent + block) % 2048
            values = rng.uniform(2e-6, 20e-6, block)
            session.rows.extend(
                {
                    "time": (sent + np.arange(block)) / rate,
                    "pe": np.zeros(block, np.int64),
                    "row": cells // 16,
                    "column": cells % 16,
                    "target": np.full(block, 5e-6),
                    "conductance": values,
                    "pulses": (sent + np.arange(block)) // 2048,
                    "stage": np.zeros(block, np.int64),
                }
            )
            session.chip_map.update(cells, values)  # type: ignore[union-attr]  # it is open
            sent += block

    session.rows.clear()
    session._maker.recording = Recording("WriteVerify", {})
    window.live.choose(Subject.RUN)
    feeder = threading.Thread(target=feed)
    feeder.start()
    late = lateness()
    ended.set()
    feeder.join()
    paced = session.rows.version[1] / (time.perf_counter() - start)
    say(f"event latency while {paced:,.0f} rows/s arrive", late, 0.05)


def measure_stop(window: OperatorWindow, session: Session) -> None:
    """Press STOP in the middle of a run, and see when the outputs were proved off."""
    taken = []
    for number in range(10):
        start = session.rows.version[0]
        session.start("WriteVerify", LONG_WRITE)
        wait_for(
            lambda start=start, number=number: (
                session.rows.version[0] > start and session.rows.version[1] > 5_000 + 997 * number
            )
        )
        pressed = time.perf_counter()
        QTest.mousePress(window.header.stop_button, Qt.MouseButton.LeftButton)
        wait_for(lambda: session.status.phase is BenchPhase.READY)
        taken.append(session.station.rested - pressed if session.station else np.nan)
        session.settled(10)
    say("STOP: press to outputs read back as off", taken, 0.2)


def main() -> None:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as folder:
        measure_start(folder)
        application = make_application()
        os.environ["XDG_DATA_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
        session = Session(Path(folder) / "queue.sqlite")
        settings = QSettings(f"{folder}/layout.ini", QSettings.Format.IniFormat)
        window = OperatorWindow(session, listen(), settings)
        window.resize(1920, 1080)
        window.show()
        window._timer.stop()
        measure_map(window, 128, 0.005)
        measure_map(window, 1024, 0.020)
        measure_picture(window)
        measure_trace(window)
        window._timer.start()
        session.open_bench("sim-board")
        session.settled(60)
        measure_answers_at_a_pace(window, session, 5_000)
        measure_answers(window, session)
        measure_stop(window, session)
        measure_memory(window, session)
        window.end()
        application.processEvents()


if __name__ == "__main__":
    main()
