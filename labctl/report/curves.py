"""Curves of any kind as one vector figure: what a window shows, for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from labctl.configuration import refuse_existing

FORMATS = (".svg", ".pdf", ".eps")
"""File formats that stay sharp at any size."""
_STYLE: Any = {"svg.fonttype": "none", "pdf.fonttype": 42, "axes.spines.top": False}


@dataclass(frozen=True, eq=False)
class DrawnCurve:
    """One curve; NaN parts it into pieces."""

    x: npt.NDArray[np.float64]
    """Abscissae, shape (n,)."""
    y: npt.NDArray[np.float64]
    """Ordinates, shape (n,)."""
    dots: bool = False
    """Whether its points are not joined."""
    tone: float | None = None
    """Place on the colour map, 0 to 1; None is dark grey."""


@dataclass(frozen=True)
class DrawnAxis:
    """What an axis counts."""

    label: str
    """In words, with its unit."""
    logarithmic: bool = False
    """Whether decades are equally long."""


def write_curves(
    path: Path, title: str, axes: tuple[DrawnAxis, DrawnAxis], curves: Sequence[DrawnCurve]
) -> Path:
    """Write curves as a vector figure, and return `path`.

    Parameters
    ----------
    path : Path
        An .svg, .pdf or .eps that must not exist.
    title : str
        Its heading.
    axes : tuple of DrawnAxis
        Abscissa and ordinate.
    curves : sequence of DrawnCurve
        What is drawn, last on top.

    Raises
    ------
    LabctlError
        If the file exists.
    """
    refuse_existing(path)
    tones = mpl.colormaps["viridis"]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.0, 3.4), layout="constrained")
        plot = figure.add_subplot()
        for curve in curves:
            colour = "#444444" if curve.tone is None else tones(0.9 * curve.tone)
            line, marker = ("none", ".") if curve.dots else ("-", "")
            plot.plot(curve.x, curve.y, color=colour, lw=0.9, ls=line, marker=marker, markersize=3)
        plot.set(title=title, xlabel=axes[0].label, ylabel=axes[1].label)
        plot.set_xscale("log" if axes[0].logarithmic else "linear")
        plot.set_yscale("log" if axes[1].logarithmic else "linear")
        figure.savefig(path)
    return path
