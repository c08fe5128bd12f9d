"""Hybrid training: chosen layers are trained in place, on what the array really answers.

After Yao et al. (2020): weights trained outside are transferred; then the fully connected layer
learns, in batches, by softmax cross-entropy, and a pair of cells is written, in a closed loop,
only where the change asked of it exceeds a threshold. Whatever the cells before it do wrong is in
the inputs the layer learns from.

Three things go beyond the paper, each a setting or a line that says so: other layers may learn too
(`TrainSettings.layers`; forward on the array, backward in floating point), what the network is to
answer may be what the float network answers (`TrainSettings.teacher`), and what a write leaves
undone stays asked of its pair.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from labctl_instruments.station import FloatArray, Station
from labctl_procedures.closed_loop import WriteSettings
from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.graph import scores
from labctl_procedures.network.images import ImageSet
from labctl_procedures.network.inference import check_chip
from labctl_procedures.network.layers import Labels
from labctl_procedures.network.learned_pairs import PairRules, Tally
from labctl_procedures.network.lesson import Lesson
from labctl_procedures.network.plan import NetworkPlan
from labctl_procedures.network.programming import ErrorSource
from labctl_procedures.network.progress import Progress, Silent
from labctl_procedures.network.training_checkpoint import Checkpoint

Bytes = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainSettings:
    """How layers learn."""

    layers: tuple[str, ...] = ()
    """Names of the layers that learn, in any case of letters; none for the last alone, as in the
    paper."""
    fraction: float = 0.1
    """Share of the training images used, 0-1."""
    epochs: int = 3
    """Passes through them; the rate falls from one to the next, by a quarter of a cosine."""
    least_batches: int = 60
    """Where the passes hold fewer batches than this, there are more passes."""
    batch: int = 100
    """Images between two writes."""
    rate: float = 0.5e-6
    """Change of a pair of the last layer for an input of full scale and an error of 1, summed over
    a batch, in S; of the first epoch."""
    inner_rate: float = 0.3
    """Rate of the layers before the last, over the last one's, both of float weights. Errors that
    come back through saturated lines are large: at 1 a chip with many of them did not settle."""
    threshold: float = 1.5e-6
    """A pair is written where the change asked of it exceeds this, in S; smaller changes wait and
    add up."""
    teacher: float = 0.0
    """Share (0-1) of the float network's answer in what the layer is to answer; 0 is the paper's
    rule, labels alone."""
    write: WriteSettings = field(default=WriteSettings(window=0.25e-6, limit=40, stuck_after=0))
    """The closed loop; what it leaves undone at its limit stays asked of the pair."""
    error: ErrorSource = field(default=ErrorSource(seed=1))
    """Errors added on purpose to every write."""
    seed: int = 0
    """Seed of the choice and order of images."""

    def passes(self, images: int) -> int:
        """Return how often `images` images are passed through."""
        return max(self.epochs, -(-self.least_batches // -(-images // self.batch)))


@dataclass(frozen=True, eq=False)
class TrainReport:
    """What hybrid training did."""

    layers: tuple[str, ...]
    """Names of the layers that learned."""
    images: int
    """Training images used."""
    losses: FloatArray
    """Mean cross-entropy of each batch before its update, in order."""
    pulses: int
    """Pulses given in all: by the bench's counters where it has them, else by the closed loop."""
    dead: int
    """Cells that could not be moved; their partners carry the weight alone."""
    counts: Tally
    """Pairs written, and requests that were cut, by their reason."""
    seconds: float
    """Wall time; of a training that was resumed, of its last part."""

    @property
    def writes(self) -> int:
        """Pairs written, counted each time."""
        return self.counts.writes

    @property
    def clipped_requests(self) -> int:
        """Requests that were cut, of all kinds, counted each time; see `counts`."""
        return self.counts.clipped


