"""What all trials of a reproduction share: bench, images, how many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labctl.engine import ProgressSink, guarded
from labctl_instruments import load_bench, open_bench
from labctl_instruments.station import Station
from labctl_procedures.network import (
    ImageSet,
    MappingSettings,
    Network,
    NetworkPlan,
    ProgramReport,
    ProgramSettings,
    TrainReport,
    TrainSettings,
    infer,
    load_network,
    map_network,
    program,
    train_in_situ,
)
from labctl_procedures.network.inference import InferenceResult

SETTLE = 600.0
"""Bench time between transfer and inference, in s: in it the preset `yao` relaxes to the published
programming error."""
HEADROOM = MappingSettings().adc_headroom


@dataclass(frozen=True, eq=False)
class Study:
    """A bench, a number of trials, and images."""

    bench: str
    """Name or path of the bench."""
    trials: int
    """Chips: seeds 1, 2, ... of a simulated bench; repetitions on a real one."""
    images: ImageSet
    """Training and test images; the test images are those that are classified."""
    progress: ProgressSink
    """Is told how far each step has come."""

    def stations(self, bench: str | None = None, chip: Path | None = None) -> Iterator[Station]:
        """Yield the bench with each chip in turn; it is at rest after each.

        Parameters
        ----------
        bench : str, optional
            Another bench than the study's.
        chip : Path, optional
            Chip file behind it.
        """
        name = bench or self.bench
        virtual = load_bench(name).virtual is not None
        for trial in range(1, self.trials + 1):
            seed = trial if virtual else None
            with open_bench(name, seed=seed, chip=chip) as station, guarded(station):
                yield station

    def network(self, name: str = "mcnn") -> Network:
        """Return a shipped network with the weights for the study's images."""
        return load_network(name, self.images.name)

    def plan(
        self, station: Station, network: Network, *, copies: int, headroom: float = HEADROOM
    ) -> NetworkPlan:
        """Return the network on the station's chip, with at most `copies` groups of convolvers.

        `headroom` is the ADC range over the largest current of the calibration images.
        """
        settings = MappingSettings(most_copies=copies, adc_headroom=headroom)
        return map_network(network, station.geometry, self.images.train_images, settings)

    def transfer(
        self, station: Station, plan: NetworkPlan, settings: ProgramSettings | None = None
    ) -> ProgramReport:
        """Write the network into the array and let it settle."""
        chosen = settings or ProgramSettings(settle=SETTLE)
        return program(station, plan, chosen, progress=self.progress)

    def train(
        self, station: Station, plan: NetworkPlan, settings: TrainSettings | None = None
    ) -> TrainReport:
        """Train the last layer in place, with a tenth of the training images if nobody says."""
        return train_in_situ(station, plan, self.images, settings, progress=self.progress)

    def ask(self, station: Station, plan: NetworkPlan) -> InferenceResult:
        """Classify the test images on the array."""
        images, labels = self.images.test_images, self.images.test_labels
        return infer(station, plan, images, labels, progress=self.progress)
