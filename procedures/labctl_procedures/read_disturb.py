"""Read cells ever more often and watch their conductance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labctl_procedures.parameters import CountParameter, QuantityParameter
from labctl_procedures.prepared import PreparedProcedure
from labctl_procedures.procedure import Demand, Rows


class ReadDisturb(PreparedProcedure[int]):
    """Give cells up to a million read pulses, and look at them at each decade."""

    stress_voltage = QuantityParameter(
        "Stress voltage",
        units="V",
        default=0.2,
        minimum=0.01,
        maximum=0.5,
        description="Of the read pulses given between looks",
    )
    stress_width = QuantityParameter(
        "Stress width", units="s", default=50e-9, minimum=10e-9, maximum=1.0, description="Of one"
    )
    total = CountParameter(
        "Reads", default=1_000_000, minimum=1, maximum=10**9, description="Read pulses in all"
    )

    def startup(self) -> None:
        """Write the cells to their levels; count the stress they have had in this run."""
        super().startup()
        self._given = np.zeros(len(self.cells), np.int64)
        if self.stored is not None:  # by the ledger: what was sent is not sent again
            self._given = self.stored.stress(self.cells)

    def demand(self) -> Demand:
        """Return the most that one cell will see."""
        demand = super().demand()
        return Demand(
            read_voltage=max(self.voltage, self.stress_voltage),
            pulses=demand.pulses,
            pulses_per_cell=demand.pulses_per_cell,
        )

    def points(self) -> Iterator[int]:
        """Yield the read counts at which all cells are looked at: 0, 1, 10, ... up to `total`."""
        yield 0
        count = 1
        while count < self.total:
            yield count
            count *= 10
        yield self.total

    def measure(self, point: int) -> Iterator[Rows]:
        """Stress the cells up to `point` reads in all, then read them."""
        more = point - self._given
        for count in np.unique(more[more > 0]).tolist():
            for block in self.cells[more == count].blocks(self.station.parallel_cells):
                self.station.stress(block, self.stress_voltage, self.stress_width, count)
        self._given = np.maximum(self._given, point)
        self.reads_done = point
        yield from self.look()
