"""The published systems, done again: published figures beside obtained ones."""

from labctl.reproduce.figures import Row
from labctl.reproduce.registry import ENTRIES, Entry, Findings, entry
from labctl.reproduce.study import Study

__all__ = ["ENTRIES", "Entry", "Findings", "Row", "Study", "entry"]
