"""Figures of a reproduction: what was published, what was obtained, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labctl.report.published import Published

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Row:
    """One figure, published beside obtained."""

    name: str
    """What it is, in words."""
    published: float | None
    """The published figure; None where there is none."""
    obtained: float
    """Mean over the trials."""
    unit: str
    """SI unit of both; 1 for shares (0-1), and what is counted for counts."""
    source: str = ""
    """Where the published figure stands: `Published.source`."""
    low: float | None = None
    """Lower end of the 95 % interval of the mean; None of a single trial."""
    high: float | None = None
    """Upper end."""
    trials: int = 1
    """Chips, or other repetitions, behind it."""


def row(
    name: str, samples: Sequence[float], published: Published | None = None, unit: str = "1"
) -> Row:
    """Return the figure of some trials.

    The interval is Student's: mean +- t * s / sqrt(n), with n - 1 degrees of freedom. Where all
    samples are shares of one (unit 1, none negative), it is cut at 0 and 1.

    Parameters
    ----------
    name : str
        What it is.
    samples : sequence of float
        One a trial.
    published : Published, optional
        What to set beside it.
    unit : str
        Unit of both.
    """
    n = len(samples)
    mean = math.fsum(samples) / n
    value = published.value if published else None
    source = published.source if published else ""
    if n < 2:
        return Row(name, value, mean, unit, source, trials=n)
    from scipy.stats import t

    variance = math.fsum((sample - mean) ** 2 for sample in samples) / (n - 1)
    half = float(t.ppf(0.5 + CONFIDENCE / 2, n - 1)) * math.sqrt(variance / n)
    low, high = mean - half, mean + half
    if unit == "1" and min(samples) >= 0:
        low, high = max(low, 0.0), min(high, 1.0)
    return Row(name, value, mean, unit, source, low, high, n)


def change(
    name: str,
    before: Sequence[float],
    after: Sequence[float],
    published: Published | None = None,
) -> Row:
    """Return the change of a share, paired trial by trial; see `row`."""
    found = row(name, [a - b for a, b in zip(after, before, strict=True)], published, "")
    return replace(found, unit="1")
