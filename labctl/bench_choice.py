"""Which bench a person chose, and which chip behind it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl_instruments.station import Station


@dataclass(frozen=True)
class BenchChoice:
    """Which bench to open, and with which virtual chip."""

    bench: str
    """Name of a shipped bench, or path of a bench file."""
    seed: int | None = None
    """Seed of the virtual chip; None takes the bench file's."""
    chip: Path | None = None
    """Chip file behind the virtual bench; None takes the bench file's preset."""

    def open(self) -> Station:
        """Open the bench; use the station as a context manager."""
        from labctl_instruments import open_bench

        return open_bench(self.bench, seed=self.seed, chip=self.chip)
