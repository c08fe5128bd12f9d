"""Networks that branch and join: against onnxruntime, and in whole numbers apart from labctl."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from labctl_data.cells import Geometry
from labctl_instruments.station import Station
from labctl_procedures.network import MappingSettings, infer, map_network, matched
from labctl_procedures.network.graph import Network, moments, scores
from labctl_procedures.network.inference import station_mac
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.onnx_import import read_model, read_module
from labctl_procedures.network.operators import Add, Rectify
from labctl_procedures.network.plan import HostPlan, LayerPlan, NetworkPlan
from labctl_procedures.network.resnet56 import resnet56_model
from labctl_procedures.network.signal_chain import inputs_of_last, layer_inputs, maps_into, run
from labctl_procedures.network.tiling import tile

SIDE = 6
CHIP = Geometry(20, 16, 36)
OpenBoard = Callable[..., Station]


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


@pytest.fixture(scope="module")
def residual() -> Network:
    """A first convolution, a block with a shortcut around two, and a layer on the mean of maps."""
    rng = np.random.default_rng(5)
    nodes = [
        helper.make_node("Sub", ["image", "mean"], ["x0"], name="centre"),
        helper.make_node("Conv", ["x0", "a"], ["x1"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["x1"], ["x2"]),
        helper.make_node("Conv", ["x2", "b"], ["x3"], name="second", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["x3", "x2"], ["x4"], name="sum"),
        helper.make_node("Conv", ["x4", "c"], ["x5"], name="signed", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["x5"], ["x6"]),
        helper.make_node("GlobalAveragePool", ["x6"], ["x7"]),
        helper.make_node("Flatten", ["x7"], ["x8"]),
        helper.make_node("Gemm", ["x8", "d"], ["y"], name="last", transB=1),
    ]
    constants = {
        "mean": np.full((1, 2, 1, 1), 0.45),
        "a": rng.normal(size=(4, 2, 3, 3)) * 0.4,
        "b": rng.normal(size=(4, 4, 3, 3)) * 0.3,
        "c": rng.normal(size=(4, 4, 3, 3)) * 0.3,
        "d": rng.normal(size=(3, 4)),
    }
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 2, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return read_model(model, "residual")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (48, SIDE, SIDE, 2), dtype=np.uint8)


@pytest.fixture(scope="module")
def residual_plan(residual: Network, pictures: np.ndarray) -> NetworkPlan:
    return map_network(residual, CHIP, pictures, MappingSettings(most_copies=1))


Map = dict[tuple[int, int, int], int]


def half_up(count: int, multiplier: int, shift: int) -> int:
    return int((Fraction(count * multiplier, 2**shift) + Fraction(1, 2)) // 1)


def convolved(layer: LayerPlan, codes: Map, side: int) -> Map:
    """Convolve codes bit by bit in Python integers: level numbers, the ADC's rule, the bias."""
    outputs, height, width, channels = layer.levels.shape
    step = Fraction(*layer.lsb)
    top, left, _, _ = layer.layer.padding
    per_block = max(36 // (height * width), 1)  # whole channels on 36 bit lines
    out: Map = {}
    for o, y, x in np.ndindex(outputs, side, side):
        total = 0
        for first in range(0, channels, per_block):
            taps = [
                (codes.get((c, y + dy - top, x + dx - left), int(layer.border[c])), o, dy, dx, c)
                for c in range(first, min(first + per_block, channels))
                for dy in range(height)
                for dx in range(width)
            ]
            for bit in range(8):
                driven = [int(layer.levels[t[1:]]) for t in taps if t[0] >> bit & 1]
                plus = sum(7 + 9 * max(w, 0) for w in driven)
                minus = sum(7 + 9 * max(-w, 0) for w in driven)
                code = [min(255, int((i / step + Fraction(1, 2)) // 1)) for i in (plus, minus)]
                total += (code[0] - code[1]) << bit
        value = half_up(total, int(layer.factor[o]), 16) + int(layer.bias[o])
        out[o, y, x] = max(value, 0) if layer.layer.relu else value
    return out


def coded(layer: LayerPlan, counts: Map) -> Map:
    if layer.coding is None:
        raise AssertionError("only the first layer reads the image")
    ratio, zero = layer.coding.ratio, layer.coding.zero
    return {
        place: min(max(half_up(count, ratio.multiplier, ratio.shift) + zero, 0), 255)
        for place, count in counts.items()
    }


def residual_scores(plan: NetworkPlan, image: np.ndarray) -> list[int]:
    """Compute one picture's scores from level numbers; no code is shared."""
    first, second, signed, last = plan.layers
    pixels = {(c, y, x): int(image[y, x, c]) for y, x, c in np.ndindex(image.shape)}
    x2 = convolved(first, pixels, SIDE)
    x3 = convolved(second, coded(second, x2), SIDE)
    total = next(step for step in plan.steps if isinstance(step, HostPlan))
    ratios = [(ratio.multiplier, ratio.shift) for ratio in total.ratios]
    x4 = {p: half_up(x3[p], *ratios[0]) + half_up(x2[p], *ratios[1]) for p in x3}
    x6 = convolved(signed, coded(signed, x4), SIDE)
    x7 = {(o, 0, 0): sum(x6[o, y, x] for y, x in np.ndindex(SIDE, SIDE)) for o in range(4)}
    y = convolved(last, coded(last, x7), 1)
    return [y[o, 0, 0] for o in range(3)]


def test_a_residual_network_is_what_python_integers_say(
    residual_plan: NetworkPlan, pictures: np.ndarray
) -> None:
    found = run(residual_plan, pictures[:2], exact_mac(residual_plan)).values

    for image, answered in zip(pictures[:2], found, strict=True):
        assert residual_scores(residual_plan, image) == answered.tolist()


def test_a_residual_network_on_the_board_equals_the_reference_bit_for_bit(
    open_board: OpenBoard, residual_plan: NetworkPlan, pictures: np.ndarray
) -> None:
    levels = np.full(CHIP.shape, 2e-6)
    levels[tuple(residual_plan.cells.addresses.T)] = residual_plan.targets
    station = open_board(CHIP, levels, noise=False)

    found = infer(station, residual_plan, pictures, np.zeros(len(pictures), np.int64))

    expected = run(residual_plan, pictures, exact_mac(residual_plan))
    assert np.array_equal(found.scores, expected.values)
    assert found.clipped == expected.clipped


def test_what_is_done_to_the_pixels_alone_is_taken_up_by_the_first_layer(
    residual: Network, residual_plan: NetworkPlan
) -> None:
    kinds = [type(node.work) for node in residual.nodes if not hasattr(node.work, "weights")]

    assert kinds[0] is Add
    assert Rectify not in kinds
    assert residual_plan.layers[0].border.tolist() == [115, 115]  # 0.45 x 255 = 114.75: no light


def test_inputs_that_can_be_negative_are_coded_around_a_zero_that_borders_share(
    residual_plan: NetworkPlan,
) -> None:
    signed = residual_plan.layers[2]

    assert signed.coding is not None
    assert 0 < signed.coding.zero < 255
    assert set(signed.border.tolist()) == {signed.coding.zero}
    unsigned = residual_plan.layers[1].coding
    assert unsigned is not None
    assert unsigned.zero == 0


def test_outputs_with_their_own_level_size_miss_the_float_network_by_less(
    residual: Network, pictures: np.ndarray
) -> None:
    expected = scores(residual, pictures)

    def missed(levels_by: str) -> float:
        chosen = MappingSettings(levels_by=levels_by, adc_bits=16, cell_levels=4)  # type: ignore[arg-type]  # from the list below
        plan = map_network(residual, CHIP, pictures, chosen)
        found = run(plan, pictures, exact_mac(plan)).values * plan.layers[-1].output_scale
        return float(np.square(found - expected).mean())

    assert missed("output") < missed("layer")


def test_matching_gives_every_output_the_moments_of_the_float_network(
    open_board: OpenBoard, residual: Network, residual_plan: NetworkPlan, pictures: np.ndarray
) -> None:
    written = np.random.default_rng(9).normal(residual_plan.target_map, 1e-6)  # gross errors
    station = open_board(CHIP, np.clip(np.nan_to_num(written, nan=2e-6), 1e-6, 26e-6), noise=False)
    mac = station_mac(station, residual_plan)

    plan = matched(residual_plan, pictures, mac)

    wanted = moments(residual, pictures)[2]  # the third layer: errors of two before it
    maps = maps_into(plan, 2, pictures, mac)
    layer = plan.layers[2]
    sums = station.mac(layer_inputs(layer, maps), layer.lines[0], layer.mac)
    counts = sums * layer.factor / 2**16 + layer.bias
    assert counts.mean(axis=0) * layer.output_scale == pytest.approx(wanted[0], abs=0.02)
    assert counts.std(axis=0) * layer.output_scale == pytest.approx(wanted[1], rel=0.02)


def test_the_last_layer_alone_answers_from_its_codes_what_the_whole_network_does(
    residual_plan: NetworkPlan, pictures: np.ndarray
) -> None:
    codes = inputs_of_last(residual_plan, pictures, exact_mac(residual_plan))
    alone = residual_plan.last_layer_alone()

    found = run(alone, codes, exact_mac(alone)).values

    whole = run(residual_plan, pictures, exact_mac(residual_plan)).values
    assert np.array_equal(found, whole)


def test_a_module_of_torch_scores_as_it_does_in_torch() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.ConstantPad2d((1, 0, 0, 1), 0.0),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    ).eval()
    images = np.random.default_rng(2).integers(0, 256, (4, SIDE, SIDE, 2), dtype=np.uint8)

    network = read_module(module, torch.zeros(1, 2, SIDE, SIDE), "module")

    pixels = torch.tensor(images.transpose(0, 3, 1, 2) / 255, dtype=torch.float32)
    expected = module(pixels).detach().numpy()
    assert scores(network, images) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_resnet_56_has_the_weights_of_its_paper_and_fits_746_arrays() -> None:
    rng = np.random.default_rng(0)
    model = resnet56_model(Anything(rng))

    network = read_model(model, "resnet56")

    tilings = [tile(layer, Geometry(746, 16, 144)) for layer in network.layers]
    arrays = [tiling.weights.shape[0] * len(tiling.parts) for tiling in tilings]
    assert sum(layer.weights.size for layer in network.layers) == 848_944  # He et al.: 0.85 M
    assert sum(arrays) + 3 * arrays[0] == 746  # FACTS A, by plain differential counting
    assert network.layers[0].border is not None  # the normalisation of pixels is folded


class Anything(dict[str, np.ndarray]):
    """Weights of the right shapes for any name of a state of ResNet-56."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.rng = rng

    def __missing__(self, name: str) -> np.ndarray:
        if name.startswith("linear"):
            return self.rng.normal(size=(10, 64) if name.endswith("weight") else 10)
        stage = int(name[5]) - 1 if name.startswith("layer") else 0
        channels = (16, 32, 64)[stage]
        first = ".0.conv1" in name and stage > 0
        before = channels // 2 if first else 3 if name == "conv1.weight" else channels
        if "conv" in name:
            return self.rng.normal(size=(channels, before, 3, 3))
        return self.rng.uniform(0.5, 1.5, channels)
