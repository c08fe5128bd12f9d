"""Figures of reproductions: what was obtained beside what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes

from labctl.report.ink import BLUE, INK, MUTED, ORANGE, Margins, drawn, level_colors

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_MICRO = 1e6
_CENT = 100.0


class Figure(Protocol):
    """A figure of some trials, published beside obtained."""

    @property
    def name(self) -> str:
        """What it is."""
        ...

    @property
    def published(self) -> float | None:
        """The published figure."""

    @property
    def obtained(self) -> float:
        """Mean over the trials."""
        ...

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""

    @property
    def high(self) -> float | None:
        """Upper end."""


def stages_picture(figures: Sequence[Figure]) -> Markup:
    """Draw accuracies stage by stage, obtained and published."""
    at = np.arange(len(figures))

    def draw(axes: Axes) -> None:
        _published(axes, at, figures)
        axes.errorbar(
            at,
            [_CENT * each.obtained for each in figures],
            yerr=_bars(figures),
            color=BLUE,
            marker="o",
            markersize=5,
            capsize=3,
            label="obtained",
        )
        axes.set_xticks(at, [each.name.removeprefix("accuracy, ") for each in figures])
        axes.set_ylabel("accuracy / %")
        axes.margins(x=0.08, y=0.12)
        axes.legend(loc="lower left")

    return drawn("Accuracy by stage, obtained and published", draw, size=(7.2, 2.9))


def _published(axes: Axes, at: npt.ArrayLike, figures: Sequence[Figure]) -> None:
    known = [
        (x, _CENT * each.published)
        for x, each in zip(np.asarray(at).tolist(), figures, strict=True)
        if each.published is not None
    ]
    if known:
        x, y = zip(*known, strict=True)
        axes.plot(x, y, color=ORANGE, marker="s", markersize=5, linestyle="--", label="published")


def _bars(figures: Sequence[Figure]) -> FloatArray | None:
    if any(each.low is None or each.high is None for each in figures):
        return None
    return _CENT * np.array(
        [
            [each.obtained - (each.low or 0.0) for each in figures],
            [(each.high or 0.0) - each.obtained for each in figures],
        ]
    )


def groups_picture(changes: Mapping[str, Mapping[str, tuple[Figure, Figure]]]) -> Markup:
    """Draw errors of groups before and after training, one panel a set of images.

    Parameters
    ----------
    changes : mapping of mappings
        By images and group: the figure before, the figure after.
    """

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        for panel, (kind, groups) in zip(axes, changes.items(), strict=True):
            for place, (before, after) in enumerate(groups.values()):
                _arrow(panel, place + 0.1, before.obtained, after.obtained, BLUE)
                if before.published is not None and after.published is not None:
                    _arrow(panel, place - 0.1, before.published, after.published, MUTED)
            panel.set_xticks(range(len(groups)), list(groups))
            panel.set_xlim(-0.5, len(groups) - 0.5)
            panel.set_ylim(bottom=0)
            panel.set_xlabel(f"{kind} images")
        axes[0].set_ylabel("error / %")

    return drawn(
        "Errors of the groups before and after training", draw, size=(7.2, 2.9), ncols=len(changes)
    )


def _arrow(axes: Axes, x: float, start: float, end: float, color: str) -> None:
    axes.plot([x, x], [_CENT * start, _CENT * end], color=color, linewidth=1.2)
    axes.plot([x], [_CENT * start], color=color, marker="_", markersize=9)
    axes.plot([x], [_CENT * end], color=color, marker="v", markersize=5)


def times_picture(times: FloatArray, accuracies: FloatArray, since: str) -> Markup:
    """Draw accuracy over time.

    Parameters
    ----------
    times : ndarray of shape (n,)
        In s.
    accuracies : ndarray of shape (trials, n)
        Shares, 0-1.
    since : str
        From when the time is counted.
    """

    def draw(axes: Axes) -> None:
        for each in accuracies:
            axes.plot(times, _CENT * each, color=BLUE, alpha=0.35, linewidth=1)
        axes.plot(times, _CENT * accuracies.mean(axis=0), color=BLUE, marker="o", markersize=4)
        axes.set_xscale("log")
        axes.set_xlabel(f"time since {since} / s")
        axes.set_ylabel("accuracy / %")

    return drawn("Accuracy over time", draw, size=(7.2, 2.6))


def states_picture(panels: Mapping[str, FloatArray], levels: IntArray) -> Markup:
    """Draw the distribution of each state's cells, one panel a moment.

    Parameters
    ----------
    panels : mapping of ndarray of shape (n,)
        Conductances in S, by what the panel is called.
    levels : ndarray of shape (n,), int
        State of each cell.
    """
    states = np.unique(levels)
    colors = level_colors(len(states))
    edges = np.linspace(0, 24, 97)

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        for panel, (name, conductances) in zip(axes.ravel(), panels.items(), strict=True):
            for state, color in zip(states, colors, strict=True):
                values = conductances[levels == state] * _MICRO
                weights = np.full(len(values), 1 / len(values))
                panel.hist(values, edges, weights=weights, color=color, histtype="stepfilled")
            panel.set_title(name)
            panel.grid(visible=False, axis="x")
        for panel in axes[-1]:
            panel.set_xlabel("conductance / \u00b5S")
        for panel in axes[:, 0]:
            panel.set_ylabel("share of a state")

    return drawn(
        "Distribution of the eight states after ever more reads",
        draw,
        size=(7.2, 4.2),
        margins=Margins(gap=0.32),
        nrows=2,
        ncols=2,
        sharex=True,
        sharey=True,
    )


def fractions_picture(
    fractions: Sequence[float], figures: Sequence[Figure], before: Figure
) -> Markup:
    """Draw accuracy over the share of training images used, and the accuracy before training."""

    def draw(axes: Axes) -> None:
        x = [_CENT * fraction for fraction in fractions]
        axes.axhline(_CENT * before.obtained, color=MUTED, linewidth=1, linestyle=":")
        _published(axes, x, figures)
        axes.errorbar(
            x,
            [_CENT * each.obtained for each in figures],
            yerr=_bars(figures),
            color=BLUE,
            marker="o",
            markersize=5,
            capsize=3,
            label="obtained",
        )
        axes.set_xscale("log")
        axes.set_xticks(x, [f"{each:g} %" for each in x], minor=False)
        axes.set_xlabel("share of the training images")
        axes.set_ylabel("accuracy / %")
        axes.legend(loc="lower right")

    return drawn("Accuracy over the share of training images", draw, size=(7.2, 2.8))


def budget_picture(
    names: Sequence[str], stages: Mapping[str, Sequence[float]], goal: float
) -> Markup:
    """Draw the accuracy step by step, before and after training.

    Parameters
    ----------
    names : sequence of str
        What each step adds.
    stages : mapping
        Accuracies (0-1), one a step, by what they are called.
    goal : float
        The published accuracy after transfer.
    """

    def draw(axes: Axes) -> None:
        at = np.arange(len(names))[::-1]
        for (name, values), color in zip(stages.items(), (BLUE, ORANGE), strict=False):
            axes.plot(
                _CENT * np.array(values), at, color=color, marker="o", linestyle="", label=name
            )
        axes.axvline(_CENT * goal, color=INK, linewidth=1, linestyle=":", label="published")
        axes.set_yticks(at, list(names))
        axes.set_xlabel("accuracy / %")
        axes.legend(loc="lower left", ncols=3, bbox_to_anchor=(0, 1))

    height = 1.1 + 0.26 * len(names)
    return drawn("Error budget", draw, size=(7.2, height), margins=Margins(left=2.6, top=0.4))
