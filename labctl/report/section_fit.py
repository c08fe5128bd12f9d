"""The section on a chip file: what was fitted, how well, and what could not be."""

from __future__ import annotations

from pathlib import Path

from labctl.chips import ChipFacts, Parameter, describe
from labctl.facts import brief
from labctl.report.page import Listing, Section


def fit_section(chip: Path) -> Section:
    """Return the parameters of a chip file with their uncertainties and verdicts."""
    facts = describe(chip)
    fitted = [each for each in facts.parameters if each.identifiable]
    others = [each for each in facts.parameters if not each.identifiable]
    return Section(
        "The fitted device model",
        f"{len(fitted)} of {len(facts.parameters)} parameters of the model '{facts.model}' were "
        f"identified by these runs; {len(others)} were not, and keep a default that says so.",
        [_listing("Identified", fitted), *_quality(facts)]
        + ([_listing("Not identifiable from these runs", others)] if others else []),
    )


def _listing(caption: str, parameters: list[Parameter]) -> Listing:
    rows = [
        [name, value, error, unit, source]
        for name, value, error, unit, _, source in (each.texts for each in parameters)
    ]
    return Listing(("parameter", "value", "\u00b1", "unit", "from"), rows, caption, (1, 2))


def _quality(facts: ChipFacts) -> list[Listing]:
    rows = [[str(name), _text(value)] for name, value in brief(facts.quality).items()]
    return [Listing(("fit", "value"), rows, "Quality of the fit", (1,))] if rows else []


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
