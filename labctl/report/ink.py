"""Drawing: figures as SVG that takes its ink and its typeface from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"
"""Colours that become the page's own, so that light, dark and paper each get theirs."""
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"}

BLUE, ORANGE, GREEN, RED, VIOLET = "#3d7fc4", "#d07a2d", "#3f9d6b", "#c8505a", "#8a6fc0"
"""Colours of data: of one middle lightness, so that they stand on light and on dark."""

_STYLE: Any = {  # Any, because the key type of rcParams lists 400 literals
    "svg.fonttype": "none",
    "svg.hashsalt": "labctl",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.4,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
}


def _oklch(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """Convert OKLCH to sRGB (Ottosson, "A perceptual color space for image processing", 2020)."""
    a, b = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
    long, medium, short = (
        (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3,
        (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3,
        (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3,
    )
    linear = np.clip(
        (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ),
        0,
        1,
    )
    red, green, blue = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return float(red), float(green), float(blue)


LEVELS = ListedColormap(
    [_oklch(0.64, 0.125, 265 - 230 * i / 255) for i in range(256)], name="levels"
)
"""Low to high conductance: blue to red at one lightness."""


def level_colors(n: int) -> list[tuple[float, float, float, float]]:
    """Return `n` colours from low to high conductance."""
    return [LEVELS(i / max(n - 1, 1)) for i in range(n)]


@dataclass(frozen=True)
class Margins:
    """Room around the axes, in inches: fixed, so that all figures of a page stand in line."""

    left: float = 0.62
    right: float = 0.12
    bottom: float = 0.48
    top: float = 0.26
    gap: float = 0.3
    """Between two panels, in heights (rows) or widths (columns) of one."""


@contextmanager
def sheet(
    width: float,
    height: float,
    margins: Margins,
    **grid: Any,  # noqa: ANN401  (subplots' options)
) -> Iterator[tuple[Figure, Any]]:
    """Open a figure of `width` x `height` inches in the house style, with its axes."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.subplots(**grid)
        figure.subplots_adjust(
            left=margins.left / width,
            right=1 - margins.right / width,
            bottom=margins.bottom / height,
            top=1 - margins.top / height,
            wspace=margins.gap,
            hspace=margins.gap,
        )
        yield figure, axes


def svg(figure: Figure, description: str) -> Markup:
    """Return `figure` as inline SVG in the page's own ink.

    Parameters
    ----------
    figure : Figure
        Drawn within `sheet`.
    description : str
        What a person sees, for who cannot see it.
    """
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=180)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[a-zA-Z0-9_]+_\d+">', "<g>", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", text)
    for color, name in _VARIABLES.items():
        text = text.replace(color, f"var({name})")
    text = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 role="img" xmlns="@">', text, count=1
    )
    text = text.replace('xmlns="@"', f'aria-label="{Markup.escape(description)}"')
    return Markup(text)


def drawn(
    description: str,
    draw: Callable[[Any], None],
    *,
    size: tuple[float, float] = (7.2, 3.1),
    margins: Margins = Margins(),
    **grid: Any,  # noqa: ANN401  (subplots' options)
) -> Markup:
    """Return the SVG of what `draw` puts on the axes of a new sheet.

    Parameters
    ----------
    description : str
        What a person sees, for who cannot see it.
    draw : callable
        Takes the axes, one or an array of them.
    size : (float, float)
        Width and height, in inches.
    margins : Margins
        Room around the axes.
    **grid
        Options of Matplotlib's `subplots`.
    """
    with sheet(*size, margins, **grid) as (figure, axes):
        draw(axes)
        return svg(figure, description)


def painted(
    draw: Callable[[Any], None],
    *,
    size: tuple[float, float] = (7.2, 3.1),
    margins: Margins = Margins(),
    **grid: Any,  # noqa: ANN401  (subplots' options)
) -> bytes:
    """Return as a PNG on white paper what `draw` puts on the axes of a new sheet: see `drawn`."""
    buffer = io.BytesIO()
    with sheet(*size, margins, **grid) as (figure, axes):
        draw(axes)
        figure.savefig(buffer, format="png", dpi=180, facecolor="white", transparent=False)
    return buffer.getvalue()
