"""The five-layer network of Yao et al. (2020) as an .onnx graph; needs onnx, not torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from labctl_procedures.network.onnx_tensors import SCALE_KEY


def write_mcnn(
    path: Path, weights: Mapping[str, npt.NDArray[np.float32]], scales: Mapping[str, float]
) -> None:
    """Write the network.

    Parameters
    ----------
    path : Path
        The .onnx file.
    weights : mapping
        `c1` of shape (8, 1, 3, 3), `c3` of shape (12, 8, 3, 3), `fc` of shape (10, 192), float32.
    scales : mapping
        Size of one of the 15 levels the layer was trained for, by the same names.
    """
    nodes = [
        helper.make_node("Conv", ["image", "c1"], ["C1"], name="C1", kernel_shape=[3, 3]),
        helper.make_node("Relu", ["C1"], ["R1"], name="R1"),
        helper.make_node("MaxPool", ["R1"], ["S2"], name="S2", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["S2", "c3"], ["C3"], name="C3", kernel_shape=[3, 3]),
        helper.make_node("Relu", ["C3"], ["R3"], name="R3"),
        helper.make_node(
            "MaxPool",
            ["R3"],
            ["S4"],
            name="S4",
            kernel_shape=[3, 3],
            strides=[3, 3],
            ceil_mode=1,
        ),
        helper.make_node("Flatten", ["S4"], ["F4"], name="F4"),
        helper.make_node("Gemm", ["F4", "fc"], ["logits"], name="FC", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "mcnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        [
            numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)
            for name, array in weights.items()
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="labctl", ir_version=8
    )
    helper.set_model_props(
        model, {f"{SCALE_KEY}{name}": repr(scale) for name, scale in scales.items()}
    )
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
