"""Read a network from .onnx: a chain of weighted layers, or one clear line why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs
from onnx import NodeProto, helper

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.layers import FloatArray, Layer, MapShape, Network, Pool
from labctl_procedures.network.onnx_tensors import read_constants, read_scales


def read_onnx(path: Path) -> Network:
    """Read a feed-forward network.

    Parameters
    ----------
    path : Path
        An .onnx file whose graph is a chain of Conv, Gemm or MatMul (with Add), BatchNormalization
        (folded into the layer before it), Relu, MaxPool, Flatten or Reshape, and a last Softmax.

    Returns
    -------
    Network
        Feature maps are (height, width, channels) there, whatever the order in the file.

    Raises
    ------
    NetworkError
        If the file is not ONNX, keeps tensors outside itself, has a shape that is not fixed, or
        holds a node that the array and its digital tail cannot do; the node is named.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise NetworkError(f"{path}: not a readable .onnx file ({error})") from error
    if not model.HasField("graph") or not model.graph.node:
        raise NetworkError(f"{path}: not an .onnx file with a graph in it")
    return _Reader(path.name, model).read(path.stem)


class _Reader:
    """Walks the chain from the image to the scores."""

    def __init__(self, where: str, model: onnx.ModelProto) -> None:
        self.where = where
        self.graph = model.graph
        self.steps = _steps(self)
        self.constants = read_constants(where, model.graph)
        self.scales = read_scales(where, model)
        self.shape: MapShape = (1, 1, 1)
        self.layers: list[Layer] = []
        self.unfinished = False
        self.flat = False

    def read(self, name: str) -> Network:
        tensor = self._image_tensor()
        seen = {tensor}
        while (node := self._reader_of(tensor)) is not None:
            step = self.steps.get(node.op_type)
            if step is None or not node.output or node.output[0] in seen:
                raise self._refusal(
                    node, f"operator not supported; supported are {', '.join(sorted(self.steps))}"
                )
            step(node)
            tensor = node.output[0]
            seen.add(tensor)
        if not self.layers:
            raise NetworkError(f"{self.where}: no Conv, Gemm or MatMul in the graph")
        return Network(name, tuple(self.layers))

    def _image_tensor(self) -> str:
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
        self.flat = len(sizes) == 1
        self.shape = (1, 1, sizes[0]) if self.flat else (sizes[1], sizes[2], sizes[0])
        return str(inputs[0].name)

    def _reader_of(self, tensor: str) -> NodeProto | None:
        readers = [node for node in self.graph.node if tensor in node.input]
        if len(readers) > 1:
            names = ", ".join(f"'{_name(node)}'" for node in readers)
            raise NetworkError(
                f"{self.where} tensor '{tensor}': read by {names}; only chains can be mapped"
            )
        return readers[0] if readers else None

    def _refusal(self, node: NodeProto, problem: str) -> NetworkError:
        return NetworkError(f"{self.where} node '{_name(node)}' ({node.op_type}): {problem}")

    def _constant(self, node: NodeProto, place: int) -> FloatArray:
        tensor = node.input[place] if place < len(node.input) else ""
        if tensor not in self.constants:
            raise self._refusal(node, f"input '{tensor}' must be a constant of the file")
        with np.errstate(invalid="ignore"):  # a signalling NaN: found on the next line
            values = self.constants[tensor].astype(np.float64)
        if not np.isfinite(values).all():
            raise self._refusal(node, f"constant '{tensor}' holds values that are not finite")
        return values

    def _optional(self, node: NodeProto, place: int, size: int) -> FloatArray:
        if len(node.input) <= place or not node.input[place]:
            return np.zeros(size)
        return np.broadcast_to(self._constant(node, place), (size,)).copy()

    def convolve(self, node: NodeProto) -> None:
        kernel = self._constant(node, 1)
        given = _attributes(node)
        if self.flat or kernel.ndim != 4 or kernel.shape[1] != self.shape[2]:
            raise self._refusal(
                node, f"kernel of shape {kernel.shape} does not fit a map of {self.shape}"
            )
        self._need(node, given, {"group": 1, "dilations": [1, 1]})
        top, left, bottom, right = self._pads(node, given)
        self._add_layer(
            node,
            Layer(
                _name(node),
                kernel.transpose(0, 2, 3, 1),
                self._optional(node, 2, len(kernel)),
                self.shape,
                stride=self._pair(node, given.get("strides", [1, 1])),
                padding=(top, left, bottom, right),
                weight_scale=self.scales.get(node.input[1]),
            ),
        )

    def multiply(self, node: NodeProto) -> None:
        given = _attributes(node)
        self._need(node, given, {"transA": 0, "alpha": 1.0, "beta": 1.0})
        matrix = self._constant(node, 1)
        matrix = matrix if given.get("transB", 0) else matrix.T
        height, width, channels = self.shape
        if not self.flat or matrix.ndim != 2 or matrix.shape[1] != height * width * channels:
            raise self._refusal(
                node,
                f"weights of shape {matrix.shape} (outputs, inputs) do not fit "
                f"{'a vector' if self.flat else 'an unflattened map'} of {self.shape}",
            )
        kernels = matrix.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        bias = self._optional(node, 2, len(matrix))
        scale = self.scales.get(node.input[1])
        self._add_layer(node, Layer(_name(node), kernels, bias, self.shape, weight_scale=scale))

    def add_bias(self, node: NodeProto) -> None:
        place = next((i for i, name in enumerate(node.input) if name in self.constants), None)
        if place is None or not self.unfinished:
            raise self._refusal(node, "only a constant bias right after Conv, Gemm or MatMul")
        bias = self._constant(node, place).reshape(-1)
        last = self.layers[-1]
        if bias.size not in (1, last.outputs):
            raise self._refusal(node, f"bias of {bias.size} values on {last.outputs} outputs")
        self.layers[-1] = replace(last, bias=last.bias + bias)

    def fold_normalisation(self, node: NodeProto) -> None:
        if not self.unfinished:
            raise self._refusal(node, "can only be folded right after Conv, Gemm or MatMul")
        gamma, beta, mean, variance = (self._constant(node, place) for place in (1, 2, 3, 4))
        epsilon = np.float64(_attributes(node).get("epsilon", 1e-5))
        factor = gamma / np.sqrt(variance + epsilon)
        last = self.layers[-1]
        self.layers[-1] = replace(
            last,
            weights=last.weights * factor[:, None, None, None],
            bias=(last.bias - mean) * factor + beta,
            weight_scale=None,  # each output now has a scale of its own: search afresh
        )

    def rectify(self, node: NodeProto) -> None:
        if not self.layers:
            return  # pixels are not negative
        self.layers[-1] = replace(self.layers[-1], relu=True)
        self.unfinished = False

    def pool(self, node: NodeProto) -> None:
        given = _attributes(node)
        self._need(node, given, {"dilations": [1, 1], "storage_order": 0})
        if not self.layers or self.flat or self.layers[-1].pool is not None:
            raise self._refusal(node, "one pooling after a Conv is what the digital tail does")
        size = self._pair(node, given.get("kernel_shape"))
        pool = Pool(
            size,
            self._pair(node, given.get("strides", [1, 1])),
            self._pads(node, given),
            bool(given.get("ceil_mode", 0)),
        )
        self.layers[-1] = replace(self.layers[-1], pool=pool)
        self.shape = self.layers[-1].out_shape
        self.unfinished = False

    def flatten(self, node: NodeProto) -> None:
        self._need(node, _attributes(node), {"axis": 1})
        self.flat = True

    def reshape(self, node: NodeProto) -> None:
        asked = [int(size) for size in self._constant(node, 1).reshape(-1)]
        features = int(np.prod(self.shape))
        if len(asked) != 2 or asked[1] not in (-1, features):
            raise self._refusal(node, f"to {asked}: only flattening to (batch, {features}) is done")
        self.flat = True

    def finish(self, node: NodeProto) -> None:
        if self._reader_of(node.output[0]) is not None:
            raise self._refusal(node, "only as the last node: the largest score stays the largest")

    def pass_on(self, node: NodeProto) -> None:
        """Do nothing: the node does nothing when a network is used."""

    def _add_layer(self, node: NodeProto, layer: Layer) -> None:
        if self.layers and not self.layers[-1].relu:
            raise self._refusal(
                node,
                f"its input, the output of '{self.layers[-1].name}', can be negative, and input "
                "codes are unsigned; put a Relu between them",
            )
        if min(layer.sum_shape) < 1:
            raise self._refusal(node, f"its kernel is larger than its input {layer.padded_shape}")
        self.layers.append(layer)
        self.shape = layer.sum_shape
        self.unfinished = True

    def _need(
        self, node: NodeProto, given: Mapping[str, object], wanted: Mapping[str, object]
    ) -> None:
        for key, value in wanted.items():
            if given.get(key, value) != value:
                raise self._refusal(node, f"{key} = {given[key]}; only {value} is supported")

    def _pair(self, node: NodeProto, sizes: Any) -> tuple[int, int]:  # noqa: ANN401  (ONNX's)
        if not isinstance(sizes, list) or len(sizes) != 2 or min(sizes) < 1:
            raise self._refusal(node, f"asked for two sizes (height, width), found {sizes}")
        return (int(sizes[0]), int(sizes[1]))

    def _pads(self, node: NodeProto, given: Mapping[str, object]) -> tuple[int, int, int, int]:
        if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
            raise self._refusal(node, "auto_pad is not supported; write the pads out")
        pads = given.get("pads", [0, 0, 0, 0])
        if not isinstance(pads, list) or len(pads) != 4 or min(pads) < 0:
            raise self._refusal(node, f"pads = {pads}; four numbers from 0 are supported")
        return (pads[0], pads[1], pads[2], pads[3])


def _steps(reader: _Reader) -> dict[str, Callable[[NodeProto], None]]:
    return {
        "Conv": reader.convolve,
        "Gemm": reader.multiply,
        "MatMul": reader.multiply,
        "Add": reader.add_bias,
        "BatchNormalization": reader.fold_normalisation,
        "Relu": reader.rectify,
        "MaxPool": reader.pool,
        "Flatten": reader.flatten,
        "Reshape": reader.reshape,
        "Softmax": reader.finish,
        "LogSoftmax": reader.finish,
        "Identity": reader.pass_on,
        "Dropout": reader.pass_on,
    }


def _name(node: NodeProto) -> str:
    return node.name or "".join(node.output[:1])


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}
