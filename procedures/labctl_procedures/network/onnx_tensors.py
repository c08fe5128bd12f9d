"""The constants of an .onnx file, and what labctl adds to them."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from labctl_procedures.network.errors import NetworkError

SCALE_KEY = "labctl.weight_scale."
"""Prefix of the metadata keys that carry the size of one level of a weight tensor."""


def read_constants(where: str, graph: onnx.GraphProto) -> dict[str, npt.NDArray[Any]]:
    """Return the constants of a graph by name.

    Parameters
    ----------
    where : str
        The file, for messages.
    graph : GraphProto
        The graph; its initializers and Constant nodes are read.

    Raises
    ------
    NetworkError
        If a tensor lies outside the file, or is not readable.
    """
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                tensors["".join(node.output)] = attribute.t
    for name, tensor in tensors.items():
        if tensor.data_location == TensorProto.EXTERNAL:
            raise NetworkError(
                f"{where} tensor '{name}': its values lie in another file; "
                "save the model with its data inside"
            )
    return {name: _values(where, name, tensor) for name, tensor in tensors.items()}


def _values(where: str, name: str, tensor: TensorProto) -> npt.NDArray[Any]:
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, KeyError, TypeError) as error:
        raise NetworkError(f"{where} tensor '{name}': not readable ({error})") from error


def read_scales(where: str, model: onnx.ModelProto) -> dict[str, float]:
    """Return the size of one level of each weight tensor whose training noted it.

    Raises
    ------
    NetworkError
        If a size is not a number above 0.
    """
    scales = {}
    for entry in model.metadata_props:
        key = str(entry.key)
        if key.startswith(SCALE_KEY):
            scales[key.removeprefix(SCALE_KEY)] = _scale(where, key, str(entry.value))
    return scales


def _scale(where: str, key: str, text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = float("nan")
    if not 0 < scale < float("inf"):
        raise NetworkError(f"{where} metadata '{key}': asked for a size above 0, found '{text}'")
    return scale
