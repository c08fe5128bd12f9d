"""A network with a shortcut, in whole numbers apart from labctl, and on the board."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from labctl_data.cells import Geometry
from labctl_instruments.station import Station
from labctl_procedures.network import MappingSettings, infer, map_network, matched
from labctl_procedures.network.graph import Network, moments, scores
from labctl_procedures.network.inference import station_mac
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.onnx_import import read_model
from labctl_procedures.network.operators import Add, Rectify
from labctl_procedures.network.plan import HostPlan, LayerPlan, NetworkPlan
from labctl_procedures.network.signal_chain import inputs_of_last, layer_inputs, maps_into, run

SIDE = 6
CHIP = Geometry(20, 16, 36)
OpenBoard = Callable[..., Station]


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
