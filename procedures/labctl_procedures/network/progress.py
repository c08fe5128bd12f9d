"""How long work says how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Whoever is told how far long work has come; the command line draws a bar."""

    def start(self, label: str, total: int) -> None:
        """Begin a piece of work of `total` steps."""

    def advance(self, n: int) -> None:
        """Count `n` more steps as done."""

    def finish(self) -> None:
        """End the piece of work."""


class Silent:
    """Tell nobody."""

    def start(self, label: str, total: int) -> None:
        """Say nothing."""

    def advance(self, n: int) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""
