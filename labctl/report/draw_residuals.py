"""Figures of a fit's residuals: where the data leave the model, and how they are distributed."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from labctl.report.draw_cells import cumulative
from labctl.report.ink import BLUE, MUTED, ORANGE, Margins, drawn
from labctl_data.fit.residuals import Residuals, binned

BINS = 20
_LIMIT = 4.0
"""Standard deviations shown, either way."""


def residuals_picture(residuals: Residuals) -> Markup:
    """Draw residuals by what they are shown against, and their distribution beside the model's.

    Parameters
    ----------
    residuals : Residuals
        Of one kind of data.
    """

    def draw(axes: Any) -> None:  # noqa: ANN401  (an array of axes)
        by, distribution = axes
        _by(by, residuals)
        _distribution(distribution, residuals)

    return drawn(
        f"Residuals of {residuals.name}",
        draw,
        size=(7.2, 2.5),
        margins=Margins(gap=0.25),
        ncols=2,
    )


def _by(axes: Axes, residuals: Residuals) -> None:
    centre, quantiles, _ = binned(residuals, BINS)
    x = centre * (1e6 if residuals.unit == "S" else 1.0)
    low, middle, high = quantiles.T
    axes.fill_between(x, low, high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(x, middle, color=BLUE, marker="o", markersize=2.5)
    for level in np.quantile(residuals.expected, (0.16, 0.5, 0.84)):
        axes.axhline(float(level), color=MUTED, linestyle="--", linewidth=0.9)
    unit = {"S": " / \u00b5S", "V": " / V"}.get(residuals.unit, "")
    axes.set_xlabel(f"{residuals.axis}{unit}")
    axes.set_ylabel("residual / s.d.")
    reach = 1.15 * max(1.5, float(np.abs(quantiles).max()))
    axes.set_ylim(-reach, reach)


def _distribution(axes: Axes, residuals: Residuals) -> None:
    for values, color, label in (
        (residuals.expected, ORANGE, "model"),
        (residuals.z, BLUE, "data"),
    ):
        x, y = cumulative(np.clip(values, -_LIMIT, _LIMIT))
        axes.plot(x, y, color=color, label=label)
    axes.set_xlabel("residual / s.d.")
    axes.set_ylabel("share below")
    axes.legend(loc="upper left")
