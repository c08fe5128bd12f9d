"""Forward on the array, backward in floating point: how much each weight errs.

The layers from the first that learns are a chain. What went forward are codes and sums of the
array, with all that its cells do wrong; what goes back are derivatives of the digital tail (max
pooling, ReLU, the cut at code 255) and the weights that the cells were read to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.layers import FloatArray
from labctl_procedures.network.plan import LayerPlan, NetworkPlan
from labctl_procedures.network.signal_chain import Mac, input_maps, layer_counts, layer_inputs

Bytes = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]
N = TypeVar("N", np.uint8, np.float64)
CODE_TOP = 255
"""Highest input code."""


@dataclass(frozen=True, eq=False)
class Passage:
    """What one layer met and answered for n images of one copy."""

    number: int
    """Number of the layer."""
    vectors: Bytes
    """Input codes, shape (n * positions, n_inputs)."""
    sums: Int32Array
    """Answers of the array, shape (n * positions, outputs)."""


def forward(plan: NetworkPlan, first: int, maps: Bytes, copy: int, mac: Mac) -> list[Passage]:
    """Run padded input maps of layer `first` through it and all after it.

    Parameters
    ----------
    plan : NetworkPlan
        The network on the chip.
    first : int
        Number of the layer to begin with.
    maps : ndarray of shape (n, height, width, channels), uint8
        Its padded input maps.
    copy : int
        The group of convolvers that serves these images.
    mac : callable
        Who multiplies.

    Returns
    -------
    list of Passage
        One a layer, first to last.

    Raises
    ------
    NetworkError
        If what comes after layer `first` is no chain of layers.
    """
    if not plan.is_chain_from(first):
        raise NetworkError(
            f"training: what comes after layer '{plan.layers[first].layer.name}' branches or has "
            "digital operators; only layers that end in a chain of layers can learn"
        )
    passages = []
    for number in range(first, len(plan.layers)):
        vectors = layer_inputs(plan.layers[number], maps)
        sums = mac(number, plan.copy_of(number, copy), vectors)
        passages.append(Passage(number, vectors, sums))
        if number + 1 < len(plan.layers):
            maps = next_maps(plan.layers[number], sums, plan.layers[number + 1])
    return passages


def backward(
    plan: NetworkPlan,
    passages: list[Passage],
    error: FloatArray,
    weights: Callable[[int], FloatArray],
) -> Iterator[tuple[int, FloatArray]]:
    """Carry the error of the scores back, layer by layer, and yield what each weight should do.

    Parameters
    ----------
    plan : NetworkPlan
        The network on the chip.
    passages : list of Passage
        What `forward` returned.
    error : ndarray of shape (n, classes)
        Descent of the loss by the scores: wanted minus answered chances.
    weights : callable
        Returns a layer's weights as held, shape (n_inputs, outputs), in weights of the float
        network.

    Yields
    ------
    int
        Number of a layer, last to first.
    ndarray of shape (n_inputs, outputs)
        Sum over images and positions of input (1 for code 255) times the error of the layer's sum.
    """
    rows = error
    for passage in reversed(passages):
        layer = plan.layers[passage.number]
        zero = layer.coding.zero if layer.coding else 0  # the code of an input of 0
        yield passage.number, ((passage.vectors.astype(np.float64) - zero) / CODE_TOP).T @ rows
        if passage.number > passages[0].number:
            onto_inputs = rows @ weights(passage.number).T
            before = passages[passage.number - passages[0].number - 1]
            rows = _through_tail(plan.layers[before.number], before, layer, onto_inputs)


def _through_tail(
    layer: LayerPlan, passage: Passage, after: LayerPlan, onto_inputs: FloatArray
) -> FloatArray:
    """Return the error of a layer's sums, (n * positions, outputs), from that of the next's inputs.

    `onto_inputs` has the shape of the next layer's input vectors.
    """
    n = len(passage.sums) // layer.layer.positions
    onto_maps = _scattered(after, onto_inputs, n)
    maps = next_maps(layer, passage.sums, after)
    inner = _inner(after, onto_maps) * _inside(_inner(after, maps))
    return _unpooled(layer, passage.sums.reshape(n, *layer.layer.sum_shape), inner)


def _scattered(layer: LayerPlan, onto_inputs: FloatArray, n: int) -> FloatArray:
    """Add the parts of all kernel positions where they came from, (n, *padded_shape)."""
    onto = np.zeros((n, int(np.prod(layer.layer.padded_shape))))
    parts = onto_inputs.reshape(n, len(layer.starts), -1)
    for place, tap in enumerate(layer.taps):
        if tap >= 0:
            onto[:, layer.starts + tap] += parts[:, :, place]
    return onto.reshape(n, *layer.layer.padded_shape)


def _inner(layer: LayerPlan, maps: npt.NDArray[N]) -> npt.NDArray[N]:
    """Return padded maps without their border."""
    top, left = layer.layer.padding[:2]
    height, width, _ = layer.layer.in_shape
    return maps[:, top : top + height, left : left + width]


def _inside(codes: Bytes) -> npt.NDArray[np.bool_]:
    """Tell where a code follows its sum: neither below ReLU nor at the top."""
    return (codes > 0) & (codes < CODE_TOP)


def _unpooled(layer: LayerPlan, sums: Int32Array, onto: FloatArray) -> FloatArray:
    """Hand each pooled error to the sum that won its window, (n * positions, outputs)."""
    pool = layer.layer.pool
    n, outputs = len(sums), layer.layer.outputs
    onto = onto.reshape(n, *layer.layer.out_shape)
    if pool is None:
        return onto.reshape(-1, outputs)
    height, width = onto.shape[1:3]
    top, left = pool.padding[:2]
    room = tuple(
        (length - 1) * stride + size
        for length, stride, size in zip((height, width), pool.stride, pool.size, strict=True)
    )
    rows, columns = min(sums.shape[1], room[0] - top), min(sums.shape[2], room[1] - left)
    padded = np.full((n, *room, outputs), np.iinfo(np.int32).min, np.int32)
    padded[:, top : top + rows, left : left + columns] = sums[:, :rows, :columns]
    views = [
        padded[:, dy::sy, dx::sx][:, :height, :width]
        for (sy, sx) in (pool.stride,)
        for dy, dx in np.ndindex(*pool.size)
    ]
    winner = np.argmax(np.stack(views), axis=0)
    back = np.zeros(padded.shape)
    for number, (dy, dx) in enumerate(np.ndindex(*pool.size)):
        seen = back[:, dy :: pool.stride[0], dx :: pool.stride[1]][:, :height, :width]
        seen += np.where(winner == number, onto, 0.0)
    whole = np.zeros(sums.shape)
    whole[:, :rows, :columns] = back[:, top : top + rows, left : left + columns]
    return whole.reshape(-1, outputs)


def next_maps(layer: LayerPlan, sums: Int32Array, after: LayerPlan) -> Bytes:
    """Return the padded input maps of the layer `after` the sums' own, in a chain."""
    return input_maps(after, layer_counts(layer, sums))[0]
