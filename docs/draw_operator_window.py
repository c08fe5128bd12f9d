"""Draw the pictures of `operator-window.md`: `python docs/draw_operator_window.py`."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PyQt6.QtCore import QSettings

from labctl_gui import theme
from labctl_gui.application import listen, make_application
from labctl_gui.screenshot import live, settle, wait_for
from labctl_gui.state.quantities import Quantity
from labctl_gui.state.rack_desk import Trouble
from labctl_gui.state.session import Session
from labctl_gui.window import OperatorWindow

PICTURES = Path(__file__).parent / "pictures"
LONG = {"window": "5 nS", "limit": "5000"}


def fill(window: OperatorWindow, procedure: str, /, **texts: str) -> None:
    """Pick a procedure and type into its form, as an operator would."""
    window.run.procedure_box.setCurrentText(procedure)
    live(0.1)
    for name, text in texts.items():
        editor = window.run.form_view.lines[name].editor
        editor.setText(text)
        editor.textEdited.emit(text)
    live(0.2)


def run(window: OperatorWindow, procedure: str, /, **texts: str) -> None:
    """Measure, and wait for the end."""
    fill(window, procedure, **texts)
    window.run.start_button.click()
    live(0.1)
    window.session.settled(300)
    live(0.5)


def draw(window: OperatorWindow, name: str) -> None:
    """Save what the window shows."""
    settle(window)
    window.grab().save(str(PICTURES / f"operator-window-{name}.png"))


def draw_a_run(window: OperatorWindow) -> None:
    """Predict, start, queue, select; then a form that cannot be."""
    fill(window, "WriteVerify", levels="8", after="")
    window.run.predict_button.click()
    wait_for(lambda: window.session.predictor.now.is_done, 300)
    live(0.3)
    draw(window, "predicted")
    fill(window, "WriteVerify", levels="8", **LONG)
    window.run.start_button.click()
    fill(window, "Retention")
    window.run.start_line.setText("+2h")
    live(0.2)
    window.run.start_button.click()
    wait_for(lambda: window.session.rows.version[1] > 100_000, 300)
    window.array.plot.dragged.emit(16, 47, 2, 9)
    draw(window, "running")
    window.header.stop_button.pressed.emit()
    window.session.settled(60)
    fill(window, "WriteVerify", cells="9/0/0", window="0.1 V")
    live(0.5)
    draw(window, "wrong-field")


def main() -> None:
    """Sit down at the simulated board and draw the scenes of a day."""
    application = make_application()
    with TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
        settings = QSettings(f"{folder}/layout.ini", QSettings.Format.IniFormat)
        window = OperatorWindow(Session(Path(folder) / "queue.sqlite"), listen(), settings)
        window.wear(theme.Scheme.LIGHT)
        window.resize(1366, 768)
        window.show()
        window.session.open_bench("sim-board")
        window.session.settled(120)
        live(0.3)
        run(window, "IVSweep", cells="0/0:16/3")
        window.array.choose(0, 40, 7)
        draw_a_run(window)
        window.array.selecting.clear_button.click()
        run(window, "WriteVerify", cells="0/:/:", levels="8", window="100 nS", limit="", after="")
        window.array.scales.quantity_box.setCurrentText(Quantity.ERROR.value)
        window.wear(theme.Scheme.DARK)
        draw(window, "dark")
        window.wear(theme.Scheme.LIGHT)
        draw_views(window)
        window.end()
        application.processEvents()


def draw_views(window: OperatorWindow) -> None:
    """Draw the views beside the array."""
    window.views.setCurrentWidget(window.runs)
    wait_for(lambda: window.runs.table.rowCount() == 3)
    window.runs.table.selectRow(0)
    draw(window, "data")
    window.views.setCurrentWidget(window.network)
    window.network.count_line.setText("")
    window.network.again_line.setText("1h, 1d")
    live(0.2)
    window.network.run_button.click()
    wait_for(lambda: window.session.network.verdict is not None, 300)
    live(0.3)
    draw(window, "network")
    window.network.pages.setCurrentWidget(window.network.mapping)
    live(0.3)
    draw(window, "mapping")
    draw_simulation(window)
    draw_campaign(window)


def draw_simulation(window: OperatorWindow) -> None:
    """Plant faults, and ask the bench from the console."""
    window.views.setCurrentWidget(window.simulation)
    window.session.rack.plant(Trouble("late", "board", share=0.01))
    window.session.rack.plant(Trouble("timeout", "board", nth=400))
    window.session.rack.settled(30)
    for text in ("read 0/0:4/:", "time"):
        window.session.order(text)
    window.session.settled(60)
    live(0.3)
    draw(window, "simulation")
    window.session.rack.clear()


def draw_campaign(window: OperatorWindow) -> None:
    """Carry out a plan, and draw it while it goes on."""
    window.show_view("campaign")
    panel = window.campaign
    panel.plan_box.setCurrentText("characterise")
    panel.open_button.click()
    wait_for(lambda: bool(window.campaigns.status.jobs), 60)
    live(0.2)
    panel.start_button.click()
    panel.start_button.click()
    wait_for(
        lambda: {"done", "running"} <= {job.state for job in window.campaigns.status.jobs}, 300
    )
    draw(window, "campaign")
    panel.stop_button.click()
    wait_for(lambda: window.campaigns.status.is_idle, 300)


if __name__ == "__main__":
    main()
