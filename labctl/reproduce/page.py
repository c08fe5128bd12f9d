"""One page of a reproduction: published beside obtained, figures, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from labctl.engine.provenance import packages, source_state
from labctl.report.page import Key, Listing, Page, Section, render
from labctl.report.published import SOURCES
from labctl.report.words import quantity
from labctl.reproduce.figures import Row
from labctl.reproduce.registry import ENTRIES, Findings

SI = ("S", "A", "V", "s", "ohm")
"""Units that take a prefix."""
_MOST_KEYS = 6


def page_of(name: str, findings: Findings, facts: Mapping[str, Any], now: datetime) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    name : str
        The entry.
    findings : Findings
        What came out of it.
    facts : mapping
        How it was done: bench, images, trials, seconds.
    now : datetime
        When.
    """
    page = Page(
        title=f"Reproduced: {name}",
        subtitle=f"{ENTRIES[name]} \u00b7 {facts['bench']} \u00b7 {now:%Y-%m-%d}",
        keys=[
            Key(shown(row, row.obtained), row.name, f"published: {shown(row, row.published)}")
            for row in _foremost(findings)
        ],
        sections=[
            Section(
                "Published beside obtained",
                "Intervals: 95 % of the mean over trials, which are chips unless a note says more.",
                [_table(findings), *findings.draw()],
                findings.notes,
            ),
            _provenance(facts),
        ],
        program="labctl reproduce",
    )
    return render(page)


def _foremost(findings: Findings) -> list[Row]:
    """Return the figures for the head of the page: the first that were published."""
    return [row for row in findings.rows if row.published is not None][:_MOST_KEYS]


def shown(row: Row, value: float | None) -> str:
    """Return a figure of `row` for people: shares in per cent."""
    if value is None:
        return ""
    if row.unit == "1":
        return f"{100 * value:.2f} %".replace("-", "\u2212")
    if row.unit in SI:
        return quantity(value, row.unit)
    return f"{value:.4g} {row.unit}"


def interval(row: Row) -> str:
    """Return the interval of a row for people; empty where there is none."""
    if row.low is None or row.high is None:
        return ""
    return f"{shown(row, row.low)} to {shown(row, row.high)}"


def _table(findings: Findings) -> Listing:
    rows = [
        [
            row.name,
            shown(row, row.published),
            row.source,
            shown(row, row.obtained),
            interval(row),
            str(row.trials),
        ]
        for row in findings.rows
    ]
    told = "; ".join(f"{tag}: {words}" for tag, words in SOURCES.items())
    headings = ("", "published", "source", "obtained", "95 % interval", "trials")
    return Listing(headings, rows, f"Sources: {told}.", (1, 3, 4, 5))


def _provenance(facts: Mapping[str, Any]) -> Section:
    made = {**facts, "source": source_state(), **packages()}
    rows = [[name, str(value)] for name, value in made.items()]
    return Section("Provenance", "", [Listing(("", ""), rows)])
