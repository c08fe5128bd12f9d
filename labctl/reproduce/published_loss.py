"""A programming error about twice the published one, for more of the published loss."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.reproduce.study import SETTLE
from labctl_procedures.network import ErrorSource, ProgramSettings

PLAIN = "mcnn-plain"
"""The five-layer network trained without errors, to the published software figure."""


@dataclass(frozen=True)
class AddedError:
    """A programming error added on purpose to every write."""

    sigma: float
    """Standard deviation of where the closed loop aims, in S."""

    def error(self, seed: int) -> ErrorSource:
        """Return the error with draws of its own."""
        return ErrorSource(self.sigma, seed)

    def writing(self, seed: int) -> ProgramSettings:
        """Return how a network is written with it."""
        return ProgramSettings(error=self.error(seed), settle=SETTLE)

    @property
    def words(self) -> str:
        """The condition in words."""
        return (
            f"Weights trained without errors are transferred with an added error of "
            f"{self.sigma * 1e6:.2f} \u00b5S, which makes about twice the published programming "
            "error in all: the preset alone loses much less than the published chip (see "
            "mcnn-budget)."
        )


PUBLISHED_LOSS = AddedError(1.0e-6)
