"""How the engine tells how far a run has come."""

from __future__ import annotations

from typing import Protocol


class ProgressSink(Protocol):
    """Whatever shows progress: a bar, a window, nothing."""

    def start(self, label: str, total: int | None) -> None:
        """Begin a step called `label` of `total` parts; None where that is not known."""

    def advance(self, n: int = 1) -> None:
        """Count `n` more parts as done."""

    def finish(self) -> None:
        """End the step."""


class NoProgress:
    """Show nothing."""

    def start(self, label: str, total: int | None) -> None:
        """Begin unseen."""

    def advance(self, n: int = 1) -> None:
        """Go on unseen."""

    def finish(self) -> None:
        """End unseen."""


class Percent:
    """Feed a sink of 100 parts from percentages that only ever grow."""

    def __init__(self, sink: ProgressSink, label: str) -> None:
        self._sink = sink
        self._shown = 0
        sink.start(label, 100)

    def reach(self, percent: float) -> None:
        """Show that `percent` of the step is done."""
        parts = min(int(percent), 100) - self._shown
        if parts > 0:
            self._sink.advance(parts)
            self._shown += parts

    def finish(self) -> None:
        """End the step."""
        self._sink.finish()
