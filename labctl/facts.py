"""Facts about runs and chips, shortened for people."""

from __future__ import annotations

from collections.abc import Mapping

_SHORT = 4


def brief(facts: Mapping[str, object]) -> dict[str, object]:
    """Return facts with long lists told by their length: for a glance."""
    return {
        name: f"{len(value)} entries" if isinstance(value, list) and len(value) > _SHORT else value
        for name, value in facts.items()
    }
