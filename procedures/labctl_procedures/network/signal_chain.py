"""From images to scores, whoever answers the MACs: an array behind a dialogue, or a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.graph import IMAGE
from labctl_procedures.network.kernels import encode, gather, settle
from labctl_procedures.network.layers import MapShape
from labctl_procedures.network.operators import OUTSIDE, as_vectors
from labctl_procedures.network.plan import HostPlan, LayerPlan, NetworkPlan

Bytes = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
Mac = Callable[[int, int, Bytes], Int32Array]
"""Answers `(layer number, copy, input vectors (n, n_inputs) uint8)` with sums (n, n_outputs)."""

BATCH = 192
"""Images of one message: some MB of answer, so that neighbouring stages meet in the cache."""
LARGEST_MESSAGE = 2**25
"""Bytes of input vectors in one message, at most: large maps go in smaller batches."""
_KEPT_MEMORY = 2**25 - 2**16
"""Bytes of one allocation that make glibc keep what is freed; below its own limit of 32 MiB."""


@dataclass(frozen=True, eq=False)
class Sums:
    """What came out of the last layer that was run."""

    values: IntArray
    """Sums with bias, shape (n, outputs); of the images in the order given."""
    clipped: int
    """Codes between layers that met an end of their range."""


def layer_inputs(plan: LayerPlan, maps: Bytes) -> Bytes:
    """Return the input vectors (n * positions, n_inputs) of n padded maps of codes."""
    vectors = np.empty((len(maps) * len(plan.starts), len(plan.taps)), np.uint8)
    gather(maps.reshape(len(maps), -1), plan.starts, plan.taps, vectors)
    return vectors


def input_maps(plan: LayerPlan, counts: Int32Array | Bytes) -> tuple[Bytes, int]:
    """Return a layer's input as codes within their border, and how many met an end of their range.

    Parameters
    ----------
    plan : LayerPlan
        The layer.
    counts : ndarray of shape (n, height, width, channels), int32 or uint8
        What it reads; the image's bytes are codes already.
    """
    top, left, _, _ = plan.layer.padding
    codes = np.empty((len(counts), *plan.layer.padded_shape), np.uint8)
    codes[:] = plan.border
    if plan.coding is None:
        height, width, _ = plan.layer.in_shape
        codes[:, top : top + height, left : left + width] = counts
        return codes, 0
    ratio = plan.coding.ratio
    scale = np.array([ratio.multiplier, ratio.shift, plan.coding.zero, top, left])
    return codes, int(encode(np.ascontiguousarray(counts, np.int32), scale, codes))


def layer_counts(plan: LayerPlan, sums: Int32Array) -> Int32Array:
    """Return what a layer makes, (n, *out_shape), of the array's sums (n * positions, outputs)."""
    shape = plan.layer.sum_shape
    n = len(sums) // plan.layer.positions
    counts = np.empty((n, *plan.layer.out_shape), np.int32)
    lowest = 0 if plan.layer.relu else OUTSIDE
    affine = np.stack([plan.factor, plan.bias])
    settle(sums.reshape(n, *shape), affine, _window(plan, shape), lowest, counts)
    return counts


def _window(plan: LayerPlan, shape: MapShape) -> IntArray:
    pool = plan.layer.pool
    if pool is None:
        return np.array([1, 1, 1, 1, 0, 0, shape[0], shape[1]])
    pooled = pool.shape_of(shape)
    return np.array([*pool.size, *pool.stride, *pool.padding[:2], *pooled[:2]])


def host_counts(plan: HostPlan, given: list[Int32Array | Bytes]) -> Int32Array:
    """Return what a digital operator makes of its inputs, in counts."""
    alike = [
        ratio.apply(np.asarray(counts, np.int32))
        for ratio, counts in zip(plan.ratios, given, strict=True)
    ]
    return plan.work.apply(alike)


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
    _keep_freed_memory()
    values = np.empty((len(images), plan.network.classes), np.int64)
    clipped = 0
    for batch, number, vectors in _steps(plan, images):
        batch.sums = mac(number, plan.copy_of(number, batch.copy), vectors)
        if number < len(plan.layers) - 1:
            continue
        values[batch.chosen] = as_vectors(batch.finish())
        clipped += batch.clipped
        if advance is not None:
            advance(len(batch.chosen))
    return Sums(values, clipped)


def _keep_freed_memory() -> None:
    """Let glibc keep the memory of one message for the next, instead of fetching it page by page.

    It gives freed memory back where that exceeds twice the largest block that was ever mapped and
    freed (mallopt(3), M_TRIM_THRESHOLD): one of 32 MiB, of which no page is touched, raises that.
    Without it a pass of 4,000 images met 15,000 to 25,000 page faults, a tenth of its time.
    """
    np.empty(_KEPT_MEMORY, np.uint8)


