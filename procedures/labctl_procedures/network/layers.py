"""A feed-forward network as the array sees it: weighted layers, each with its digital tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labctl_procedures.network.errors import NetworkError

FloatArray = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
MapShape = tuple[int, int, int]
"""Height, width and channels of a feature map; a plain vector is (1, 1, n)."""


@dataclass(frozen=True)
class Pool:
    """Maximum over windows of a feature map; the last window may hang over the edge."""

    size: tuple[int, int]
    """Height and width of a window."""
    stride: tuple[int, int]
    """Step between windows, down and to the right."""
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Rows and columns outside the map: top, left, bottom, right; they never win."""
    ceil: bool = False
    """Whether a window that hangs over the edge counts."""

    def shape_of(self, shape: MapShape) -> MapShape:
        """Return the shape of the pooled map."""
        height, width = (
            self._length(shape[axis] + self.padding[axis] + self.padding[axis + 2], axis, shape)
            for axis in (0, 1)
        )
        return (height, width, shape[2])

    def _length(self, padded: int, axis: int, shape: MapShape) -> int:
        room = padded - self.size[axis]
        steps = -(-room // self.stride[axis]) if self.ceil else room // self.stride[axis]
        if steps * self.stride[axis] >= shape[axis] + self.padding[axis]:
            steps -= 1  # a window that starts outside the map is dropped (ONNX, MaxPool)
        return steps + 1


@dataclass(frozen=True, eq=False)
class Layer:
    """One weighted layer, and what is done digitally to its sums.

    A fully connected layer is a convolution whose kernel is the whole input map.
    """

    name: str
    """Name of the node it came from."""
    weights: FloatArray
    """Shape (outputs, kernel height, kernel width, channels)."""
    bias: FloatArray
    """Shape (outputs,)."""
    in_shape: MapShape
    """Shape of the input map, without padding."""
    stride: tuple[int, int] = (1, 1)
    """Step of the kernel, down and to the right."""
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Rows and columns of zeros around the input: top, left, bottom, right."""
    relu: bool = False
    """Whether negative sums become 0."""
    pool: Pool | None = None
    """Maximum pooling after the sums."""
    weight_scale: float | None = None
    """Size of one level the layer was trained for; None where unknown."""

    @property
    def outputs(self) -> int:
        """Number of output channels."""
        return int(self.weights.shape[0])

    @property
    def inputs(self) -> int:
        """Number of weights of one output."""
        return int(np.prod(self.weights.shape[1:]))

    @property
    def padded_shape(self) -> MapShape:
        """Shape of the input map with its border of zeros."""
        top, left, bottom, right = self.padding
        height, width, channels = self.in_shape
        return (height + top + bottom, width + left + right, channels)

    @property
    def sum_shape(self) -> MapShape:
        """Shape of the map of sums, before pooling."""
        height, width, _ = self.padded_shape
        return (
            (height - self.weights.shape[1]) // self.stride[0] + 1,
            (width - self.weights.shape[2]) // self.stride[1] + 1,
            self.outputs,
        )

    @property
    def positions(self) -> int:
        """Kernel positions: input vectors of one image."""
        return self.sum_shape[0] * self.sum_shape[1]

    @property
    def out_shape(self) -> MapShape:
        """Shape of the map handed to the next layer."""
        return self.pool.shape_of(self.sum_shape) if self.pool else self.sum_shape


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of weighted layers, from pixels to one score a class."""

    name: str
    """Name, for people."""
    layers: tuple[Layer, ...]
    """The layers, first to last."""
    input_scale: float = 1 / 255
    """Value the network was trained to see for one step of an 8-bit pixel."""

    @property
    def in_shape(self) -> MapShape:
        """Shape of an image."""
        return self.layers[0].in_shape

    @property
    def classes(self) -> int:
        """Number of scores."""
        return int(np.prod(self.layers[-1].out_shape))

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


def scores(network: Network, images: Bytes) -> npt.NDArray[np.float32]:
    """Run the network in floating point.

    Parameters
    ----------
    network : Network
        The network.
    images : ndarray of shape (n, height, width), uint8
        The images.

    Returns
    -------
    ndarray of shape (n, classes), float32
        One score a class.
    """
    maps = network.check_images(images)
    blocks = [_run(network, maps[start : start + 256]) for start in range(0, len(maps), 256)]
    return np.concatenate(blocks) if blocks else np.zeros((0, network.classes), np.float32)


def accuracy_software(network: Network, images: Bytes, labels: Labels) -> float:
    """Return the share of images (0-1) that the float network classifies rightly."""
    return float(np.mean(scores(network, images).argmax(axis=1) == labels))


def _run(network: Network, maps: Bytes) -> npt.NDArray[np.float32]:
    x = maps.astype(np.float32) * np.float32(network.input_scale)
    for layer in network.layers:
        x = _sums(layer, x)
        x = np.maximum(x, 0) if layer.relu else x
        x = _pooled(layer.pool, x) if layer.pool else x
    return x.reshape(len(maps), -1)


def _sums(layer: Layer, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    top, left, bottom, right = layer.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    kernel = layer.weights.shape[1:3]
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    windows = windows[:, :: layer.stride[0], :: layer.stride[1]]  # (n, oh, ow, c, kh, kw)
    matrix = layer.weights.transpose(3, 1, 2, 0).reshape(-1, layer.outputs).astype(np.float32)
    flat = windows.reshape(-1, matrix.shape[0]) @ matrix + layer.bias.astype(np.float32)
    return flat.reshape(len(x), *layer.sum_shape)


def _pooled(pool: Pool, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    height, width, channels = pool.shape_of((x.shape[1], x.shape[2], x.shape[3]))
    padded = np.full(
        (
            len(x),
            (height - 1) * pool.stride[0] + pool.size[0],
            (width - 1) * pool.stride[1] + pool.size[1],
            channels,
        ),
        -np.inf,
        np.float32,
    )
    top, left = pool.padding[:2]
    rows = min(x.shape[1], padded.shape[1] - top)
    columns = min(x.shape[2], padded.shape[2] - left)
    padded[:, top : top + rows, left : left + columns] = x[:, :rows, :columns]
    windows = np.lib.stride_tricks.sliding_window_view(padded, pool.size, axis=(1, 2))
    strided = windows[:, :: pool.stride[0], :: pool.stride[1]]
    return np.asarray(strided.max(axis=(4, 5)), np.float32)
