"""One lesson: chosen layers of a network on the array learn from batches of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from labctl_data.cells import Cells
from labctl_instruments.station import FloatArray, Station
from labctl_procedures.network.backpropagation import Passage, backward, forward
from labctl_procedures.network.inference import station_mac
from labctl_procedures.network.learned_pairs import LearnedPairs, PairRules
from labctl_procedures.network.plan import LayerPlan, NetworkPlan, Pairs
from labctl_procedures.network.programming import read_all
from labctl_procedures.network.signal_chain import inputs_of_last, maps_into
from labctl_procedures.network.training_checkpoint import Checkpoint, Progressed

Bytes = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]
Place = tuple[int, int]
"""Number of a layer, and of one of its copies."""


@dataclass(frozen=True, eq=False)
class _Part:
    """One copy of a layer that learns."""

    pairs: Pairs
    """Its weights."""
    at: slice
    """Their place among all that learn."""


class Lesson:
    """A network on the array while some of its layers learn.

    Parameters
    ----------
    station : Station
        The bench; its chip holds the network.
    plan : NetworkPlan
        The network on that chip.
    numbers : list of int
        The layers that learn, first to last.
    rules : PairRules
        When and how pairs are written.
    should_stop : callable
        Asked within writes.
    """

    def __init__(
        self,
        station: Station,
        plan: NetworkPlan,
        numbers: list[int],
        rules: PairRules,
        should_stop: Callable[[], bool],
    ) -> None:
        self.station, self.plan, self.numbers = station, plan, numbers
        self.should_stop = should_stop
        self.mac = station_mac(station, plan)
        self.parts = dict(_parts(plan, numbers))
        addresses = [part.pairs.cells.addresses for part in self.parts.values()]
        self.learned = LearnedPairs(station, Cells.of(np.concatenate(addresses)), rules)
        later = [n for n in range(numbers[0] + 1, len(plan.layers)) if n not in numbers]
        self.frozen = {
            place: self._matrix(place[0], part.pairs, _held(station, part.pairs.cells))
            for place, part in _parts(plan, later)
        }
        """Float weights of the layers through which errors come back and which do not learn."""
        self.progressed = Progressed(counted=self._counted())
        self.checkpoint: Checkpoint | None = None

    def open(self, checkpoint: Checkpoint | None) -> None:
        """Go on from a checkpoint, where there is one, and write what was being written."""
        self.checkpoint = checkpoint
        earlier = checkpoint.take_up(self.learned) if checkpoint else None
        if earlier is not None:
            self.progressed = earlier
            self.learned.write(self.should_stop)

    @property
    def pulses(self) -> int:
        """Pulses that the learning cells were given, in all parts of the lesson."""
        counted = self._counted()
        if counted is None or self.progressed.counted is None:
            return self.learned.tally.pulses
        return counted - self.progressed.counted

    def _counted(self) -> int | None:
        counts = self.station.pulse_counts(self.learned.cells)
        return None if counts is None else int(counts.sum(dtype=np.int64))

    def inputs(self, pixels: Bytes) -> Bytes:
        """Run images through the layers before the first that learns; they meet the array once.

        Returns
        -------
        ndarray of shape (n, ...), uint8
            Input vectors where the last layer alone learns, else padded maps of the first that
            learns.
        """
        if self._last_alone:
            return inputs_of_last(self.plan, pixels, self.mac)
        return maps_into(self.plan, self.numbers[0], pixels, self.mac)

    @property
    def _last_alone(self) -> bool:
        return self.numbers[0] == len(self.plan.layers) - 1

    def learn(
        self, inputs: Bytes, wanted: FloatArray, batch: IntArray, *, rates: tuple[float, float]
    ) -> None:
        """Run one batch through the array, and write what it asks for.

        Parameters
        ----------
        inputs : ndarray of shape (n, ...), uint8
            What `inputs` returned for all images of the lesson.
        wanted : ndarray of shape (n, classes)
            Chances of each class that are to be answered.
        batch : ndarray of shape (m,), int
            The images of the batch.
        rates : (float, float)
            Change of a pair of the last layer for an input of full scale and an error of 1, in S:
            at the rate of float weights that the layers before it have, and at its own.
        """
        loss = 0.0
        for copy, images, passages in self._passages(inputs, batch):
            last = self.plan.layers[-1]
            sums = passages[-1].sums + last.bias
            chances = softmax(sums * last.output_scale, axis=1)
            loss -= float(np.sum(wanted[images] * np.log(chances + 1e-12)))
            # Descent of the cross-entropy by the scores: wanted - answered.
            self._ask(passages, wanted[images] - chances, copy, rates)
        self.progressed.losses.append(loss / len(batch))
        self.progressed.batches += 1
        due = self.learned.claim()
        if self.checkpoint:
            self.checkpoint.save(self.learned, self.progressed)
        if due:
            self.learned.write(self.should_stop)

    def _passages(
        self, inputs: Bytes, batch: IntArray
    ) -> Iterator[tuple[int, IntArray, list[Passage]]]:
        """Yield each copy that serves images of the batch, these, and how they went forward."""
        if self._last_alone:
            number, vectors = self.numbers[0], inputs[batch]
            yield 0, batch, [Passage(number, vectors, self.mac(number, 0, vectors))]
            return
        for copy in range(self.plan.copies):
            images = batch[batch % self.plan.copies == copy]
            if len(images):
                first = self.numbers[0]
                yield copy, images, forward(self.plan, first, inputs[images], copy, self.mac)

    def _ask(
        self, passages: list[Passage], error: FloatArray, copy: int, rates: tuple[float, float]
    ) -> None:
        """Add what the errors of some images ask of the pairs that learn."""

        def weights(number: int) -> FloatArray:
            place = number, self.plan.copy_of(number, copy)
            if place in self.frozen:
                return self.frozen[place]
            part = self.parts[place]
            return self._matrix(number, part.pairs, self.learned.weights[part.at])

        last = _input_over_level(self.plan.layers[-1])
        for number, products in backward(self.plan, passages, error, weights):
            part = self.parts.get((number, self.plan.copy_of(number, copy)))
            if part is not None:
                own = (
                    rates[number == len(self.plan.layers) - 1]
                    * _input_over_level(self.plan.layers[number])
                    / last
                )
                asked = own * products[part.pairs.inputs, part.pairs.outputs]
                self.learned.asked[part.at] += asked

    def _matrix(self, number: int, pairs: Pairs, weights: FloatArray) -> FloatArray:
        """Return weights in S as a matrix (n_inputs, outputs) of float weights."""
        layer = self.plan.layers[number]
        matrix = np.zeros((layer.mac.n_inputs, layer.layer.outputs))
        matrix[pairs.inputs, pairs.outputs] = weights
        return matrix * (_level_weight(layer, self.plan) / self.plan.cell_levels.step)


def _parts(plan: NetworkPlan, numbers: Iterable[int]) -> Iterator[tuple[Place, _Part]]:
    start = 0
    for number in numbers:
        for copy in range(len(plan.layers[number].lines)):
            pairs = plan.layers[number].pairs(copy, plan.geometry)
            yield (number, copy), _Part(pairs, slice(start, start + len(pairs.inputs)))
            start += len(pairs.inputs)


def _held(station: Station, cells: Cells) -> FloatArray:
    held = read_all(station, cells).reshape(-1, 2)
    return np.asarray(held[:, 0] - held[:, 1], np.float64)


def _level_weight(layer: LayerPlan, plan: NetworkPlan) -> float:
    """Return the float weight of one level: the converse of `mapping._with_range`."""
    numerator, denominator = layer.lsb
    step = numerator / denominator
    return layer.output_scale * plan.cell_levels.pitch / (layer.input_scale * step)


def _input_over_level(layer: LayerPlan) -> float:
    """Return, up to a factor that all layers share, how far a code moves a float sum a level.

    Descent at one rate of float weights w = level weight * levels changes the levels by rate /
    level weight * sum of input scale * code * error.
    """
    numerator, denominator = layer.lsb
    level_weight = layer.output_scale / (layer.input_scale * numerator / denominator)
    return layer.input_scale / level_weight
