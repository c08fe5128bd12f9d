"""Lines and inputs moved to where known stuck cells do little harm."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_data.model import StuckClass
from labctl_instruments.station import Station
from labctl_procedures.network import (
    ImageSet,
    MappingSettings,
    NetworkPlan,
    infer,
    load_network,
    map_network,
)
from labctl_procedures.network.mapping import exact_mac
from labctl_procedures.network.remapping import harm
from labctl_procedures.network.signal_chain import run

YAO = Geometry(8, 128, 16)
ONE_COPY = MappingSettings(most_copies=1, spare_rows=32)
OpenBoard = Callable[..., Station]


@pytest.fixture(scope="module")
def stuck() -> np.ndarray:
    """A map in which 5 % of the cells are stuck, half of them in their low-resistance state."""
    rng = np.random.default_rng(8)
    drawn = rng.random(YAO.shape)
    half = np.where(drawn < 0.025, StuckClass.STUCK_HIGH, StuckClass.STUCK_LOW)
    return np.where(drawn < 0.05, half, StuckClass.NONE).astype(np.int8)


@pytest.fixture(scope="module")
def worn(stuck: np.ndarray) -> np.ndarray:
    """The same, and one bit line of each array stuck in its low-resistance state."""
    found = stuck.copy()
    found[:, :, 3] = StuckClass.STUCK_HIGH
    return found


def mapped(digits: ImageSet, stuck: np.ndarray | None) -> NetworkPlan:
    network = load_network("mcnn", "digits")
    return map_network(network, YAO, digits.train_images, ONE_COPY, known_stuck=stuck)


def lines_by_array(plan: NetworkPlan) -> list[set[int]]:
    lines = np.concatenate([layer.lines[0][layer.lines[0] >= 0] for layer in plan.layers])
    return [set(lines[lines // 128 == pe].tolist()) for pe in range(8)]


def test_lines_stay_in_their_array_and_no_two_share_a_row(
    digits: ImageSet, stuck: np.ndarray
) -> None:
    plain, moved = mapped(digits, None), mapped(digits, stuck)

    before, after = lines_by_array(plain), lines_by_array(moved)
    assert [len(lines) for lines in after] == [len(lines) for lines in before]
    assert len(np.unique(moved.cells.index(YAO))) == len(moved.cells)


def test_without_stuck_cells_nothing_is_moved(digits: ImageSet) -> None:
    none = np.zeros(YAO.shape, np.int8)

    assert np.array_equal(
        mapped(digits, none).cells.addresses, mapped(digits, None).cells.addresses
    )


def test_spare_rows_take_most_of_the_harm_away(digits: ImageSet, stuck: np.ndarray) -> None:
    plain, moved = mapped(digits, None), mapped(digits, stuck)

    assert harm(moved, stuck) < 0.2 * harm(plain, stuck)


def test_one_bad_row_is_left_free_where_there_is_another(digits: ImageSet) -> None:
    stuck = np.zeros(YAO.shape, np.int8)
    stuck[0, 5] = StuckClass.SHORT

    moved = mapped(digits, stuck)

    assert 5 not in lines_by_array(moved)[0]
    assert harm(moved, stuck) == 0


def test_one_bad_bit_line_is_left_free_where_there_is_another(digits: ImageSet) -> None:
    stuck = np.zeros(YAO.shape, np.int8)
    stuck[:, :, 5] = StuckClass.SHORT
    spare = MappingSettings(most_copies=1, spare_columns=1)
    network = load_network("mcnn", "digits")

    moved = map_network(network, YAO, digits.train_images, spare, known_stuck=stuck)

    assert 5 not in moved.cells.addresses[:, 2]
    assert harm(moved, stuck) == 0


def test_only_what_stood_on_a_bad_line_is_moved(digits: ImageSet) -> None:
    """A stranger who compares two maps of one network finds all else in its place."""
    stuck = np.zeros(YAO.shape, np.int8)
    stuck[0, 5] = stuck[:, :, 5] = StuckClass.SHORT
    spare = MappingSettings(most_copies=1, spare_rows=32, spare_columns=1)
    network = load_network("mcnn", "digits")

    plain, moved = (
        map_network(network, YAO, digits.train_images, spare, known_stuck=known)
        for known in (None, stuck)
    )

    for before, after in zip(plain.layers, moved.layers, strict=True):
        lines, columns = before.lines[0], before.mac.columns
        assert np.array_equal(after.lines[0] != lines, lines == 5)
        assert np.array_equal(after.mac.columns != columns, columns == 5)


def test_inputs_stay_on_their_bit_lines_where_other_rows_are_enough(
    digits: ImageSet, stuck: np.ndarray
) -> None:
    plain, moved = mapped(digits, None), mapped(digits, stuck)

    assert harm(moved, stuck) == 0
    for before, after in zip(plain.layers, moved.layers, strict=True):
        assert np.array_equal(before.mac.columns, after.mac.columns)


def test_rows_take_away_what_a_move_of_columns_leaves(digits: ImageSet, worn: np.ndarray) -> None:
    """One bit line of each array is bad and one is spare: scattered cells are left to rows."""
    spare = MappingSettings(most_copies=1, spare_rows=32, spare_columns=1)
    network = load_network("mcnn", "digits")

    moved = map_network(network, YAO, digits.train_images, spare, known_stuck=worn)

    assert harm(moved, worn) == 0


def test_a_bit_line_that_is_bad_for_a_second_copy_alone_is_left_free_by_all(
    digits: ImageSet,
) -> None:
    settings = MappingSettings(most_copies=2, spare_columns=1)
    network = load_network("mcnn", "digits")
    plain = map_network(network, YAO, digits.train_images, settings)
    firsts = np.concatenate([layer.lines[0].ravel() for layer in plain.layers])
    stuck = np.zeros(YAO.shape, np.int8).reshape(-1, 16)
    stuck[:, 5] = StuckClass.SHORT
    stuck[firsts[firsts >= 0], 5] = StuckClass.NONE
    stuck = stuck.reshape(YAO.shape)

    moved = map_network(network, YAO, digits.train_images, settings, known_stuck=stuck)

    assert any(len(layer.lines) == 2 for layer in plain.layers)
    assert harm(plain, stuck) > 0
    assert harm(moved, stuck) == 0


def test_a_short_counts_as_more_harm_than_a_cell_stuck_in_its_low_resistance_state(
    digits: ImageSet,
) -> None:
    plain = mapped(digits, None)
    used = tuple(plain.cells.addresses[0])
    short, high = np.zeros(YAO.shape, np.int8), np.zeros(YAO.shape, np.int8)
    short[used], high[used] = StuckClass.SHORT, StuckClass.STUCK_HIGH

    assert harm(plain, short) > 10 * plain.targets.max() >= 10 * harm(plain, high)


def test_columns_and_rows_together_leave_less_harm_than_rows_alone(
    digits: ImageSet, worn: np.ndarray
) -> None:
    moved = mapped(digits, worn)
    rows_alone = [
        dataclasses.replace(layer, mac=dataclasses.replace(layer.mac, columns=plain.mac.columns))
        for layer, plain in zip(moved.layers, mapped(digits, None).layers, strict=True)
    ]

    assert harm(moved, worn) < 0.5 * harm(dataclasses.replace(moved, steps=tuple(rows_alone)), worn)


def test_inputs_on_other_bit_lines_answer_what_exact_cells_in_order_do(
    open_board: OpenBoard, digits: ImageSet, worn: np.ndarray
) -> None:
    plain, moved = mapped(digits, None), mapped(digits, worn)
    station = open_board(YAO, np.nan_to_num(moved.target_map, nan=2e-6), noise=False)

    found = infer(station, moved, digits.test_images[:50], digits.test_labels[:50])

    expected = run(plain, digits.test_images[:50], exact_mac(plain))
    assert np.array_equal(found.scores, expected.values)
    assert not np.array_equal(moved.layers[1].mac.columns, plain.layers[1].mac.columns)


def test_a_network_moved_around_stuck_cells_recognises_what_an_unmoved_one_does_not(
    open_board: OpenBoard, digits: ImageSet, stuck: np.ndarray
) -> None:
    found = {}
    for name, plan in (("plain", mapped(digits, None)), ("moved", mapped(digits, stuck))):
        station = open_board(YAO, np.nan_to_num(plan.target_map, nan=2e-6), stuck)
        found[name] = infer(station, plan, digits.test_images, digits.test_labels).accuracy

    assert found["moved"] >= 0.96
    assert found["moved"] >= found["plain"] + 0.02
