"""A weighted layer as the array sees it, with its digital tail; its sums in floating point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Maps = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
N = TypeVar("N", np.float32, np.int32)
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
    """Rows and columns around the input: top, left, bottom, right."""
    border: FloatArray | None = None
    """Value of each input channel out there, shape (channels,); None for 0."""
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
        """Shape of the input map with its border."""
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


def layer_maps(layer: Layer, maps: Maps) -> Maps:
    """Return what a layer makes of maps, in floating point.

    Parameters
    ----------
    layer : Layer
        The layer.
    maps : ndarray of shape (n, height, width, channels), float32
        Its input.

    Returns
    -------
    ndarray of shape (n, *layer.out_shape), float32
        After its rectifier and its pooling.
    """
    sums = layer_sums(layer, maps)
    sums = np.maximum(sums, 0) if layer.relu else sums
    return largest_in_windows(layer.pool, sums, -np.inf) if layer.pool else sums


def layer_sums(layer: Layer, maps: Maps) -> Maps:
    """Return the sums of a layer with bias, before its rectifier, (n, *layer.sum_shape)."""
    top, left, _, _ = layer.padding
    height, width, _ = layer.in_shape
    border = 0.0 if layer.border is None else layer.border.astype(np.float32)
    padded = np.empty((len(maps), *layer.padded_shape), np.float32)
    padded[:] = border
    padded[:, top : top + height, left : left + width] = maps
    kernel = layer.weights.shape[1:3]
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    windows = windows[:, :: layer.stride[0], :: layer.stride[1]]  # (n, oh, ow, c, kh, kw)
    matrix = layer.weights.transpose(3, 1, 2, 0).reshape(-1, layer.outputs).astype(np.float32)
    flat = windows.reshape(-1, matrix.shape[0]) @ matrix + layer.bias.astype(np.float32)
    return flat.reshape(len(maps), *layer.sum_shape)


def windows_of(pool: Pool, maps: npt.NDArray[N], outside: float) -> npt.NDArray[N]:
    """Return the pooling windows of maps, (n, pooled height, pooled width, channels, size...).

    Parameters
    ----------
    pool : Pool
        Windows, steps, padding.
    maps : ndarray of shape (n, height, width, channels)
        The maps.
    outside : float
        Value of what lies outside them.
    """
    height, width, channels = pool.shape_of((maps.shape[1], maps.shape[2], maps.shape[3]))
    reach: tuple[int, int] = (
        (height - 1) * pool.stride[0] + pool.size[0],
        (width - 1) * pool.stride[1] + pool.size[1],
    )
    padded = np.full((len(maps), *reach, channels), outside, maps.dtype)
    top, left = pool.padding[:2]
    rows = min(maps.shape[1], reach[0] - top)
    columns = min(maps.shape[2], reach[1] - left)
    padded[:, top : top + rows, left : left + columns] = maps[:, :rows, :columns]
    windows = np.lib.stride_tricks.sliding_window_view(padded, pool.size, axis=(1, 2))
    return windows[:, :: pool.stride[0], :: pool.stride[1]]


def largest_in_windows(pool: Pool, maps: npt.NDArray[N], lowest: float) -> npt.NDArray[N]:
    """Return the maximum of each pooling window, (n, pooled height, pooled width, channels).

    `lowest` is a value that loses against all others.
    """
    return np.asarray(windows_of(pool, maps, lowest).max(axis=(4, 5)))
