"""Colours: one light and one dark set, and what the plots take from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QApplication


class Scheme(Enum):
    """Which set of colours."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True)
class Colours:
    """One set of colours, as `#rrggbb`."""

    window: str
    """Behind everything."""
    base: str
    """Behind text fields and plots."""
    raised: str
    """Buttons and headings."""
    text: str
    """Text and axes."""
    faint: str
    """Units, hints and grid."""
    outline: str
    """Borders of fields."""
    accent: str
    """Selection and progress; the first line of a plot."""
    good: str
    """At rest, complete."""
    busy: str
    """Driven, running."""
    bad: str
    """Wrong fields, failures."""
    first: str
    """SET, and first of two."""
    second: str
    """RESET, and second of two."""


LIGHT = Colours(
    window="#eef0f3",
    base="#ffffff",
    raised="#e2e5ea",
    outline="#b4bac4",
    text="#1b1f26",
    faint="#5d6675",
    accent="#1f6fb2",
    good="#1a7f4e",
    busy="#9a5b00",
    bad="#b3261e",
    first="#0072b2",
    second="#d55e00",
)
DARK = Colours(
    window="#1f2329",
    base="#15181d",
    raised="#2c323a",
    outline="#4a535f",
    text="#e4e7ec",
    faint="#9aa4b2",
    accent="#4ba3e3",
    good="#4cc38a",
    busy="#f0b24b",
    bad="#ff8078",
    first="#56b4e9",
    second="#f0883e",
)
STOP_RED = "#c62019"
"""The STOP button, in both sets."""


def colours() -> Colours:
    """Return the set the application wears now."""
    window = QApplication.palette().color(QPalette.ColorRole.Window)
    return DARK if window.lightness() < 128 else LIGHT


def wear(scheme: Scheme) -> None:
    """Dress the application in `scheme`; SYSTEM asks the desktop."""
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        return
    chosen = DARK if scheme is Scheme.DARK or _system_is_dark(scheme) else LIGHT
    application.setStyle("Fusion")
    application.setPalette(_palette(chosen))
    application.setStyleSheet(_style_sheet(chosen))
    pg.setConfigOptions(background=chosen.base, foreground=chosen.text)


def _system_is_dark(scheme: Scheme) -> bool:
    hints = QApplication.styleHints()
    system = hints.colorScheme() if hints is not None else Qt.ColorScheme.Unknown
    return scheme is Scheme.SYSTEM and system == Qt.ColorScheme.Dark


def _palette(chosen: Colours) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for roles, colour in (
        ((role.Window,), chosen.window),
        ((role.Base, role.ToolTipBase), chosen.base),
        ((role.Button, role.AlternateBase), chosen.raised),
        ((role.WindowText, role.Text, role.ButtonText, role.ToolTipText), chosen.text),
        ((role.PlaceholderText,), chosen.faint),
        ((role.Highlight, role.Link), chosen.accent),
        ((role.HighlightedText,), chosen.base),
    ):
        for one in roles:
            palette.setColor(one, QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, one, QColor(chosen.faint))
    return palette


def _style_sheet(chosen: Colours) -> str:
    return f"""
    QLabel[part="faint"] {{ color: {chosen.faint}; }}
    QLabel[part="problem"] {{ color: {chosen.bad}; }}
    QLabel[part="heading"] {{ font-weight: 600; }}
    QLineEdit[wrong="true"] {{ border: 2px solid {chosen.bad}; border-radius: 3px; padding: 2px; }}
    QPushButton#stop {{
        background: {STOP_RED}; color: white; font-weight: 700; font-size: 17px;
        border: 2px solid #7d120d; border-radius: 6px; padding: 4px 26px;
    }}
    QPushButton#stop:hover {{ background: #dd2c24; }}
    QPushButton#stop:pressed {{ background: #8e1510; }}
    QPushButton#stop:focus {{ border: 2px solid {chosen.text}; }}
    QFrame#banner {{ background: {chosen.bad}; border-radius: 4px; }}
    QFrame#banner QLabel {{ color: {chosen.base}; }}
    QDockWidget::title {{ background: {chosen.raised}; padding: 5px 8px; }}
    {_outlines(chosen) if chosen is DARK else ""}
    """


def _outlines(chosen: Colours) -> str:
    """Return what gives fields an outline on a dark ground: Fusion's is darker than the ground."""
    return f"""
    QLineEdit {{ border: 1px solid {chosen.outline}; border-radius: 3px; padding: 2px; }}
    QComboBox QLineEdit, QAbstractSpinBox QLineEdit {{ border: none; padding: 0; }}
    QLineEdit:focus {{ border-color: {chosen.accent}; }}
    QLineEdit[wrong="true"] {{ border: 2px solid {chosen.bad}; }}
    QCheckBox::indicator {{
        width: 12px; height: 12px; border: 1px solid {chosen.faint}; border-radius: 3px;
        background: {chosen.base};
    }}
    QCheckBox::indicator:checked {{ background: {chosen.accent}; border-color: {chosen.accent}; }}
    QCheckBox:focus {{ color: {chosen.accent}; }}
    QProgressBar {{ border: 1px solid {chosen.outline}; border-radius: 3px; text-align: center; }}
    QProgressBar::chunk {{ background: {chosen.accent}; }}
    """
