"""Read a network from .onnx: a graph of layers and digital operators, or one clear line why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.graph import Network
from labctl_procedures.network.onnx_graph import GraphReader
from labctl_procedures.network.onnx_steps import STEPS


def read_onnx(path: Path) -> Network:
    """Read a feed-forward network.

    Parameters
    ----------
    path : Path
        An .onnx file; see `read_model` for what it may hold.

    Returns
    -------
    Network

    Raises
    ------
    NetworkError
        If the file is not ONNX, keeps tensors outside itself, has a shape that is not fixed, or
        holds a node that the array and the host cannot do; the node is named.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise NetworkError(f"{path}: not a readable .onnx file ({error})") from error
    return read_model(model, path.stem, where=path.name)


def read_model(model: onnx.ModelProto, name: str, *, where: str | None = None) -> Network:
    """Read a feed-forward network that is in memory.

    Parameters
    ----------
    model : ModelProto
        Its graph may branch and join. Conv and Gemm or MatMul become layers of the array;
        BatchNormalization and constants that are added or multiplied are folded into the layer
        before them where nobody else reads it; the host does Relu, Clip, Sign, MaxPool,
        AveragePool, GlobalAveragePool, Add, Concat, Pad, Slice, Flatten and Reshape. A last
        Softmax is left out.
    name : str
        Name of the network.
    where : str, optional
        What to call the model in messages; its name by default.

    Returns
    -------
    Network
        Feature maps are (height, width, channels) there, whatever the order in the file.

    Raises
    ------
    NetworkError
        As `read_onnx`.
    """
    if not model.HasField("graph") or not model.graph.node:
        raise NetworkError(f"{where or name}: not an .onnx file with a graph in it")
    return GraphReader(where or name, model, STEPS).read(name)


def read_module(module: Any, image: Any, name: str) -> Network:  # noqa: ANN401  (torch is an extra)
    """Read a `torch.nn.Module`, by way of an export to memory; needs the `torch` extra.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it is exported as for use, not for training.
    image : torch.Tensor of shape (1, channels, height, width)
        An example of its input.
    name : str
        Name of the network.

    Returns
    -------
    Network

    Raises
    ------
    NetworkError
        If torch is not installed, or the network is not one `read_model` can read.
    """
    try:
        from labctl_procedures.network.torch_export import exported
    except ImportError as error:
        raise NetworkError(f"network '{name}': torch is not installed ({error})") from error

    return read_model(exported(module, image), name)