def train_in_situ(  # noqa: PLR0913  (all but three arguments are options by keyword)
    station: Station,
    plan: NetworkPlan,
    images: ImageSet,
    settings: TrainSettings | None = None,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    checkpoint: Path | None = None,
) -> TrainReport:
    """Train layers on the array.

    Parameters
    ----------
    station : Station
        The bench; its chip holds the network.
    plan : NetworkPlan
        The network on that chip.
    images : ImageSet
        Its training images are used, a `fraction` of them; never the test images.
    settings : TrainSettings, optional
        Which layers, share of images, epochs, rate, threshold.
    progress : Progress, optional
        Told how many images have been learned from.
    should_stop : callable, optional
        Asked before each batch, and within its writes.
    checkpoint : Path, optional
        File in which to remember each batch. Where it is there, training goes on from it: the chip
        is read, the weights that were being written are written to their end, and the batches
        learned from are not repeated. It stays when training has ended.

    Returns
    -------
    TrainReport

    Raises
    ------
    NetworkError
        If the plan is for another chip, the settings are not what they can be, or the checkpoint
        is of another training.
    """
    chosen = settings or TrainSettings()
    numbers = _check(station, plan, chosen)
    sink = progress or Silent()
    begun = time.perf_counter()
    pixels, labels = images.shuffled_training(chosen.fraction, seed=chosen.seed)
    rules = PairRules.of(plan.cell_levels, chosen.threshold, chosen.write, chosen.error)
    lesson = Lesson(station, plan, numbers, rules, should_stop or (lambda: False))
    marks = {"network": plan.network.name, "images": images.name, "settings": repr(chosen)}
    lesson.open(Checkpoint(checkpoint, marks) if checkpoint else None)
    inputs = lesson.inputs(pixels)
    wanted = _wanted(plan, pixels, labels, chosen.teacher)
    sink.start(f"{plan.network.name}: training images", len(labels) * chosen.passes(len(labels)))
    for number, (batch, rate) in enumerate(_batches(len(labels), chosen)):
        if lesson.should_stop():
            break
        if number >= lesson.progressed.batches:
            lesson.learn(inputs, wanted, batch, rates=(rate * chosen.inner_rate, rate))
        sink.advance(len(batch))
    sink.finish()
    return _report(lesson, len(labels), time.perf_counter() - begun)


def _report(lesson: Lesson, images: int, seconds: float) -> TrainReport:
    return TrainReport(
        tuple(lesson.plan.layers[number].layer.name for number in lesson.numbers),
        images,
        np.array(lesson.progressed.losses),
        lesson.pulses,
        int(np.count_nonzero(lesson.learned.dead)),
        lesson.learned.tally,
        seconds,
    )


def _check(station: Station, plan: NetworkPlan, settings: TrainSettings) -> list[int]:
    """Return the numbers of the layers that are to learn."""
    check_chip(station, plan)
    if not 0 < settings.fraction <= 1:
        raise NetworkError(
            f"training: asked for a share of {settings.fraction} of the images, not within 0-1"
        )
    if not 0 <= settings.teacher <= 1:
        raise NetworkError(f"training: asked for a teacher's share of {settings.teacher}")
    if settings.epochs < 1 or settings.batch < 1:
        raise NetworkError(
            f"training: asked for {settings.epochs} epochs in batches of {settings.batch}"
        )
    if plan.layers[-1].layer.positions != 1:
        raise NetworkError(f"training: layer '{plan.layers[-1].layer.name}' is not fully connected")
    return chosen_layers(plan, settings.layers)


def chosen_layers(plan: NetworkPlan, names: Sequence[str]) -> list[int]:
    """Return the numbers of layers by their names, first to last; of no name, the last layer's.

    Raises
    ------
    NetworkError
        If the network has no layer of a name.
    """
    known = [layer.layer.name for layer in plan.layers]
    folded = [name.casefold() for name in known]
    for name in names:
        if name.casefold() not in folded:
            raise NetworkError(
                f"training: network '{plan.network.name}' has no layer '{name}'; "
                f"it has {', '.join(known)}"
            )
    return sorted({folded.index(name.casefold()) for name in names}) or [len(known) - 1]


def _wanted(plan: NetworkPlan, pixels: Bytes, labels: Labels, teacher: float) -> FloatArray:
    """Return the chances of each class that the network is to answer, (n, classes)."""
    truth = np.eye(plan.network.classes)[labels]
    if teacher == 0:
        return truth
    taught = softmax(scores(plan.network, pixels).astype(np.float64), axis=1)
    return np.asarray(teacher * taught + (1 - teacher) * truth, np.float64)


def _batches(n: int, settings: TrainSettings) -> Iterator[tuple[IntArray, float]]:
    """Yield image numbers and rate of each batch."""
    rng = np.random.default_rng(settings.seed)
    passes = settings.passes(n)
    for epoch in range(passes):
        rate = settings.rate * np.cos(np.pi / 2 * epoch / passes)
        order = rng.permutation(n)
        for start in range(0, n, settings.batch):
            yield order[start : start + settings.batch], float(rate)
