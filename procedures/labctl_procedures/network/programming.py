"""Write a network's levels into the array, in a closed loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labctl_data.cells import Cells
from labctl_instruments.station import BoolArray, FloatArray, Station
from labctl_procedures.closed_loop import (
    REASONS,
    Outcome,
    Rows,
    Stage,
    WriteResult,
    WriteSettings,
    write_cells,
)
from labctl_procedures.network.inference import check_chip
from labctl_procedures.network.plan import NetworkPlan
from labctl_procedures.network.progress import Progress, Silent
from labctl_procedures.waiting import wait

REACHABLE = (1.25e-6, 24e-6)
"""Conductances, in S, beyond which an erroneous target is not set: cells have bounds (1 and 26 uS
for the yao preset), and a write towards what cannot be reached would only be a failed one."""


@dataclass(frozen=True)
class ErrorSource:
    """Programming errors added on purpose: the closed loop aims beside the target.

    Every write draws anew from N(0, sigma). The controller does not know: it verifies against
    where it aims. It adds in squares to the errors the chip makes by itself.
    """

    sigma: float = 0.0
    """Standard deviation, in S."""
    seed: int = 0
    """Seed of the draws."""

    def generator(self) -> np.random.Generator:
        """Return the generator of the draws."""
        return np.random.default_rng(self.seed)

    def aims(self, targets: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return where the loop aims for `targets`, shape (n,), in S."""
        if self.sigma == 0:
            return targets
        return np.clip(targets + rng.normal(0, self.sigma, len(targets)), *REACHABLE)

    def cut(self, aims: FloatArray) -> int:
        """Return how many of the `aims` were cut at an end of what cells can reach."""
        return int(np.count_nonzero(np.isin(aims, REACHABLE))) if self.sigma else 0


@dataclass(frozen=True)
class ProgramSettings:
    """How a network is written."""

    write: WriteSettings = field(default=WriteSettings(window=0.25e-6))
    """The closed loop; a level's pitch is 2.57 uS."""
    error: ErrorSource = field(default=ErrorSource())
    """Errors added on purpose."""
    settle: float = 0.0
    """Bench time waited after the last write, in s."""


@dataclass(frozen=True, eq=False)
class ProgramReport:
    """What became of the cells of a network."""

    cells: Cells
    """The n cells."""
    targets: FloatArray
    """Conductances wanted, shape (n,), in S."""
    result: WriteResult
    """Outcome of each write."""
    mapped: FloatArray
    """Averaged read of every cell at the end, after settling, shape (n,), in S."""
    clipped_requests: int
    """Aims with an error added on purpose that were cut at an end of `REACHABLE`."""
    seconds: float
    """Wall time."""

    @property
    def pulses(self) -> int:
        """Pulses given in all."""
        return int(self.result.pulses.sum())

    @property
    def failed(self) -> BoolArray:
        """Where a cell is not at its target, shape (n,)."""
        return ~self.result.converged

    @property
    def known_stuck(self) -> int:
        """Cells of the network that the chip file calls stuck; they got no pulse."""
        return int(np.count_nonzero(self.result.outcome == Outcome.KNOWN_STUCK))

    @property
    def error(self) -> float:
        """Root mean square of map minus target over the cells that converged, in S."""
        differences = (self.mapped - self.targets)[self.result.converged]
        return float(np.sqrt(np.mean(np.square(differences)))) if len(differences) else 0.0

    def failures(self) -> list[str]:
        """Name each cell that is not at its target, with the reason."""
        return [
            f"{'/'.join(str(part) for part in self.cells.addresses[i])}: "
            f"{REASONS[Outcome(self.result.outcome[i])]}, {self.mapped[i] * 1e6:.2f} uS for "
            f"{self.targets[i] * 1e6:.2f} uS"
            for i in np.flatnonzero(self.failed)
        ]


def program(
    station: Station,
    plan: NetworkPlan,
    settings: ProgramSettings | None = None,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ProgramReport:
    """Write every cell of a plan to its level.

    Parameters
    ----------
    station : Station
        The bench.
    plan : NetworkPlan
        The network on its chip.
    settings : ProgramSettings, optional
        The loop, added errors, settling.
    progress : Progress, optional
        Told how many cells have ended.
    should_stop : callable, optional
        Asked before each round of pulses.

    Returns
    -------
    ProgramReport
        No cell is left out in silence: cells that failed, and cells known to be stuck, are in it.

    Raises
    ------
    NetworkError
        If the plan is for another chip.
    """
    check_chip(station, plan)
    chosen = settings or ProgramSettings()
    sink = progress or Silent()
    begun = time.perf_counter()
    sink.start(f"{plan.network.name}: cells", len(plan.cells))
    aims = chosen.error.aims(plan.targets, chosen.error.generator())
    result = write_cells(station, plan.cells, aims, chosen.write, _count(sink), should_stop)
    sink.finish()
    wait(station, chosen.settle, should_stop or (lambda: False))
    return ProgramReport(
        plan.cells,
        plan.targets,
        result,
        mapped=read_all(station, plan.cells),
        clipped_requests=chosen.error.cut(aims),
        seconds=time.perf_counter() - begun,
    )


def read_all(station: Station, cells: Cells, averages: int = 16) -> npt.NDArray[np.float64]:
    """Return averaged reads of any number of cells, shape (n,), in S."""
    blocks = [station.read(b, averages=averages) for b in cells.blocks(station.parallel_cells)]
    return np.concatenate(blocks)


def _count(sink: Progress) -> Callable[[Rows], None]:
    def on_rows(rows: Rows) -> None:
        if rows["Stage"] == Stage.FRESH:
            sink.advance(np.size(rows["PE"]))

    return on_rows
