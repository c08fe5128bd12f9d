"""Words and small labels that several panels share."""

from __future__ import annotations

import math

from PyQt6.QtWidgets import QLabel


def conductance_text(conductance: float) -> str:
    """Return a conductance, in S, as an operator reads it, with its resistance."""
    if not math.isfinite(conductance):
        return "not read yet"
    text = f"{conductance * 1e6:.3f} µS"
    return f"{text}  ({1e-3 / conductance:.4g} kΩ)" if conductance > 0 else text


def labelled(text: str, part: str) -> QLabel:
    """Return a label that the style sheet knows as `part`."""
    label = QLabel(text)
    label.setProperty("part", part)
    return label


def faint(text: str) -> QLabel:
    """Return a label for what matters less."""
    return labelled(text, "faint")
