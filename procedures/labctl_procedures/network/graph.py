"""A feed-forward network: layers for the array and digital operators, from pixels to scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.layers import (
    Bytes,
    FloatArray,
    Labels,
    Layer,
    Maps,
    MapShape,
    layer_maps,
    layer_sums,
)
from labctl_procedures.network.operators import Operator, as_vectors

IMAGE = 0
"""Number of the value that is the image; node i makes value i + 1."""
LARGEST_BATCH = 256
_BATCH_FLOATS = 2**26


@dataclass(frozen=True, eq=False)
class Node:
    """One step of a network: what is done to which values."""

    name: str
    """Name of the node it came from."""
    work: Layer | Operator
    """A layer for the array, or what the host does."""
    inputs: tuple[int, ...]
    """Numbers of the values it takes."""
    shape: MapShape
    """Shape of the map it makes."""


@dataclass(frozen=True, eq=False)
class Network:
    """A graph of nodes, each after those it reads from; the last one makes the scores."""

    name: str
    """Name, for people."""
    nodes: tuple[Node, ...]
    """The nodes, in an order in which they can be run."""
    in_shape: MapShape
    """Shape of an image."""
    input_scale: float = 1 / 255
    """Value the network was trained to see for one step of an 8-bit pixel."""

    @classmethod
    def chain(cls, name: str, layers: Sequence[Layer]) -> Network:
        """Return the network in which each layer reads the one before it."""
        nodes = [Node(layer.name, layer, (i,), layer.out_shape) for i, layer in enumerate(layers)]
        return cls(name, tuple(nodes), layers[0].in_shape)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers for the array, in order."""
        return tuple(node.work for node in self.nodes if isinstance(node.work, Layer))

    @property
    def classes(self) -> int:
        """Number of scores."""
        return int(np.prod(self.nodes[-1].shape))

    @cached_property
    def expiring(self) -> tuple[tuple[int, ...], ...]:
        """The values that nobody reads after each node."""
        last = {value: i for i, node in enumerate(self.nodes) for value in node.inputs}
        return tuple(
            tuple(value for value, reader in last.items() if reader == i)
            for i in range(len(self.nodes))
        )

    def check_images(self, images: Bytes) -> Bytes:
        """Return images as maps of shape (n, height, width, channels).

        Raises
        ------
        NetworkError
            If they are not uint8, or are not of the network's size.
        """
        if images.dtype != np.uint8 or images.ndim < 2:
            raise NetworkError(
                f"network '{self.name}': asked for uint8 images of shape {self.in_shape}, "
                f"found {images.dtype} of shape {images.shape}"
            )
        if images.shape[1:] not in _same_pixels(self.in_shape):
            raise NetworkError(
                f"network '{self.name}': asked for images of shape {self.in_shape} "
                f"(height, width, channels), found {images.shape[1:]}"
            )
        return np.ascontiguousarray(images).reshape(len(images), *self.in_shape)


def _same_pixels(shape: MapShape) -> set[tuple[int, ...]]:
    """Return the image shapes that need no guess to be read as `shape`."""
    height, width, channels = shape
    shapes: set[tuple[int, ...]] = {shape}
    if channels == 1:
        shapes.add((height, width))
    if height == width == 1:
        side = round(channels**0.5)
        shapes |= {(channels,)} | ({(side, side)} if side * side == channels else set())
    return shapes


def scores(
    network: Network, images: Bytes, *, advance: Callable[[int], None] | None = None
) -> npt.NDArray[np.float32]:
    """Run the network in floating point.

    Parameters
    ----------
    network : Network
        The network.
    images : ndarray of shape (n, height, width) or (n, height, width, channels), uint8
        The images.
    advance : callable, optional
        Told how many more images are through.

    Returns
    -------
    ndarray of shape (n, classes), float32
        One score a class.
    """
    maps = network.check_images(images)
    widest = max((layer.positions * layer.inputs for layer in network.layers), default=1)
    step = max(1, min(LARGEST_BATCH, _BATCH_FLOATS // widest))
    answers = np.zeros((len(maps), network.classes), np.float32)
    for start in range(0, len(maps), step):
        part = slice(start, start + step)
        answers[part] = _run(network, maps[part])
        if advance is not None:
            advance(len(maps[part]))
    return answers


def accuracy_software(network: Network, images: Bytes, labels: Labels) -> float:
    """Return the share of images (0-1) that the float network classifies rightly."""
    return float(np.mean(scores(network, images).argmax(axis=1) == labels))


def _run(network: Network, maps: Bytes, see: Callable[[Layer, Maps], None] | None = None) -> Maps:
    values = {IMAGE: maps.astype(np.float32) * np.float32(network.input_scale)}
    for i, node in enumerate(network.nodes):
        given = [values[number] for number in node.inputs]
        if isinstance(node.work, Layer):
            if see is not None:
                see(node.work, given[0])
            made = layer_maps(node.work, given[0])
        else:
            made = node.work.apply(given) * np.float32(node.work.gain)
        values[i + 1] = made
        for number in network.expiring[i]:
            del values[number]
    return as_vectors(values[len(network.nodes)])


def moments(network: Network, images: Bytes) -> list[tuple[FloatArray, FloatArray]]:
    """Return mean and standard deviation of each layer's sums over images, by output.

    Parameters
    ----------
    network : Network
        The network, in floating point.
    images : ndarray of shape (n, height, width) or (n, height, width, channels), uint8
        A few hundred images: they are run together.

    Returns
    -------
    list of (ndarray of shape (outputs,), ndarray of shape (outputs,))
        One a layer, in order.
    """
    found = []

    def see(layer: Layer, maps: Maps) -> None:
        sums = layer_sums(layer, maps).reshape(-1, layer.outputs).astype(np.float64)
        found.append((sums.mean(axis=0), sums.std(axis=0)))

    _run(network, network.check_images(images), see)
    return found
