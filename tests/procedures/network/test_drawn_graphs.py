"""Any network that branches and joins, drawn at random, against onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from labctl_data.cells import Geometry
from labctl_procedures.network import MappingSettings, map_network
from labctl_procedures.network.graph import scores
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.onnx_import import read_model
from labctl_procedures.network.signal_chain import run

SIDE = 6


class Drawn:
    """A random graph on maps of three dimensions, as another tool would write it."""

    def __init__(self, seed: int, channels: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.maps: list[tuple[str, int, int]] = [("image", channels, SIDE)]
        self.channels = channels

    def constant(self, values: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        kind = np.int64 if np.asarray(values).dtype == np.int64 else np.float32
        self.constants[name] = np.asarray(values, kind)
        return name

    def add(self, kind: str, inputs: list[str], channels: int, side: int, **given: object) -> None:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **given))
        self.maps.append((name, channels, side))

    def step(self, kind: str, pick: int) -> None:
        """Append a node of a kind that reads one of the maps there are."""
        name, channels, side = self.maps[pick % len(self.maps)]
        draw = getattr(self, kind)
        draw(name, channels, side)

    def convolution(self, name: str, channels: int, side: int) -> None:
        kernel = self.rng.normal(size=(3, channels, 3, 3)) / (3 * channels**0.5)
        constants = [self.constant(kernel), self.constant(self.rng.normal(size=3) * 0.1)]
        stride = int(self.rng.integers(1, 3))
        pads, strides = [1, 1, 1, 1], [stride, stride]
        after = (side - 1) // stride + 1
        self.add("Conv", [name, *constants], 3, after, pads=pads, strides=strides)

    def normalisation(self, name: str, channels: int, side: int) -> None:
        values = [*self.rng.normal(size=(3, channels)), self.rng.uniform(0.5, 2, channels)]
        constants = [self.constant(value) for value in values]
        self.add("BatchNormalization", [name, *constants], channels, side)

    def relu(self, name: str, channels: int, side: int) -> None:
        self.add("Relu", [name], channels, side)

    def clip(self, name: str, channels: int, side: int) -> None:
        ends = [self.constant(np.array(-0.2)), self.constant(np.array(0.7))]
        self.add("Clip", [name, *ends], channels, side)

    def pool(self, name: str, channels: int, side: int) -> None:
        kind = ["MaxPool", "AveragePool"][int(self.rng.integers(2))]
        pads = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 1, 1, 0]}
        self.add(kind, [name], channels, side, **pads)

    def scaled(self, name: str, channels: int, side: int) -> None:
        kind = ["Add", "Sub", "Mul", "Div"][int(self.rng.integers(4))]
        factor = self.rng.uniform(0.5, 1.5, (1, channels, 1, 1))
        self.add(kind, [name, self.constant(factor)], channels, side)

    def sum(self, name: str, channels: int, side: int) -> None:
        alike = [m[0] for m in self.maps if m[1:] == (channels, side)]
        self.add("Add", [name, alike[int(self.rng.integers(len(alike)))]], channels, side)

    def joined(self, name: str, channels: int, side: int) -> None:
        others = [m for m in self.maps if m[2] == side]
        other = others[int(self.rng.integers(len(others)))]
        self.add("Concat", [name, other[0]], channels + other[1], side, axis=1)

    def padded(self, name: str, channels: int, side: int) -> None:
        widths = np.array([0, 1, 1, 0, 0, 0, 0, 1])
        value = self.constant(np.array(0.25))
        self.add("Pad", [name, self.constant(widths), value], channels + 1, side + 1)

    def model(self) -> onnx.ModelProto:
        """End in a mean over the map and one fully connected layer."""
        name, channels, side = self.maps[-1]
        self.add("GlobalAveragePool", [name], channels, 1)
        self.add("Flatten", [self.maps[-1][0]], channels, side)
        matrix = self.constant(self.rng.normal(size=(4, channels)))
        self.add("Gemm", [self.maps[-1][0], matrix], 4, 1, transB=1)
        shape = ["batch", self.channels, SIDE, SIDE]
        graph = helper.make_graph(
            self.nodes,
            "drawn",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(self.maps[-1][0], TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


KINDS = [
    "convolution",
    "normalisation",
    "relu",
    "clip",
    "pool",
    "scaled",
    "sum",
    "joined",
    "padded",
]
GRAPHS = st.builds(
    lambda seed, channels, steps: (seed, channels, steps),
    st.integers(0, 2**32 - 1),
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 20)), min_size=1, max_size=8),
)


def drawn_model(drawn: tuple[int, int, list[tuple[str, int]]]) -> onnx.ModelProto:
    seed, channels, steps = drawn
    graph = Drawn(seed, channels)
    for kind, pick in steps:
        graph.step(kind, pick)
    return graph.model()


def by_onnxruntime(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    pixels = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    return np.asarray(session.run(None, {"image": pixels})[0])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(drawn=GRAPHS)
def test_any_graph_scores_as_onnxruntime_does(
    drawn: tuple[int, int, list[tuple[str, int]]],
) -> None:
    model = drawn_model(drawn)
    images = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, drawn[1]), dtype=np.uint8)

    found = scores(read_model(model, "drawn"), images)

    expected = by_onnxruntime(model, images)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5 * float(np.abs(expected).max()))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(drawn=GRAPHS)
def test_with_fine_cells_and_converters_any_graph_scores_nearly_as_in_floating_point(
    drawn: tuple[int, int, list[tuple[str, int]]],
) -> None:
    network = read_model(drawn_model(drawn), "drawn")
    images = np.random.default_rng(1).integers(0, 256, (40, SIDE, SIDE, drawn[1]), dtype=np.uint8)
    fine = MappingSettings(cell_levels=257, adc_bits=16, calibration_images=40)
    plan = map_network(network, Geometry(60, 16, 36), images, fine)

    found = run(plan, images, exact_mac(plan)).values * plan.layers[-1].output_scale

    expected = scores(network, images)
    spread = float(np.abs(expected).max())
    assert np.abs(found - expected).mean() <= 0.03 * spread  # what 8-bit codes leave