def maps_into(
    plan: NetworkPlan,
    number: int,
    images: Bytes,
    mac: Mac,
    *,
    advance: Callable[[int], None] | None = None,
) -> Bytes:
    """Run images through all that comes before layer `number`.

    Image i meets copy ``i % copies``.

    Returns
    -------
    ndarray of shape (n, *padded_shape), uint8
        Padded input maps of that layer, in the order of the images.
    """
    _keep_freed_memory()
    inputs = np.empty((len(images), *plan.layers[number].layer.padded_shape), np.uint8)
    if number == 0:
        for batch in batches_of(plan, images):
            inputs[batch.chosen] = batch.codes()
    for batch, done, vectors in _steps(plan, images, until=number):
        batch.sums = mac(done, plan.copy_of(done, batch.copy), vectors)
        if done == number - 1:
            inputs[batch.chosen] = batch.codes()
            if advance is not None:
                advance(len(batch.chosen))
    return inputs


def inputs_of_last(plan: NetworkPlan, images: Bytes, mac: Mac) -> Bytes:
    """Run images through all layers but the last and return its input vectors.

    Returns
    -------
    ndarray of shape (n, positions * n_inputs), uint8
        Input codes of the last layer, in the order of the images.
    """
    maps = maps_into(plan, len(plan.layers) - 1, images, mac)
    return layer_inputs(plan.layers[-1], maps).reshape(len(images), -1)


class Batch:
    """Some images of one copy, on their way through the nodes."""

    def __init__(self, plan: NetworkPlan, maps: Bytes, chosen: IntArray, copy: int) -> None:
        self.plan = plan
        self.maps = maps
        self.chosen = chosen
        self.copy = copy
        self.sums: Int32Array | None = None
        """The array's answer for the layer whose vectors were asked for last."""
        self.clipped = 0
        self._values: dict[int, Int32Array | Bytes] = {}
        self._at = 0
        """Node to be done next; nodes before it are done."""

    def vectors(self) -> Bytes:
        """Return the input vectors of the next layer; the sums of the one before are there."""
        codes = self.codes()
        return layer_inputs(self._layer(), codes)

    def codes(self) -> Bytes:
        """Return the padded input maps of the next layer; the sums of the one before are there."""
        if self._at == 0:
            self._values[IMAGE] = self.maps[self.chosen]
        self._advance()
        codes, clipped = input_maps(self._layer(), self._values[self._node_inputs()[0]])
        self.clipped += clipped
        return codes

    def finish(self) -> Int32Array:
        """Return what the network makes; the sums of its last layer are there."""
        self._advance()
        last = self._values.pop(len(self.plan.steps))
        return np.asarray(last, np.int32)

    def _node_inputs(self) -> tuple[int, ...]:
        return self.plan.network.nodes[self._at].inputs

    def _layer(self) -> LayerPlan:
        """Return the layer whose sums are wanted next."""
        step = self.plan.steps[self._at]
        if isinstance(step, HostPlan):
            raise TypeError(f"network '{self.plan.network.name}': step {self._at} is the host's")
        return step

    def _advance(self) -> None:
        """Do what is known: all before the next layer whose sums are not there."""
        for step in self.plan.steps[self._at :]:
            if isinstance(step, HostPlan):
                given = [self._values[number] for number in self._node_inputs()]
                self._keep(host_counts(step, given))
            elif self.sums is not None:
                sums, self.sums = self.sums, None
                self._keep(layer_counts(step, sums))
            else:
                return

    def _keep(self, counts: Int32Array) -> None:
        self._values[self._at + 1] = counts
        for number in self.plan.network.expiring[self._at]:
            del self._values[number]
        self._at += 1


def _shares(plan: NetworkPlan, n: int) -> Iterator[tuple[IntArray, int]]:
    """Yield the image numbers of each batch, with their copy."""
    widest = max(layer.layer.positions * layer.mac.n_inputs for layer in plan.layers)
    size = max(1, min(BATCH, LARGEST_MESSAGE // widest))
    for start in range(0, n, size * plan.copies):
        block = np.arange(start, min(start + size * plan.copies, n))
        for copy in range(plan.copies):
            chosen = block[block % plan.copies == copy]
            if len(chosen):
                yield chosen, copy


def batches_of(plan: NetworkPlan, images: Bytes) -> list[Batch]:
    """Return the images in batches, each of one copy, at the first node."""
    maps = plan.network.check_images(images)
    return [Batch(plan, maps, *share) for share in _shares(plan, len(maps))]


def _steps(
    plan: NetworkPlan, images: Bytes, *, until: int | None = None
) -> Iterator[tuple[Batch, int, Bytes]]:
    """Yield each batch and layer number with its input vectors, two batches side by side.

    Layers before `until`; all by default. Whoever asks for the next step has put the sums of this
    one into its batch. While he has a MAC answered, the vectors of the other batch are laid out:
    they need the answer before that one.
    """
    batches = batches_of(plan, images)
    steps = [
        (batch, number)
        for first in range(0, len(batches), 2)
        for number in range(len(plan.layers) if until is None else until)
        for batch in batches[first : first + 2]
    ]
    waiting: Future[Bytes] | None = None
    with ThreadPoolExecutor(1) as host:
        for (batch, number), (after, _) in pairwise([*steps, (None, 0)]):
            if batch is None:
                return
            vectors = waiting.result() if waiting else batch.vectors()
            ready = after is not None and after is not batch
            waiting = host.submit(after.vectors) if after and ready else None
            yield batch, number, vectors
