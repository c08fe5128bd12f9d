"""The section on a run whose procedure the report does not know."""

from __future__ import annotations

from labctl.facts import brief, readable_facts
from labctl.report.page import Listing, Section
from labctl.report.words import count
from labctl_data.run_file import Run


def other_section(run: Run, place: str) -> Section:
    """Return the columns and the summary of any run."""
    name = run.procedure or run.path.name
    rows = [[column.long_name, column.unit, column.name] for column in run.columns]
    facts = [[key, text] for key, text in readable_facts(brief(run.summary)).items()]
    return Section(
        f"{name} on {place}" if place else name,
        f"{count(run.rows)} rows, status {run.status}.",
        [
            Listing(("column", "unit", "dataset"), rows, "Columns"),
            *([Listing(("summary", ""), facts)] if facts else []),
        ],
    )
