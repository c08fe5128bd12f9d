"""Figures of write-verify: the levels, and the pulses it took to reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from labctl.report.draw_cells import cumulative
from labctl.report.ink import BLUE, INK, MUTED, ORANGE, drawn, level_colors
from labctl.report.published import PULSES_TARGETS, PULSES_TO_TARGET

FloatArray = npt.NDArray[np.float64]
BINS_A_PITCH = 8
_MICRO = 1e6


@dataclass(frozen=True, eq=False)
class LevelReading:
    """One reading of the written cells."""

    title: str
    """When it was taken."""
    conductance: FloatArray
    """Conductance of each cell, shape (n,), in S."""


def levels_picture(targets: FloatArray, readings: list[LevelReading]) -> Markup:
    """Draw the distribution of each level, one panel a reading.

    Parameters
    ----------
    targets : ndarray of shape (n,)
        Target of each cell, in S.
    readings : list of LevelReading
        Conductances of the same cells, one panel each.
    """
    levels = np.unique(targets)

    def draw(axes: Any) -> None:  # noqa: ANN401  (one axes or an array of them)
        panels = np.atleast_1d(axes)
        for panel, reading in zip(panels, readings, strict=True):
            _level_panel(panel, levels, targets, reading)
        panels[-1].set_xlabel("conductance / \u00b5S")

    return drawn(
        f"Distribution of {len(levels)} conductance levels: "
        + ", ".join(reading.title for reading in readings),
        draw,
        size=(7.2, 0.7 + 1.5 * len(readings)),
        nrows=len(readings),
        sharex=True,
    )


def _level_panel(
    axes: Axes, levels: FloatArray, targets: FloatArray, reading: LevelReading
) -> None:
    pitch = _pitch(levels)
    edges = np.arange(levels[0] - 2 * pitch, levels[-1] + 2 * pitch, pitch / BINS_A_PITCH)
    for level, color in zip(levels, level_colors(len(levels)), strict=True):
        counts, _ = np.histogram(reading.conductance[targets == level], edges)
        x, y = _outline(counts, edges)
        axes.fill_between(x * _MICRO, y, color=color, alpha=0.5, linewidth=0.8, edgecolor=color)
    axes.set_title(reading.title)
    axes.set_ylabel("cells")
    axes.set_ylim(bottom=0)
    axes.grid(visible=False, axis="x")
    axes.set_xlim(edges[0] * _MICRO, edges[-1] * _MICRO)


def _outline(counts: npt.NDArray[np.int64], edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the steps of a histogram where it is not empty: what is not drawn is not stored."""
    filled = np.flatnonzero(counts)
    if not len(filled):
        return np.empty(0), np.empty(0)
    first, last = filled[0], filled[-1] + 1
    x = np.repeat(edges[first : last + 1], 2)
    return x, np.concatenate([[0.0], np.repeat(counts[first:last], 2), [0.0]])


def _pitch(levels: FloatArray) -> float:
    return float(np.median(np.diff(levels))) if len(levels) > 1 else float(levels[0]) / 10


def spread_picture(targets: FloatArray, readings: list[LevelReading], half_pitch: float) -> Markup:
    """Draw the cumulative distance of all cells from their targets, one line a reading.

    Parameters
    ----------
    targets : ndarray of shape (n,)
        Target of each cell, in S.
    readings : list of LevelReading
        Conductances of the same cells.
    half_pitch : float
        Half the distance of two levels, in S.
    """

    def draw(axes: Axes) -> None:
        for reading, color in zip(readings, (BLUE, ORANGE, MUTED), strict=False):
            errors, shares = cumulative(reading.conductance - targets)
            axes.plot(errors * _MICRO, shares, color=color, label=reading.title)
        for side in (-half_pitch, half_pitch):
            axes.axvline(side * _MICRO, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        reach = 4 * half_pitch * _MICRO
        axes.set_xlim(-reach, reach)
        axes.set_ylim(0, 1)
        axes.set_xlabel("distance from target / \u00b5S   (dashed: half a pitch)")
        axes.set_ylabel("share of cells")
        axes.legend(loc="lower right")

    return drawn("Cumulative distance of the cells from their targets", draw, size=(7.2, 2.8))


def pulses_picture(targets: FloatArray, pulses: FloatArray) -> Markup:
    """Draw the pulses it took to reach each target, beside those the published steps give.

    Parameters
    ----------
    targets : ndarray of shape (n,)
        Target of each cell, in S.
    pulses : ndarray of shape (n,)
        Pulses it received.
    """
    levels = np.unique(targets)
    groups = [np.maximum(pulses[targets == level], 0.7) for level in levels]
    low, middle, high = (
        np.array([np.quantile(group, share) for group in groups]) for share in (0.1, 0.5, 0.9)
    )
    means = np.array([group.mean() for group in groups])

    def draw(axes: Axes) -> None:
        x = levels * _MICRO
        axes.fill_between(
            x, low, high, color=BLUE, alpha=0.2, linewidth=0, label="10-90 % of cells"
        )
        axes.plot(x, middle, color=BLUE, linewidth=1, linestyle=(0, (4, 3)), label="median")
        axes.plot(x, means, color=BLUE, marker="o", markersize=3.5, label="mean")
        axes.plot(
            PULSES_TARGETS * _MICRO,
            PULSES_TO_TARGET,
            color=ORANGE,
            marker="s",
            markersize=4.5,
            linestyle="none",
            label="mean, from the published steps",
        )
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("target / \u00b5S")
        axes.set_ylabel("pulses to target")
        axes.legend(loc="lower left")

    return drawn("Pulses to reach each target", draw)


@dataclass(frozen=True, eq=False)
class StepTable:
    """Mean step of one kind of pulse, in equal bins of the window."""

    label: str
    """Kind of pulse."""
    step: FloatArray
    """Fitted, shape (bins,), in S."""
    uncertainty: FloatArray
    """Standard error, shape (bins,), in S; NaN where none is known."""
    published: FloatArray
    """Published, shape (bins,), in S."""


def steps_picture(window: tuple[float, float], tables: list[StepTable]) -> Markup:
    """Draw fitted steps with their errors, beside published ones.

    Parameters
    ----------
    window : (float, float)
        Ends of the window that the bins divide, in S.
    tables : list of StepTable
        One panel each.
    """

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        for panel, table in zip(axes, tables, strict=True):
            edges = np.linspace(*window, len(table.step) + 1) * _MICRO
            x = (edges[:-1] + edges[1:]) / 2
            error = np.nan_to_num(table.uncertainty) * _MICRO
            panel.errorbar(
                x,
                table.step * _MICRO,
                yerr=error,
                color=BLUE,
                fmt="o",
                markersize=4,
                label="fitted",
            )
            if len(table.published) == len(x):
                panel.plot(
                    x,
                    table.published * _MICRO,
                    color=ORANGE,
                    marker="s",
                    markersize=4,
                    linestyle="none",
                    label="published",
                    zorder=1,
                )
            panel.set_title(table.label)
            panel.set_xlabel("conductance / \u00b5S")
        axes[0].set_ylabel("mean step / \u00b5S")
        axes[0].legend(loc="best")

    return drawn("Mean step of a pulse by conductance", draw, size=(7.2, 2.8), ncols=2)
