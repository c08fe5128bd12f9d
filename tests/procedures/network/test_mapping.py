from pathlib import Path

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_procedures.network import (
    MappingSettings,
    NetworkError,
    accuracy_quantized,
    load_images,
    load_network,
    map_network,
)
from labctl_procedures.network.cell_levels import CellLevels
from labctl_procedures.network.graph import scores
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.onnx_import import read_onnx
from labctl_procedures.network.plan import NetworkPlan
from labctl_procedures.network.quantize import quantize
from labctl_procedures.network.signal_chain import run

YAO = Geometry(8, 128, 16)


def lines_of(plan: NetworkPlan, *layers: int, copy: int = 0) -> np.ndarray:
    parts = [plan.layers[i].lines[copy].reshape(-1) for i in layers]
    return np.concatenate(parts)


def test_a_convolver_group_takes_208_source_lines_of_two_arrays(plan: NetworkPlan) -> None:
    for copy in range(3):
        lines = lines_of(plan, 0, 1, copy=copy)

        assert len(set(lines)) == len(lines) == 208  # 16 + 8 x 24
        assert set(lines // 128) == {2 * copy, 2 * copy + 1}


def test_the_last_layer_takes_240_source_lines_of_the_last_two_arrays(plan: NetworkPlan) -> None:
    lines = lines_of(plan, 2)

    assert len(set(lines)) == len(lines) == 240  # 12 x 20
    assert set(lines // 128) == {6, 7}
    assert plan.layers[2].mac.width == 16


def test_every_block_lies_within_one_array(plan: NetworkPlan) -> None:
    for layer in plan.layers:
        for lines in layer.lines:
            assert (lines // 128 == lines[:, :1] // 128).all()


def test_an_image_takes_274304_conversions(plan: NetworkPlan) -> None:
    assert plan.conversions == (676 * 16 + 121 * 192 + 240) * 8 == 274_304


def test_the_network_is_936_and_1920_pairs_and_no_cell_is_used_twice(plan: NetworkPlan) -> None:
    index = plan.cells.index(YAO)

    assert len(index) == len(plan.targets) == 2 * (3 * 936 + 1920)
    assert len(np.unique(index)) == len(index)


def test_a_pair_holds_its_weight_as_a_difference_above_the_lowest_level(plan: NetworkPlan) -> None:
    pairs = plan.layers[2].pairs(0, YAO)
    written = np.full(YAO.shape, np.nan)
    written[tuple(plan.cells.addresses.T)] = plan.targets

    plus, minus = written[tuple(pairs.cells.addresses.T)].reshape(-1, 2).T

    kernels = plan.layers[2].levels.transpose(0, 3, 1, 2).reshape(10, 192)
    assert (plus - minus) / (18e-6 / 7) == pytest.approx(kernels[pairs.outputs, pairs.inputs])
    assert np.minimum(plus, minus) == pytest.approx(np.full(1920, 2e-6))


def test_levels_are_seven_and_nine_k_sevenths_of_two_microsiemens() -> None:
    levels = CellLevels.between(2e-6, 20e-6, 8)

    assert (levels.offset, levels.pitch) == (7, 9)
    assert levels.conductance(np.arange(8)) == pytest.approx(np.linspace(2e-6, 20e-6, 8))


@pytest.mark.parametrize(
    ("low", "high", "count"), [(2e-6, 20e-6, 1), (0.0, 1e-6, 8), (2e-6, 1e-6, 8)]
)
def test_levels_that_cannot_be_are_refused(low: float, high: float, count: int) -> None:
    with pytest.raises(NetworkError, match="levels"):
        CellLevels.between(low, high, count)


def test_the_scale_of_a_layer_makes_the_rounding_error_least() -> None:
    weights = np.random.default_rng(0).normal(size=1000)

    chosen = quantize(weights, highest=7)

    def error(scale: float) -> float:
        return float(np.square(np.clip(np.rint(weights / scale), -7, 7) * scale - weights).sum())

    assert error(chosen.scale) <= min(error(chosen.scale * f) for f in (0.8, 0.9, 1.1, 1.25))
    assert np.abs(chosen.levels).max() == 7


def test_with_a_fine_converter_the_array_scores_as_the_network_of_its_levels_does(
    small_convolution: Path, images: np.ndarray
) -> None:
    network = read_onnx(small_convolution)
    settings = MappingSettings(cell_levels=257, adc_bits=16)  # nothing left to round but codes
    plan = map_network(network, YAO, images, settings)

    sums = run(plan, images, exact_mac(plan)).values * plan.layers[-1].output_scale

    expected = scores(network, images)
    assert sums == pytest.approx(expected, abs=0.02 * float(np.abs(expected).max()))


def test_any_chip_that_holds_the_network_answers_the_same(
    small_convolution: Path, images: np.ndarray
) -> None:
    network = read_onnx(small_convolution)
    settings = MappingSettings(adc_bits=16)

    def answers(geometry: Geometry) -> np.ndarray:
        plan = map_network(network, geometry, images, settings)
        return run(plan, images, exact_mac(plan)).values * plan.layers[-1].output_scale

    wide = answers(YAO)
    narrow = answers(Geometry(30, 6, 4))  # outputs split in threes, inputs in fours

    assert narrow == pytest.approx(wide, abs=0.01 * float(np.abs(wide).max()))


def test_the_packed_network_still_fits_where_arrays_of_its_own_do_not() -> None:
    network, digits = load_network("mcnn", "digits"), load_images("digits")

    plan = map_network(network, Geometry(4, 128, 16), digits.train_images)

    assert plan.copies == 1
    assert len(np.unique(plan.cells.index(plan.geometry))) == 2 * (936 + 1920)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Geometry(2, 128, 16), r"needs 4 arrays of 128 x 16.*has 2.*'FC' \(192 inputs x 10 outp"),
        (Geometry(8, 1, 16), "two source lines"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_with_what_would(
    geometry: Geometry, message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        map_network(load_network("mcnn", "digits"), geometry, load_images("digits").train_images)


@pytest.mark.parametrize(
    "chosen",
    [{"adc_bits": 0}, {"spare_rows": -1}, {"most_copies": 0}, {"calibration_images": 0}],
)
def test_settings_that_lay_out_nothing_are_refused(chosen: dict[str, int]) -> None:
    with pytest.raises(NetworkError, match=rf"mapping: asked for {next(iter(chosen))}"):
        MappingSettings(**chosen)  # type: ignore[arg-type]  # the cases are whole numbers


@pytest.mark.parametrize(("rows", "columns"), [(127, 0), (0, 16), (200, 0)])
def test_spare_lines_that_leave_no_room_are_refused(rows: int, columns: int) -> None:
    network, images = load_network("mcnn", "digits"), load_images("digits").train_images
    settings = MappingSettings(spare_rows=rows, spare_columns=columns)

    with pytest.raises(NetworkError, match=r"spare columns of arrays of 128 x 16"):
        map_network(network, YAO, images, settings)


def test_a_plan_without_calibration_images_is_refused() -> None:
    with pytest.raises(NetworkError, match="no calibration images"):
        map_network(load_network("mcnn", "digits"), YAO, np.zeros((0, 28, 28), np.uint8))


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 8, 8), np.uint8), np.zeros((2, 28, 28)), np.zeros(3, np.uint8)]
)
def test_images_of_another_shape_or_type_are_refused(plan: NetworkPlan, wrong: np.ndarray) -> None:
    with pytest.raises(NetworkError, match=r"asked for (uint8 )?images of shape \(28, 28, 1\)"):
        run(plan, wrong, exact_mac(plan))


def test_the_shipped_digits_network_keeps_its_accuracy_with_15_levels(plan: NetworkPlan) -> None:
    digits = load_images("digits")

    assert accuracy_quantized(plan, digits.test_images, digits.test_labels) >= 0.98


def test_a_plan_tells_where_every_layer_lies(plan: NetworkPlan) -> None:
    text = plan.describe()

    assert "6:0-119 7:0-119" in text
    assert "274304 conversions an image" in text
