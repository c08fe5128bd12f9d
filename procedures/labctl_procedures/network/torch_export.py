"""A `torch.nn.Module` as an .onnx model in memory; needs the `torch` extra."""

from __future__ import annotations

import io
import warnings
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator


def exported(module: torch.nn.Module, image: torch.Tensor) -> onnx.ModelProto:
    """Export a network as it is used, not as it is trained.

    Torch's exporter by tracing is taken: it needs no package but torch. That torch calls it
    deprecated, and what it leaves uncomputed, is no news to the caller.

    Parameters
    ----------
    module : torch.nn.Module
        The network; its training mode is put back afterwards.
    image : torch.Tensor of shape (1, channels, height, width) or (1, features)
        An example of its input.

    Returns
    -------
    ModelProto
        Its shapes are those of one image.
    """
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (image,),
            cast("Any", stream),  # it is written to, though declared as a path
            dynamo=False,
            training=torch.onnx.TrainingMode.EVAL,
            input_names=["image"],
            output_names=["scores"],
        )
    model = onnx.load_model_from_string(stream.getvalue())
    return _folded(_folded(model))  # the first time pads, then shapes that follow from them


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute what depends on constants and shapes alone, such as the widths of a padding."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    shapes = _shapes(model)
    kept = []
    for node in graph.node:
        if node.op_type == "Shape" and node.input[0] in shapes:
            constants[node.output[0]] = shapes[node.input[0]]
        elif all(not name or name in constants for name in node.input):
            made = ReferenceEvaluator(node).run(None, {n: constants[n] for n in node.input if n})
            constants |= dict(zip(node.output, made, strict=True))
        else:
            kept.append(node)
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()
    )
    return model


def _shapes(model: onnx.ModelProto) -> dict[str, npt.NDArray[np.int64]]:
    """Return the shapes of all tensors whose sizes are known."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    found = {}
    for info in [*graph.input, *graph.value_info]:
        sizes = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        if all(size > 0 for size in sizes):
            found[str(info.name)] = np.array(sizes, np.int64)
    return found
