"""The figure of a campaign: when each job was at work, and when something was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from labctl.report.ink import BLUE, GREEN, INK, MUTED, ORANGE, RED, Margins, drawn

_COLORS: Mapping[str, str] = {
    "done": GREEN,
    "failed": RED,
    "interrupted": ORANGE,
    "skipped": ORANGE,
    "running": BLUE,
    "waiting": BLUE,
}
_THINNEST = 0.004
"""Least width of a bar, in widths of the figure: a job of seconds in a night of hours."""
_ROW = 0.27
"""Height of one line, in inches."""
_LONGEST_NAME = 18


@dataclass(frozen=True)
class Span:
    """One step of a campaign, in its time."""

    row: str
    """Name of the plan's job."""
    began: float
    """Campaign time at which it began, in s."""
    ended: float
    """Campaign time at which it ended, or now, in s."""
    state: str
    """As in the queue."""
    looks: tuple[float, ...] = ()
    """Campaign times at which it was gone on with, in s; a step that was at work all the time has
    none."""


def night_picture(
    spans: Sequence[Span], troubles: Sequence[tuple[str, float]], *, length: float
) -> Markup:
    """Draw a campaign as one line a job, over its time.

    Parameters
    ----------
    spans : sequence of Span
        The steps that were begun.
    troubles : sequence of (str, float)
        Name of the job and campaign time, in s, of whatever was not as it should be.
    length : float
        Campaign time that is shown, in s.
    """
    rows = list(dict.fromkeys(span.row for span in spans))
    unit, scale = ("h", 3600.0) if length > 7200 else ("min", 60.0) if length > 120 else ("s", 1.0)
    thin = _THINNEST * length / scale

    def draw(axes: Any) -> None:  # noqa: ANN401
        for span in spans:
            y, color = rows.index(span.row), _COLORS.get(span.state, MUTED)
            left, width = span.began / scale, (span.ended - span.began) / scale
            if span.looks:
                axes.barh(y, width, left=left, height=0.1, color=color, alpha=0.5)
                looks = [look / scale for look in span.looks]
                axes.plot(looks, [y] * len(looks), "o", color=color, markersize=3)
            else:
                axes.barh(y, max(width, thin), left=left, height=0.55, color=color)
        for row, at in troubles:
            if row in rows:
                axes.plot(
                    [at / scale], [rows.index(row) - 0.42], "v", color=RED, markersize=5, mec="none"
                )
        axes.set_yticks(range(len(rows)), [_short(row) for row in rows], color=INK)
        axes.set_ylim(len(rows) - 0.4, -0.75)
        axes.set_xlim(0, length / scale * 1.01)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"time since the beginning / {unit}")

    return drawn(
        "When each job was at work",
        draw,
        size=(7.2, 0.75 + _ROW * max(len(rows), 2)),
        margins=Margins(left=1.35, top=0.12),
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "\u2026"
