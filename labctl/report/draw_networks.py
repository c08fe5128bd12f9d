"""Figures of sums and networks: MAC error, confusion, accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgba

from labctl.report.ink import BLUE, INK, MUTED, Margins, drawn

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
_IN_A_ROW = 9
"""Images drawn beside each other."""


def mac_picture(expected: FloatArray, measured: FloatArray) -> Markup:
    """Draw measured sums over expected ones, and the distribution of their difference.

    Parameters
    ----------
    expected, measured : ndarray of shape (n,)
        Sums in ADC codes.
    """

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        scatter, histogram = axes
        ends = [float(expected.min()), float(expected.max())]
        scatter.plot(ends, ends, color=MUTED, linewidth=0.8, zorder=1)
        scatter.scatter(
            expected, measured, s=5, color=BLUE, alpha=0.35, linewidths=0, rasterized=True, zorder=2
        )
        scatter.set_xlabel("expected / ADC codes")
        scatter.set_ylabel("measured / ADC codes")
        histogram.hist(measured - expected, bins=60, histtype="stepfilled", color=BLUE, alpha=0.75)
        histogram.set_xlabel("measured \u2212 expected / ADC codes")
        histogram.set_ylabel("sums")
        histogram.grid(visible=False, axis="x")

    return drawn("Multiply-accumulate: measured over expected", draw, ncols=2)


def confusion_picture(labels: IntArray, predictions: IntArray, classes: int) -> Markup:
    """Draw how often each class was taken for each other.

    Parameters
    ----------
    labels, predictions : ndarray of shape (n,)
        Classes 0 to classes - 1.
    classes : int
        Number of classes.
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predictions), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def draw(axes: Axes) -> None:
        tint = ListedColormap([to_rgba(BLUE, share) for share in np.linspace(0, 0.85, 256) ** 0.7])
        axes.pcolormesh(shares, cmap=tint, vmin=0, vmax=1, edgecolors="none")
        for row, column in np.ndindex(counts.shape):
            if counts[row, column]:
                axes.text(
                    column + 0.5,
                    row + 0.5,
                    str(counts[row, column]),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=INK,
                )
        ticks = np.arange(classes)
        axes.set_xticks(ticks + 0.5, [str(tick) for tick in ticks])
        axes.set_yticks(ticks + 0.5, [str(tick) for tick in ticks])
        axes.invert_yaxis()
        axes.set_aspect("equal")
        axes.grid(visible=False)
        axes.tick_params(length=0)
        axes.set_xlabel("recognised as")
        axes.set_ylabel("was")

    return drawn("Confusion matrix", draw, size=(7.2, 4.4))


def wrong_picture(images: Bytes, labels: IntArray, predictions: IntArray) -> Markup:
    """Draw images with the class they are of and the class they were taken for.

    Parameters
    ----------
    images : ndarray of shape (n, height, width) or (n, height, width, 3), uint8
        The images, at most a few dozen.
    labels, predictions : ndarray of shape (n,)
        Classes.
    """
    rows = -(-len(images) // _IN_A_ROW)
    tint = ListedColormap([to_rgba(BLUE, share) for share in np.linspace(0, 1, 256)])

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        for panel in axes.ravel():
            panel.set_axis_off()
        for panel, image, label, predicted in zip(
            axes.ravel(), images, labels, predictions, strict=False
        ):
            panel.imshow(image, cmap=tint, vmin=0, vmax=255)
            panel.set_title(f"{label} as {predicted}", fontsize=7.5, loc="center", pad=2)

    return drawn(
        "Images taken for another class",
        draw,
        size=(7.2, 0.92 * rows + 0.3),
        margins=Margins(left=0.1, right=0.1, bottom=0.06, top=0.24, gap=0.4),
        nrows=rows,
        ncols=_IN_A_ROW,
        squeeze=False,
    )
