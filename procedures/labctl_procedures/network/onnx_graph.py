"""Walk the graph of an .onnx model from the image to the scores, and build the network's nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import NodeProto

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.graph import IMAGE, Network, Node
from labctl_procedures.network.layers import Layer, MapShape
from labctl_procedures.network.onnx_nodes import NodeFacts
from labctl_procedures.network.onnx_tensors import read_constants, read_scales
from labctl_procedures.network.operators import Operator


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the file: which value it is, and how the file sees it."""

    value: int
    """Number of the value in the network."""
    shape: MapShape
    """Shape of the map (height, width, channels)."""
    flat: bool
    """Whether the file sees a vector, in the order channel, row, column."""

    @property
    def features(self) -> int:
        """How many numbers it has."""
        return int(np.prod(self.shape))


Step = Callable[["GraphReader", NodeFacts], Tensor]


class GraphReader:
    """Reads one model.

    Parameters
    ----------
    where : str
        What to call the model in messages.
    model : ModelProto
        The model; its graph has nodes.
    steps : mapping of str to callable
        For each operator that can be done, what appends it and returns what it makes.
    """

    def __init__(self, where: str, model: onnx.ModelProto, steps: Mapping[str, Step]) -> None:
        self.where = where
        self.graph = model.graph
        self.steps = steps
        self.constants = read_constants(where, model.graph)
        self.scales = read_scales(where, model)
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.needed: list[NodeProto] = []
        """The nodes of the file that the scores come from."""

    def read(self, name: str) -> Network:
        """Return the network.

        Raises
        ------
        NetworkError
            If a node cannot be done; it is named.
        """
        image, tensor = self._image()
        self.tensors[image] = tensor
        self.needed = self._needed(image)
        for node in self.needed:
            self._read_node(node)
        if not any(isinstance(node.work, Layer) for node in self.nodes):
            raise NetworkError(f"{self.where}: no Conv, Gemm or MatMul in the graph")
        return Network(name, tuple(self.nodes), tensor.shape)

    def _read_node(self, node: NodeProto) -> None:
        facts = NodeFacts(self.where, node, self.constants)
        step = self.steps.get(node.op_type)
        if step is None or not node.output or node.output[0] in self.tensors:
            raise facts.refusal(
                f"operator not supported; supported are {', '.join(sorted(self.steps))}"
            )
        self.tensors[node.output[0]] = step(self, facts)

    def _image(self) -> tuple[str, Tensor]:
        inputs = [i for i in self.graph.input if i.name not in self.constants]
        if len(inputs) != 1:
            found = ", ".join(i.name for i in inputs) or "none"
            raise NetworkError(f"{self.where}: asked for one input (the image), found {found}")
        dims = inputs[0].type.tensor_type.shape.dim[1:]
        sizes = [d.dim_value for d in dims]
        if len(sizes) not in (1, 3) or min(sizes) < 1:
            told = ", ".join(d.dim_param or str(d.dim_value or "?") for d in dims)
            raise NetworkError(
                f"{self.where} input '{inputs[0].name}': shape (batch, {told}) must be fixed but "
                "for the batch: (batch, channels, height, width) or (batch, features)"
            )
        flat = len(sizes) == 1
        shape = (1, 1, sizes[0]) if flat else (sizes[1], sizes[2], sizes[0])
        return str(inputs[0].name), Tensor(IMAGE, shape, flat)

    def _needed(self, image: str) -> list[NodeProto]:
        """Return the nodes that the scores come from, in the order of the file."""
        if len(self.graph.output) != 1:
            found = ", ".join(o.name for o in self.graph.output) or "none"
            raise NetworkError(f"{self.where}: asked for one output (the scores), found {found}")
        wanted = {str(self.graph.output[0].name)}
        chosen: list[NodeProto] = []
        for node in reversed(self.graph.node):
            if node.op_type != "Constant" and wanted & set(node.output):
                chosen.append(node)
                wanted |= set(node.input)
        if image not in wanted:
            output = self.graph.output[0].name
            raise NetworkError(f"{self.where}: output '{output}' does not come from '{image}'")
        return chosen[::-1]

    def taken(self, facts: NodeFacts, place: int = 0) -> Tensor:
        """Return what a node reads at `place`."""
        name = facts.node.input[place] if facts.has(place) else ""
        if name not in self.tensors:
            raise facts.refusal(f"input '{name}' is made by no node before it")
        return self.tensors[name]

    def readers(self, tensor: Tensor) -> int:
        """Return how many nodes read a value, by whatever name."""
        names = {name for name, known in self.tensors.items() if known.value == tensor.value}
        return sum(
            bool(names & set(node.input)) and node.output[0] not in names for node in self.needed
        )

    def sole_work(self, facts: NodeFacts, place: int = 0) -> Layer | Operator | None:
        """Return what made the input at `place`, where this node alone reads it."""
        taken = self.taken(facts, place)
        if taken.value == IMAGE or self.readers(taken) > 1:
            return None
        return self.nodes[taken.value - 1].work

    def put(self, facts: NodeFacts, work: Layer | Operator, taken: Sequence[Tensor]) -> Tensor:
        """Append a node; return what it makes."""
        shape = work.out_shape if isinstance(work, Layer) else None
        if not isinstance(work, Layer):
            shape = work.shape_of([tensor.shape for tensor in taken])
        if shape is None or min(shape) < 1:
            raise facts.refusal(f"nothing is left of a map of {taken[0].shape}")
        values = tuple(tensor.value for tensor in taken)
        self.nodes.append(Node(facts.name, work, values, shape))
        return Tensor(len(self.nodes), shape, flat=taken[0].flat)

    def change(self, work: Layer | Operator, taken: Tensor) -> Tensor:
        """Put other work in place of that which made `taken`; return what it makes."""
        old = self.nodes[taken.value - 1]
        shape = work.out_shape if isinstance(work, Layer) else old.shape
        self.nodes[taken.value - 1] = replace(old, work=work, shape=shape)
        return replace(taken, shape=shape)

    def scale_of(self, facts: NodeFacts, place: int) -> float | None:
        """Return the size of one level that training noted for the weights at `place`."""
        return self.scales.get(facts.node.input[place])
