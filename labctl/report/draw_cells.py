"""Figures of single cells: current-voltage curves, read disturb, retention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from labctl.report.ink import BLUE, MUTED, ORANGE, Margins, drawn, level_colors

FloatArray = npt.NDArray[np.float64]
_MICRO = 1e6
_POINTS = 400
"""Points of a cumulative line: one for each two pixels."""
_FAINT = 40
"""Most single cells drawn behind a median: more only blacken it."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A group of cells followed over reads or time."""

    label: str
    """What the group has in common."""
    x: FloatArray
    """Reads or seconds, shape (n,)."""
    mean: FloatArray
    """Mean conductance, shape (n,), in S."""
    spread: FloatArray
    """Standard deviation of the cells' change since the first reading, shape (n,), in S."""


def iv_picture(voltages: list[FloatArray], currents: list[FloatArray]) -> Markup:
    """Draw swept cells: current in linear and in logarithmic scale.

    Parameters
    ----------
    voltages, currents : list of ndarray
        One pair a cell, each in the order of the sweep, in V and A.
    """
    opacity = max(0.25, min(1.0, 3 / len(voltages)))

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        linear, logarithmic = axes
        for voltage, current in list(zip(voltages, currents, strict=True))[:_FAINT]:
            linear.plot(voltage, current * _MICRO, color=BLUE, alpha=opacity, linewidth=1)
            magnitude = np.where(current == 0, np.nan, np.abs(current))
            logarithmic.plot(voltage, magnitude * _MICRO, color=BLUE, alpha=opacity, linewidth=1)
        linear.set_ylabel("current / \u00b5A")
        logarithmic.set_yscale("log")
        logarithmic.set_ylabel("|current| / \u00b5A")
        logarithmic.yaxis.set_major_formatter("{x:g}")
        logarithmic.yaxis.set_minor_formatter(NullFormatter())
        for panel in axes:
            panel.set_xlabel("voltage / V")

    return drawn("Current-voltage curves", draw, size=(7.2, 2.8), ncols=2)


def traces_picture(
    traces: list[Trace], x_label: str, description: str, *, linear_to: float | None = None
) -> Markup:
    """Draw the mean conductance of each group, and below it how far its cells have spread.

    Parameters
    ----------
    traces : list of Trace
        The groups, low to high conductance.
    x_label : str
        Quantity and unit of their x.
    description : str
        What a person sees, for who cannot see it.
    linear_to : float, optional
        Where x holds 0: the value up to which its axis is linear; logarithmic beyond.
    """
    colors = level_colors(len(traces))

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        means, spreads = axes
        for trace, color in zip(traces, colors, strict=True):
            means.plot(trace.x, trace.mean * _MICRO, color=color, marker="o", markersize=2.5)
            spreads.plot(trace.x, trace.spread * _MICRO, color=color, linewidth=1)
        _log_x(axes, x_label, linear_to)
        means.set_ylabel("mean / \u00b5S")
        spreads.set_ylabel("spread of\nchange / \u00b5S")
        spreads.set_ylim(bottom=0)
        _end_labels(means, traces, colors)

    return drawn(
        description,
        draw,
        size=(7.2, 4.2),
        margins=Margins(right=0.7, gap=0.1),
        nrows=2,
        sharex=True,
        gridspec_kw={"height_ratios": [2.1, 1]},
    )


def _log_x(axes: Any, label: str, linear_to: float | None) -> None:  # noqa: ANN401
    for panel in axes:
        panel.margins(x=0.01)
        if linear_to is None:
            panel.set_xscale("log")
        else:
            panel.set_xscale("symlog", linthresh=linear_to, linscale=0.5)
    axes[-1].set_xlabel(label)


def _end_labels(axes: Axes, traces: list[Trace], colors: list[Any]) -> None:
    every = max(1, len(traces) // 8)
    for trace, color in list(zip(traces, colors, strict=True))[::every]:
        axes.annotate(
            trace.label,
            (float(trace.x[-1]), float(trace.mean[-1]) * _MICRO),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=color,
            annotation_clip=False,
        )


def cumulative_picture(
    samples: dict[str, FloatArray], x_label: str, *, logarithmic: bool = False
) -> Markup:
    """Draw the cumulative distributions of samples over each other.

    Parameters
    ----------
    samples : dict of ndarray of shape (n,)
        The samples by their names.
    x_label : str
        Quantity and unit.
    logarithmic : bool
        Whether the quantity spans decades.
    """

    def draw(axes: Axes) -> None:
        for (name, sample), color in zip(samples.items(), (BLUE, ORANGE, MUTED), strict=False):
            values, shares = cumulative(sample)
            axes.step(values, shares, where="post", color=color, label=f"{name} ({len(sample):,})")
        if logarithmic:
            axes.set_xscale("symlog", linthresh=1)
            axes.xaxis.set_major_formatter("{x:g}")
        axes.set_ylim(0, 1.01)
        axes.set_xlabel(x_label)
        axes.set_ylabel("share")
        axes.legend(loc="lower right")

    return drawn(f"Cumulative distributions of {x_label}", draw, size=(7.2, 2.6))


def cumulative(sample: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return values and shares of a cumulative distribution, thinned to what a line can show."""
    values = np.sort(sample)
    shares = np.arange(1, len(values) + 1) / len(values)
    kept = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).astype(int))
    return values[kept], shares[kept]
