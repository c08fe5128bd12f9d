"""Draw the pictures of `operator-window.md`: `python docs/draw_operator_window.py`."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PyQt6.QtCore import QSettings

from labctl_gui import theme
from labctl_gui.application import listen, make_application
from labctl_gui.screenshot import live, settle
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
    window.session.settled(120)
    live(0.5)


def draw(window: OperatorWindow, name: str) -> None:
    """Save what the window shows."""
    settle(window)
    window.grab().save(str(PICTURES / f"operator-window-{name}.png"))


def main() -> None:
    """Sit down at the simulated board and draw three scenes of a day."""
    application = make_application()
    with TemporaryDirectory() as folder:
        settings = QSettings(f"{folder}/layout.ini", QSettings.Format.IniFormat)
        window = OperatorWindow(Session(Path(folder)), listen(), settings)
        window.wear(theme.Scheme.LIGHT)
        window.resize(1366, 768)
        window.show()
        window.session.open_bench("sim-board")
        window.session.settled(120)
        live(0.3)
        run(window, "IVSweep", cells="0/0:16/3")
        window.array.choose(0, 40, 7)
        fill(window, "WriteVerify", **LONG)
        window.run.start_button.click()
        live(4.0)
        draw(window, "running")
        window.header.stop_button.pressed.emit()
        window.session.settled(60)
        fill(window, "WriteVerify", cells="9/0/0", window="0.1 V")
        draw(window, "wrong-field")
        window.wear(theme.Scheme.DARK)
        run(window, "Retention")
        draw(window, "dark")
        window.end()
        application.processEvents()


if __name__ == "__main__":
    main()
