"""Follow the conductance of cells over time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labctl_procedures.errors import ParameterError
from labctl_procedures.parameters import CountParameter, QuantityParameter
from labctl_procedures.prepared import PreparedProcedure
from labctl_procedures.procedure import Rows


class Retention(PreparedProcedure[float]):
    """Write cells to levels and read them at times spaced evenly in the logarithm.

    Times count from the end of the writing; a time that has already passed when its turn comes
    (the first look at many cells, one after another, may take seconds, and a chuck minutes) is left
    out.
    """

    first = QuantityParameter(
        "First look",
        units="s",
        default=1e-3,
        minimum=1e-6,
        maximum=1e6,
        description="After writing",
    )
    duration = QuantityParameter(
        "Duration", units="s", default=3600.0, minimum=1e-3, maximum=3.2e8, description="Last look"
    )
    per_decade = CountParameter(
        "Looks a decade", default=2, minimum=1, maximum=20, description="Of time"
    )

    temperature = QuantityParameter(
        "Temperature",
        units="K",
        default=0.0,
        minimum=0.0,
        maximum=1000.0,
        description="Of the chuck from the writing to the last look; 0: as it is",
    )

    _before: float | None = None
    """Temperature of the chuck before the run, in K; None if it is left alone."""

    def check(self) -> None:
        """Refuse a duration that ends before it begins, and heat that the bench has not."""
        if self.duration < self.first:
            raise ParameterError("Retention: parameter 'duration' is shorter than 'first'")
        super().check()
        if self.temperature:
            bench = self.station.bench
            bench.envelope.check_temperature(self.temperature, where=bench.path.name)
            if self.station.temperature() is None:
                raise ParameterError(
                    f"Retention: parameter 'temperature' is {self.temperature:g} K, but the bench "
                    f"{bench.name} has no chuck"
                )

    def startup(self) -> None:
        """Write the cells to their levels, then bring the chuck to its temperature."""
        super().startup()
        if self.temperature and not self.should_stop():
            self._before = self.station.temperature()
            self.station.set_temperature(self.temperature)

    def points(self) -> Iterator[float]:
        """Yield the times of the looks, in s after the end of the writing."""
        decades = np.log10(self.duration / self.first)
        steps = int(np.floor(decades * self.per_decade + 1e-9))
        for step in range(steps):
            yield self.first * 10 ** (step / self.per_decade)
        yield self.duration

    def measure(self, point: float) -> Iterator[Rows]:
        """Wait until `point` seconds after the writing, then read every cell.

        After the last look the chuck goes back to where it was: what comes next finds it so.
        """
        left = self.started + point - self.station.now()
        if left < 0 and point < self.duration and self._traces:
            return
        self.wait(max(0.0, left))
        if self.should_stop():
            return
        yield from self.look()
        if self._before is not None and point == self.duration and not self.should_stop():
            self.station.set_temperature(self._before)
