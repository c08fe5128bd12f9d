"""Start the operator's window; nothing of Qt is imported before it is known to be there."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from labctl.configuration import refuse_existing
from labctl_data.errors import LabctlError

DEFAULT_BENCH = "sim-board"
"""The bench that is opened when nobody names one."""


VIEWS = ("array", "network", "campaign", "data", "simulation")
"""What can stand in the middle of the window."""


class DisplayError(LabctlError):
    """There is no Qt, or no screen to draw on."""


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
    parser.add_argument("--view", choices=VIEWS, default=VIEWS[0], help="what the picture shows")
    parser.add_argument("--size", default="1366x768", help="width and height of the picture")
    options = parser.parse_args(arguments)
    try:
        return launch(options.bench, options.screenshot, view=options.view, size=options.size)
    except LabctlError as error:
        if arguments is not None:
            raise
        parser.exit(2, f"labctl-gui: {error}\n")


def launch(
    bench: str | None,
    screenshot: Path | None,
    *,
    view: str = VIEWS[0],
    size: str = "1366x768",
) -> int:
    """Open the window on a bench, or take one picture of it.

    Parameters
    ----------
    bench : str or None
        Name of a shipped bench or path of a bench file; None takes the simulated board.
    screenshot : Path or None
        A .png that must not exist; the window is then drawn offscreen, the bench's first PE is
        read, and the program ends.
    view : str
        One of `VIEWS`: what stands in the middle of the picture.
    size : str
        Width and height of the picture, in px: `1366x768`.

    Returns
    -------
    int
        0 when all went well.

    Raises
    ------
    LabctlError
        If there is no Qt or no display, the picture exists already, or the bench for it does not
        open.
    """
    if screenshot is not None:
        refuse_existing(screenshot)
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    require_display()
    if screenshot is None:
        from labctl_gui.application import run_window

        return run_window(bench or DEFAULT_BENCH)
    from labctl_gui.screenshot import take_screenshot

    take_screenshot(bench or DEFAULT_BENCH, screenshot, view=view, size=picture_size(size))
    return 0


def picture_size(text: str) -> tuple[int, int]:
    """Return width and height of a picture as a person writes them.

    Raises
    ------
    DisplayError
        If they are no two numbers of pixels.
    """
    wide, _, high = text.partition("x")
    if not (wide.isdigit() and high.isdigit() and 320 <= int(wide) <= 16_384 >= int(high) >= 240):
        raise DisplayError(f"--size '{text}': asked for WIDTHxHEIGHT in pixels, like 1366x768")
    return int(wide), int(high)


def require_display() -> None:
    """Refuse where Qt would fail to load, or would end the process for want of a display.

    Raises
    ------
    DisplayError
        With what to do about it.
    """
    try:
        import PyQt6.QtWidgets  # noqa: F401  (only whether it can be loaded)
    except ImportError as error:
        raise DisplayError(
            f"the window needs Qt, which cannot be loaded ({error}); on Debian: apt-get install "
            "libegl1 libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3 fonts-dejavu-core"
        ) from error
    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform == "linux" and not (has_screen or os.environ.get("QT_QPA_PLATFORM")):
        raise DisplayError(
            "the window needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set; "
            "--screenshot FILE draws one picture without"
        )
    missing = missing_library() if sys.platform == "linux" and _draws_on_x() else ""
    if missing:
        raise DisplayError(
            f"the window cannot draw on an X display ({missing}); on Debian: apt-get install "
            "libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 "
            "libxcb-shape0 libxkbcommon-x11-0"
        )


def _draws_on_x() -> bool:
    """Return whether Qt will load its plug-in for X, which ends the process where it cannot."""
    asked = os.environ.get("QT_QPA_PLATFORM", "")
    return asked == "xcb" or (not asked and not os.environ.get("WAYLAND_DISPLAY"))


def missing_library() -> str:
    """Return what Qt's plug-in for X displays lacks; empty where it can be loaded.

    Qt itself would end the process without saying which library is not there.
    """
    import ctypes

    from PyQt6.QtCore import QLibraryInfo

    plugins = QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)
    plugin = Path(plugins, "platforms", "libqxcb.so")
    try:
        if plugin.exists():
            ctypes.CDLL(str(plugin))
    except OSError as error:
        return str(error)
    return ""
