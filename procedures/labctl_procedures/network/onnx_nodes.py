"""What the nodes of an .onnx graph say: attributes and constants, checked, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.layers import FloatArray, MapShape, Pool

Rim = tuple[int, int, int, int]


class NodeFacts:
    """One node with its attributes, and the constants of its file.

    Parameters
    ----------
    where : str
        The file, for messages.
    node : NodeProto
        The node.
    constants : mapping of str to ndarray
        Constants of the graph.
    """

    def __init__(
        self, where: str, node: NodeProto, constants: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        self.where = where
        self.node = node
        self.constants = constants
        self.given = {a.name: helper.get_attribute_value(a) for a in node.attribute}

    @property
    def name(self) -> str:
        """Name of the node, or of what it makes."""
        return str(self.node.name or "".join(self.node.output[:1]))

    def refusal(self, problem: str) -> NetworkError:
        """Return the error that says what is wrong with this node."""
        return NetworkError(f"{self.where} node '{self.name}' ({self.node.op_type}): {problem}")

    def has(self, place: int) -> bool:
        """Tell whether the node has an input at `place`."""
        return place < len(self.node.input) and bool(self.node.input[place])

    def is_constant(self, place: int) -> bool:
        """Tell whether the input at `place` is a constant of the file."""
        return self.has(place) and self.node.input[place] in self.constants

    def constant(self, place: int) -> FloatArray:
        """Return the constant at `place`; refuse where there is none, or it is not finite."""
        tensor = self.node.input[place] if self.has(place) else ""
        if tensor not in self.constants:
            raise self.refusal(f"input '{tensor}' must be a constant of the file")
        with np.errstate(invalid="ignore"):  # a signalling NaN: found on the next line
            values = self.constants[tensor].astype(np.float64)
        if not np.isfinite(values).all():
            raise self.refusal(f"constant '{tensor}' holds values that are not finite")
        return values

    def integers(self, place: int, key: str, default: list[int] | None = None) -> list[int]:
        """Return whole numbers from the input at `place`, or from attribute `key`."""
        if self.has(place):
            return [int(value) for value in self.constant(place).reshape(-1)]
        found = self.given.get(key, default)
        if found is None:
            raise self.refusal(f"asked for {key}, found none")
        return [int(value) for value in np.atleast_1d(found)]

    def number(self, place: int, key: str, default: float) -> float:
        """Return one number from the input at `place`, or from attribute `key`."""
        if not self.has(place):
            return float(self.given.get(key, default))
        values = self.constant(place)
        if values.size != 1:
            raise self.refusal(f"asked for one number, found shape {values.shape}")
        return float(values.reshape(-1)[0])

    def vector(self, place: int, size: int) -> FloatArray:
        """Return the constant at `place` as `size` numbers; zeros where it is left out."""
        if not self.has(place):
            return np.zeros(size)
        values = self.constant(place)
        if values.size not in (1, size):
            raise self.refusal(f"{values.size} values for {size} channels")
        return np.broadcast_to(values.reshape(-1), (size,)).copy()

    def by_channel(self, place: int, channels: int, rank: int) -> FloatArray | None:
        """Return a constant as one number a channel of a map, or None where it is not.

        `rank` is that of the map in the file, with the batch: 4, or 2 for a vector.
        """
        values = self.constant(place)
        shape = (1,) * (rank - values.ndim) + values.shape
        if values.size == 1:
            return np.full(channels, float(values.reshape(-1)[0]))
        if len(shape) == rank and shape == (1, channels, *(1,) * (rank - 2)):
            return values.reshape(-1)
        return None

    def need(self, wanted: Mapping[str, object]) -> None:
        """Refuse attributes that have another value than `wanted`."""
        for key, value in wanted.items():
            if self.given.get(key, value) != value:
                raise self.refusal(f"{key} = {self.given[key]}; only {value} is supported")

    def pair(self, key: str, default: list[int] | None = None) -> tuple[int, int]:
        """Return an attribute of two sizes (height, width)."""
        sizes = self.given.get(key, default)
        if not isinstance(sizes, list) or len(sizes) != 2 or min(sizes) < 1:
            raise self.refusal(f"asked for two sizes (height, width), found {sizes}")
        return (int(sizes[0]), int(sizes[1]))

    def pads(self) -> Rim:
        """Return the padding: top, left, bottom, right."""
        if self.given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            raise self.refusal("auto_pad is not supported; write the pads out")
        pads = self.given.get("pads", [0, 0, 0, 0])
        if not isinstance(pads, list) or len(pads) != 4 or min(pads) < 0:
            raise self.refusal(f"pads = {pads}; four numbers from 0 are supported")
        return (pads[0], pads[1], pads[2], pads[3])

    def pool(self, shape: MapShape) -> Pool:
        """Return the windows of a pooling over a map of `shape`."""
        self.need({"dilations": [1, 1], "storage_order": 0})
        size, pads = self.pair("kernel_shape"), self.pads()
        pool = Pool(size, self.pair("strides", [1, 1]), pads, bool(self.given.get("ceil_mode", 0)))
        if any(max(pads[axis], pads[axis + 2]) >= size[axis] for axis in (0, 1)):
            raise self.refusal(f"pads = {list(pads)} reach beyond a window of {size}")
        if min(pool.shape_of(shape)) < 1:
            raise self.refusal(f"windows of {size} are larger than the map {shape}")
        return pool
