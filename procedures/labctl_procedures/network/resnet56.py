"""ResNet-56 for CIFAR-10 with option-A shortcuts, built as an .onnx graph from a trained state.

He et al., CVPR 2016: a 3 x 3 convolution, three stages of nine blocks with 16, 32 and 64 channels,
a mean over the map and one fully connected layer. The shortcut into a stage takes every second
row and column and pads channels with zeros, so it has no weights. The state is that of
github.com/akamaster/pytorch_resnet_cifar10 (Y. Idelbayev, 2018; BSD-2-Clause): 853,018 parameters.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.graph import Network
from labctl_procedures.network.onnx_import import read_model

State = Mapping[str, npt.NDArray[Any]]

FILE = "resnet56_cifar10.npz"
"""The trained state, in `$LABCTL_DATASETS`."""
STAGES = (16, 32, 64)
"""Channels of each stage."""
BLOCKS = 9
"""Blocks of a stage; each has two convolutions."""
MEAN = (0.485, 0.456, 0.406)
"""What training subtracted from pixels of 0-1, red, green and blue."""
DEVIATION = (0.229, 0.224, 0.225)
"""What it then divided them by."""


def load_resnet56() -> Network:
    """Return the trained network.

    Raises
    ------
    NetworkError
        If its weights are not in `$LABCTL_DATASETS`, or the file is not the one expected.
    """
    folder = os.environ.get("LABCTL_DATASETS")
    path = Path(folder) / FILE if folder else None
    if path is None or not path.is_file():
        raise NetworkError(
            f"network 'resnet56': its weights are looked for as {FILE} in $LABCTL_DATASETS, "
            f"which is {folder or 'not set'}"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        return read_model(resnet56_model(state), "resnet56")
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise NetworkError(
            f"network 'resnet56': {path} is not the file expected: {error}"
        ) from error


def resnet56_model(state: State, *, stages: tuple[int, ...] = STAGES) -> onnx.ModelProto:
    """Return the network as an .onnx model.

    Parameters
    ----------
    state : mapping
        The state, names as in torch: `conv1.weight`, `layer1.0.bn1.running_mean`, ...
    stages : tuple of int
        Channels of each stage.

    Returns
    -------
    ModelProto
        Takes pixels of 0-1, shape (batch, 3, 32, 32); normalises them; answers ten scores.
    """
    graph = _Graph(state)
    x = graph.normalised("image")
    x = graph.rectified(graph.convolved(x, "conv1", "bn1"))
    channels = stages[0]
    for number, wider in enumerate(stages, start=1):
        for block in range(BLOCKS):
            x = graph.block(x, f"layer{number}.{block}", channels, wider)
            channels = wider
    graph.add("GlobalAveragePool", [x], "pooled")
    graph.add("Flatten", ["pooled"], "features")
    weights = [graph.constant("linear.weight"), graph.constant("linear.bias")]
    graph.add("Gemm", ["features", *weights], "FC", transB=1)
    return graph.model()


class _Graph:
    """Nodes and constants while they are gathered."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}

    def add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:  # noqa: ANN401  (ONNX's)
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: npt.ArrayLike | None = None) -> str:
        found = self.state[name] if values is None else values
        self.constants[name] = np.asarray(found, np.int64 if name.endswith("pads") else np.float32)
        return name

    def normalised(self, x: str) -> str:
        mean = self.constant("mean", np.reshape(MEAN, (1, 3, 1, 1)))
        deviation = self.constant("deviation", np.reshape(DEVIATION, (1, 3, 1, 1)))
        return self.add("Div", [self.add("Sub", [x, mean], "centred"), deviation], "normalised")

    def convolved(self, x: str, convolution: str, normalisation: str, stride: int = 1) -> str:
        kernel = self.constant(f"{convolution}.weight")
        strides = [stride, stride]
        x = self.add("Conv", [x, kernel], convolution, pads=[1, 1, 1, 1], strides=strides)
        keys = ("weight", "bias", "running_mean", "running_var")
        constants = [self.constant(f"{normalisation}.{key}") for key in keys]
        return self.add("BatchNormalization", [x, *constants], normalisation, epsilon=1e-5)

    def rectified(self, x: str) -> str:
        return self.add("Relu", [x], f"{x}.relu")

    def block(self, x: str, name: str, channels: int, wider: int) -> str:
        stride = 1 if channels == wider else 2
        y = self.rectified(self.convolved(x, f"{name}.conv1", f"{name}.bn1", stride))
        y = self.convolved(y, f"{name}.conv2", f"{name}.bn2")
        if stride == 2:
            each = (wider - channels) // 2
            pads = self.constant(f"{name}.pads", [0, each, 0, 0, 0, each, 0, 0])
            x = self.add("MaxPool", [x], f"{name}.sparse", kernel_shape=[1, 1], strides=[2, 2])
            x = self.add("Pad", [x, pads], f"{name}.shortcut")
        return self.rectified(self.add("Add", [y, x], f"{name}.sum"))

    def model(self) -> onnx.ModelProto:
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])
        scores = helper.make_tensor_value_info("FC", TensorProto.FLOAT, ["batch", 10])
        tensors = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "resnet56", [image], [scores], tensors)
        opset = [helper.make_opsetid("", 13)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8)
