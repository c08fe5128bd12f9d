"""From images to scores, whoever answers the MACs: an array behind a dialogue, or a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.kernels import gather, pool_and_code
from labctl_procedures.network.layers import MapShape
from labctl_procedures.network.plan import LayerPlan, NetworkPlan

Bytes = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
Mac = Callable[[int, int, Bytes], Int32Array]
"""Answers `(layer number, copy, input vectors (n, n_inputs) uint8)` with sums (n, n_outputs)."""

BATCH = 192
"""Images of one message: some MB of answer, so that neighbouring stages meet in the cache."""


@dataclass(frozen=True, eq=False)
class Sums:
    """What came out of the last layer that was run."""

    values: IntArray
    """Sums with bias, shape (n, outputs); of the images in the order given."""
    clipped: int
    """Codes between layers that met the top of their range."""


def layer_inputs(plan: LayerPlan, maps: Bytes) -> Bytes:
    """Return the input vectors (n * positions, n_inputs) of n padded maps."""
    vectors = np.empty((len(maps) * len(plan.starts), len(plan.taps)), np.uint8)
    gather(maps.reshape(len(maps), -1), plan.starts, plan.taps, vectors)
    return vectors


def next_maps(plan: LayerPlan, sums: Int32Array, after: LayerPlan) -> tuple[Bytes, int]:
    """Return the padded input maps of the layer `after`, and how many codes were clipped."""
    if plan.next_codes is None:
        raise ValueError(f"layer '{plan.layer.name}' is the last: its sums become no codes")
    shape = plan.layer.sum_shape
    n = len(sums) // plan.layer.positions
    top, left = after.layer.padding[:2]
    codes = np.zeros((n, *after.layer.padded_shape), np.uint8)
    clipped = pool_and_code(
        sums.reshape(n, *shape),
        plan.bias,
        _window(plan, shape),
        np.array([plan.next_codes.multiplier, plan.next_codes.shift, top, left]),
        codes,
    )
    return codes, int(clipped)


def _window(plan: LayerPlan, shape: MapShape) -> IntArray:
    pool = plan.layer.pool
    if pool is None:
        return np.array([1, 1, 1, 1, 0, 0, shape[0], shape[1]])
    pooled = pool.shape_of(shape)
    return np.array([*pool.size, *pool.stride, *pool.padding[:2], *pooled[:2]])


def pad_images(plan: NetworkPlan, images: Bytes) -> Bytes:
    """Return images as padded maps of the first layer."""
    maps = plan.network.check_images(images)
    top, left, bottom, right = plan.layers[0].layer.padding
    return np.pad(maps, ((0, 0), (top, bottom), (left, right), (0, 0)))


def run(
    plan: NetworkPlan, images: Bytes, mac: Mac, *, advance: Callable[[int], None] | None = None
) -> Sums:
    """Run images through all layers.

    Image i meets copy ``i % copies``. MACs are asked for from this thread in an order that depends
    on nothing but the number of images, so an array's noise is reproducible; the layout of the
    next message is prepared on a second thread meanwhile.

    Parameters
    ----------
    plan : NetworkPlan
        The network on the chip.
    images : ndarray of shape (n, height, width) or (n, height, width, channels), uint8
        The images.
    mac : callable
        Who multiplies.
    advance : callable, optional
        Told how many more images are through, now and then.

    Returns
    -------
    Sums
    """
    last = plan.layers[-1]
    values = np.empty((len(images), plan.network.classes), np.int64)
    clipped = 0
    for batch, number, vectors in _steps(plan, images):
        sums = mac(number, plan.copy_of(number, batch.copy), vectors)
        if number < len(plan.layers) - 1:
            batch.sums = sums
            continue
        shaped = sums.reshape(len(batch.chosen), -1, last.layer.outputs) + last.bias
        shaped = np.maximum(shaped, 0) if last.layer.relu else shaped
        values[batch.chosen] = shaped.reshape(len(batch.chosen), -1)
        clipped += batch.clipped
        if advance is not None:
            advance(len(batch.chosen))
    return Sums(values, clipped)


def inputs_of_last(plan: NetworkPlan, images: Bytes, mac: Mac) -> Bytes:
    """Run images through all layers but the last and return its input vectors.

    Returns
    -------
    ndarray of shape (n, positions * n_inputs), uint8
        Input codes of the last layer, in the order of the images.
    """
    last = plan.layers[-1]
    inputs = np.empty((len(images), last.layer.positions * last.mac.n_inputs), np.uint8)
    for batch, number, vectors in _steps(plan, images):
        if number < len(plan.layers) - 1:
            batch.sums = mac(number, plan.copy_of(number, batch.copy), vectors)
        else:
            inputs[batch.chosen] = vectors.reshape(len(batch.chosen), -1)
    return inputs


class _Batch:
    """Some images of one copy, on their way through the layers."""

    def __init__(
        self, layers: Sequence[LayerPlan], maps: Bytes, chosen: IntArray, copy: int
    ) -> None:
        self.layers = layers
        self.maps = maps
        self.chosen = chosen
        self.copy = copy
        self.sums: Int32Array | None = None
        self.clipped = 0

    def vectors(self, number: int) -> Bytes:
        """Return the input vectors of layer `number`; the sums of the one before are there."""
        if number == 0 or self.sums is None:
            return layer_inputs(self.layers[0], self.maps[self.chosen])
        maps, clipped = next_maps(self.layers[number - 1], self.sums, self.layers[number])
        self.clipped += clipped
        return layer_inputs(self.layers[number], maps)


def _shares(plan: NetworkPlan, n: int) -> Iterator[tuple[IntArray, int]]:
    """Yield the image numbers of each batch, with their copy."""
    for start in range(0, n, BATCH * plan.copies):
        block = np.arange(start, min(start + BATCH * plan.copies, n))
        for copy in range(plan.copies):
            chosen = block[block % plan.copies == copy]
            if len(chosen):
                yield chosen, copy


def _steps(plan: NetworkPlan, images: Bytes) -> Iterator[tuple[_Batch, int, Bytes]]:
    """Yield each batch and layer number with its input vectors, two batches side by side.

    Whoever asks for the next step has put the sums of this one into its batch. While he has a MAC
    answered, the vectors of the other batch are laid out: they need the answer before that one.
    """
    maps = pad_images(plan, images)
    batches = [_Batch(plan.layers, maps, *share) for share in _shares(plan, len(maps))]
    steps = [
        (batch, number)
        for first in range(0, len(batches), 2)
        for number in range(len(plan.layers))
        for batch in batches[first : first + 2]
    ]
    waiting: Future[Bytes] | None = None
    with ThreadPoolExecutor(1) as host:
        for (batch, number), (after, after_number) in pairwise([*steps, (None, 0)]):
            if batch is None:
                return
            vectors = waiting.result() if waiting else batch.vectors(number)
            ready = after is not None and after is not batch
            waiting = host.submit(after.vectors, after_number) if after and ready else None
            yield batch, number, vectors
