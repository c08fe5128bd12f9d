"""Hybrid training: the last layer is trained in place, on what the array really answers.

After Yao et al. (2020): weights trained outside are transferred; then only the fully connected
layer learns, in batches, by softmax cross-entropy, and a pair of cells is written, in a closed
loop, only where the change asked of it exceeds a threshold. Whatever the cells before it do wrong
is in the inputs the layer learns from.

Two things go beyond the paper, each a setting or a line that says so: what the layer is to answer
may be what the float network answers (`TrainSettings.teacher`), and what a write leaves undone
stays asked of its pair.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from labctl_instruments.station import BoolArray, FloatArray, Station
from labctl_procedures.closed_loop import RESPONSE, Outcome, WriteResult, WriteSettings, write_cells
from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.images import ImageSet
from labctl_procedures.network.inference import check_chip, station_mac
from labctl_procedures.network.layers import Labels, scores
from labctl_procedures.network.plan import NetworkPlan
from labctl_procedures.network.programming import ErrorSource, read_all
from labctl_procedures.network.progress import Progress, Silent
from labctl_procedures.network.signal_chain import inputs_of_last

STUCK = (Outcome.STUCK_LOW, Outcome.STUCK_HIGH, Outcome.KNOWN_STUCK)
"""Ends of a write after which a cell is dead."""
STRIKES = 3
"""Writes in a row that end off target without having moved a cell; after them it counts as dead."""

Bytes = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainSettings:
    """How the last layer learns."""

    fraction: float = 0.1
    """Share of the training images used, 0-1."""
    epochs: int = 3
    """Passes through them; the rate falls from one to the next, by a quarter of a cosine."""
    batch: int = 100
    """Images between two writes."""
    rate: float = 1.5e-6
    """Change of a pair for an input of full scale and an error of 1, summed over a batch, in S;
    of the first epoch."""
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


@dataclass(frozen=True, eq=False)
class TrainReport:
    """What hybrid training did."""

    images: int
    """Training images used."""
    losses: FloatArray
    """Mean cross-entropy of each batch before its update, in order."""
    writes: int
    """Pairs written, counted each time."""
    pulses: int
    """Pulses given in all."""
    clipped_requests: int
    """Weights asked for beyond what a pair can hold, counted each time; the pair is written to
    its end, and what lies beyond is given up."""
    dead: int
    """Cells of the layer that could not be moved; their partners carry the weight alone."""
    seconds: float
    """Wall time."""


def train_in_situ(
    station: Station,
    plan: NetworkPlan,
    images: ImageSet,
    settings: TrainSettings | None = None,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainReport:
    """Train the last layer on the array.

    Parameters
    ----------
    station : Station
        The bench; its chip holds the network.
    plan : NetworkPlan
        The network on that chip.
    images : ImageSet
        Its training images are used, a `fraction` of them; never the test images.
    settings : TrainSettings, optional
        Share of images, epochs, rate, threshold.
    progress : Progress, optional
        Told how many images have been learned from.
    should_stop : callable, optional
        Asked before each batch, and within its writes.

    Returns
    -------
    TrainReport

    Raises
    ------
    NetworkError
        If the plan is for another chip, or the settings are not what they can be.
    """
    chosen = settings or TrainSettings()
    _check(station, plan, chosen)
    sink = progress or Silent()
    begun = time.perf_counter()
    pixels, labels = images.shuffled_training(chosen.fraction, seed=chosen.seed)
    sink.start(f"{plan.network.name}: training images", len(labels) * chosen.epochs)
    inputs = inputs_of_last(plan, pixels, station_mac(station, plan))
    wanted = _wanted(plan, pixels, labels, chosen.teacher)
    learner = _Learner(station, plan, chosen, should_stop or (lambda: False))
    for batch, rate in _batches(len(labels), chosen):
        if learner.should_stop():
            break
        learner.learn(inputs[batch], wanted[batch], rate=rate)
        sink.advance(len(batch))
    sink.finish()
    return learner.report(len(labels), time.perf_counter() - begun)


def _check(station: Station, plan: NetworkPlan, settings: TrainSettings) -> None:
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


def _wanted(plan: NetworkPlan, pixels: Bytes, labels: Labels, teacher: float) -> FloatArray:
    """Return the chances of each class that the layer is to answer, (n, classes)."""
    truth = np.eye(plan.network.classes)[labels]
    if teacher == 0:
        return truth
    taught = softmax(scores(plan.network, pixels).astype(np.float64), axis=1)
    return np.asarray(teacher * taught + (1 - teacher) * truth, np.float64)


def _batches(n: int, settings: TrainSettings) -> Iterator[tuple[IntArray, float]]:
    """Yield image numbers and rate of each batch."""
    rng = np.random.default_rng(settings.seed)
    for epoch in range(settings.epochs):
        rate = settings.rate * np.cos(np.pi / 2 * epoch / settings.epochs)
        order = rng.permutation(n)
        for start in range(0, n, settings.batch):
            yield order[start : start + settings.batch], float(rate)


class _Learner:
    """The last layer while it learns: what its cells hold, and what is asked of them."""

    def __init__(
        self,
        station: Station,
        plan: NetworkPlan,
        settings: TrainSettings,
        should_stop: Callable[[], bool],
    ) -> None:
        self.station, self.settings, self.should_stop = station, settings, should_stop
        self.layer = plan.layers[-1]
        self.pairs = self.layer.pairs(0, plan.geometry)
        levels = np.array([0, plan.cell_levels.highest])
        self.low, self.high = (float(g) for g in plan.cell_levels.conductance(levels))
        self.held = read_all(station, self.pairs.cells).reshape(-1, 2)
        """Conductance of the plus and the minus cell of each pair, (n, 2), in S."""
        self.strikes = np.zeros(self.held.shape, np.int64)
        self.dead: BoolArray = np.zeros(self.held.shape, np.bool_)
        """Cells that could not be moved, (n, 2)."""
        self.asked = np.zeros(len(self.held))
        """Change asked of each pair and not yet done, (n,), in S."""
        self.draws = settings.error.generator()
        self.losses: list[float] = []
        self.writes = 0
        self.pulses = 0
        self.clipped = 0

    def learn(self, inputs: Bytes, wanted: FloatArray, *, rate: float) -> None:
        """Run one batch through the array, and write what it asks for.

        Parameters
        ----------
        inputs : ndarray of shape (n, n_inputs), uint8
            Input codes of the layer.
        wanted : ndarray of shape (n, classes)
            Chances of each class it is to answer.
        rate : float
            Change of a pair for an input of full scale and an error of 1, in S.
        """
        sums = self.station.mac(inputs, self.layer.lines[0], self.layer.mac) + self.layer.bias
        chances = softmax(sums * self.layer.output_scale, axis=1)
        self.losses.append(float(-np.mean(np.sum(wanted * np.log(chances + 1e-12), axis=1))))
        # Descent of the cross-entropy: the sum over the batch of input times (wanted - answered).
        products = (inputs.astype(np.float64) / 255).T @ (wanted - chances)  # (n_inputs, classes)
        self.asked += rate * products[self.pairs.inputs, self.pairs.outputs]
        due = np.flatnonzero(np.abs(self.asked) > self.settings.threshold)
        if len(due):
            self._write(due)

    def _write(self, due: IntArray) -> None:
        """Write the pairs `due` (their numbers) by what is asked of them."""
        span = self.high - self.low
        wanted = self._weights(due) + self.asked[due]
        self.clipped += int(np.count_nonzero(np.abs(wanted) > span))
        weights = np.clip(wanted, -span, span)
        targets = self._targets(due, weights)
        moving = ~self.dead[due] & (np.abs(targets - self.held[due]) > self.settings.write.window)
        cells = due[np.nonzero(moving)[0]], np.nonzero(moving)[1]
        result = write_cells(
            self.station,
            self.pairs.cells[2 * cells[0] + cells[1]],
            self.settings.error.aims(targets[moving], self.draws),
            self.settings.write,
            should_stop=self.should_stop,
        )
        self._note(cells, result)
        # What the write left undone stays asked, unless a dead cell would ask for it for ever.
        undone = weights - self._weights(due)
        self.asked[due] = np.where(self.dead[due].any(axis=1), 0.0, undone)
        self.writes += len(due)
        self.pulses += int(result.pulses.sum())

    def _note(self, cells: tuple[IntArray, IntArray], result: WriteResult) -> None:
        """Note what the cells (pairs and sides) hold after a write, and which are dead."""
        before = self.held[cells]
        now = np.where(np.isfinite(result.fresh), result.fresh, before)
        moved = np.abs(now - before) > 2 * self.settings.write.window + RESPONSE * before
        in_vain = (result.outcome == Outcome.PULSE_LIMIT) & ~moved
        self.held[cells] = now
        self.strikes[cells] = np.where(in_vain, self.strikes[cells] + 1, 0)
        self.dead[cells] = (self.strikes[cells] >= STRIKES) | np.isin(result.outcome, STUCK)

    def _weights(self, due: IntArray) -> FloatArray:
        """Return the weights that the pairs `due` hold, (n,), in S."""
        return np.asarray(self.held[due, 0] - self.held[due, 1], np.float64)

    def _targets(self, due: IntArray, weights: FloatArray) -> FloatArray:
        """Return the conductances that give the pairs `due` their `weights`, (n, 2), in S.

        The cell of the weight's sign holds its size above the lowest level, the other cell the
        lowest level; where one of them is dead, the other makes up for it as far as it reaches.
        """
        held, dead = self.held[due], self.dead[due]
        plus = np.where(dead[:, 1], held[:, 1] + weights, self.low + np.maximum(weights, 0))
        minus = np.where(dead[:, 0], held[:, 0] - weights, self.low + np.maximum(-weights, 0))
        return np.asarray(np.clip(np.stack([plus, minus], axis=1), self.low, self.high))

    def report(self, images: int, seconds: float) -> TrainReport:
        """Return what was done."""
        return TrainReport(
            images,
            np.array(self.losses),
            self.writes,
            self.pulses,
            self.clipped,
            int(np.count_nonzero(self.dead)),
            seconds,
        )
