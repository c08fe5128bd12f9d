"""What hangs on the cables: bench, station, drivers, virtual instruments, simulated chip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl_instruments.bench.schema import BenchFile
    from labctl_instruments.station import Station

__all__ = ["load_bench", "open_bench", "shipped_benches"]


def open_bench(
    bench: str | Path, *, seed: int | None = None, chip: str | Path | None = None
) -> Station:
    """Open a bench and return its station; see `labctl_instruments.bench.opening`.

    Parameters
    ----------
    bench : str or Path
        Name of a shipped bench, e.g. `sim-board`, or path of a bench file.
    seed : int, optional
        Seed of a simulated chip.
    chip : str or Path, optional
        Chip file to put behind a simulated bench.
    """
    from labctl_instruments.bench import opening

    return opening.open_bench(bench, seed=seed, chip=chip)


def load_bench(bench: str | Path) -> BenchFile:
    """Read and validate a bench file, given its path or the name of a shipped bench.

    Raises
    ------
    BenchError
        If it is missing, or says something unknown or contradictory.
    """
    from labctl_instruments.bench import loading

    return loading.load_bench(bench)


def shipped_benches() -> tuple[str, ...]:
    """Return the names of the benches that come with labctl."""
    from labctl_instruments.bench import loading

    return loading.shipped_benches()
