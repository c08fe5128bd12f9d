from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl_data.model import StuckClass
from labctl_instruments.station import Station
from labctl_procedures.network import (
    ImageSet,
    NetworkError,
    NetworkPlan,
    TrainSettings,
    infer,
    program,
    train_in_situ,
)

OpenBoard = Callable[..., Station]


def planted(plan: NetworkPlan, share: float) -> np.ndarray:
    """Return a map with a share of the last layer's cells stuck, half low and half high."""
    rng = np.random.default_rng(2)
    cells = plan.layers[-1].cells(0, plan.geometry)
    chosen = cells[rng.permutation(len(cells))[: round(share * len(cells))]]
    stuck = np.zeros(plan.geometry.shape, np.int8)
    stuck[tuple(chosen.addresses.T)] = np.where(
        rng.random(len(chosen)) < 0.5, StuckClass.STUCK_LOW, StuckClass.STUCK_HIGH
    )
    return stuck


def test_training_in_place_recovers_most_of_what_stuck_cells_cost(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet
) -> None:
    station = open_board(plan.geometry, stuck=planted(plan, 0.15))
    program(station, plan)
    before = infer(station, plan, digits.test_images, digits.test_labels).accuracy

    report = train_in_situ(station, plan, digits, TrainSettings(fraction=0.5))

    after = infer(station, plan, digits.test_images, digits.test_labels).accuracy
    assert before < 0.97
    assert after - before > 0.5 * (0.99 - before)
    assert report.losses[-6:].mean() < 0.7 * report.losses[:6].mean()
    assert report.images == 600


def test_only_pairs_asked_to_change_beyond_the_threshold_are_written(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    station = open_board(plan.geometry, exact_conductances)

    report = train_in_situ(station, plan, digits, TrainSettings(threshold=1.0))

    assert (report.writes, report.pulses) == (0, 0)
    counts = station.pulse_counts(plan.cells)
    assert counts is not None
    assert not counts.any()


def test_weights_asked_for_beyond_what_a_pair_can_hold_are_counted(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet
) -> None:
    gentle, rough = (
        train_in_situ(open_board(plan.geometry), plan, digits, TrainSettings(epochs=1, rate=rate))
        for rate in (1e-9, 10e-3)
    )

    assert gentle.clipped_requests == 0
    assert 0 < rough.clipped_requests <= rough.writes


def test_the_convolutions_are_left_alone_and_the_pulses_counted(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    blank = exact_conductances.copy()
    blank[tuple(plan.layers[-1].cells(0, plan.geometry).addresses.T)] = 2e-6  # all weights 0
    station = open_board(plan.geometry, blank)

    report = train_in_situ(station, plan, digits, TrainSettings(epochs=1))

    last = station.pulse_counts(plan.layers[-1].cells(0, plan.geometry))
    every = station.pulse_counts(plan.cells)
    assert last is not None
    assert every is not None
    assert report.pulses == last.sum() == every.sum() > 0


def test_training_uses_the_share_of_training_images_asked_for_and_no_test_image(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, exact_conductances: np.ndarray
) -> None:
    blind = ImageSet(
        "blind",
        digits.train_images,
        digits.train_labels,
        np.zeros_like(digits.test_images),
        np.zeros_like(digits.test_labels),
    )

    reports = [
        train_in_situ(
            open_board(plan.geometry, exact_conductances), plan, images, TrainSettings(epochs=1)
        )
        for images in (digits, blind)
    ]

    assert reports[0].images == 120  # a tenth of 1,200
    assert np.array_equal(reports[0].losses, reports[1].losses)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (TrainSettings(fraction=0.0), "share of 0.0"),
        (TrainSettings(fraction=1.5), "share of 1.5"),
        (TrainSettings(epochs=0), "0 epochs"),
        (TrainSettings(teacher=2.0), "teacher"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    open_board: OpenBoard,
    plan: NetworkPlan,
    digits: ImageSet,
    settings: TrainSettings,
    message: str,
) -> None:
    station = open_board(plan.geometry)

    with pytest.raises(NetworkError, match=message):
        train_in_situ(station, plan, digits, settings)


def test_a_layer_is_trained_by_name_and_the_others_get_no_pulse(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet
) -> None:
    station = open_board(plan.geometry, stuck=planted(plan, 0.15))
    program(station, plan)
    before = station.pulse_counts(plan.cells)

    settings = TrainSettings(("c3",), fraction=0.2, least_batches=4, epochs=1, rate=1e-5)
    report = train_in_situ(station, plan, digits, settings)

    given = {
        layer.layer.name: sum(
            int(station.pulse_counts(layer.cells(copy, plan.geometry)).sum())
            for copy in range(len(layer.lines))
        )
        for layer in plan.layers
    }
    assert report.layers == ("C3",)
    assert sum(given.values()) - int(before.sum()) == report.pulses > 0
    c1, fc = (plan.layers[number].cells(0, plan.geometry) for number in (0, 2))
    programmed = dict(zip(map(tuple, plan.cells.addresses), before, strict=True))
    for cells in (c1, fc):
        earlier = [programmed[tuple(address)] for address in cells.addresses]
        assert np.array_equal(station.pulse_counts(cells), earlier)


def test_a_name_that_no_layer_has_is_refused_with_those_there_are(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet
) -> None:
    with pytest.raises(NetworkError, match=r"no layer 'fc2'; it has C1, C3, FC"):
        train_in_situ(open_board(plan.geometry), plan, digits, TrainSettings(layers=("fc2",)))


LIVELY = TrainSettings(fraction=0.5, epochs=2, rate=3e-6)


def test_training_that_was_stopped_within_a_write_goes_on_where_it_was(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, tmp_path: Path
) -> None:
    station = open_board(plan.geometry, stuck=planted(plan, 0.05))
    program(station, plan)
    cells = plan.layers[-1].cells(0, plan.geometry)
    before = int(station.pulse_counts(cells).sum())
    path = tmp_path / "run.h5.training.npz"
    asked = iter(range(10_000))

    first = train_in_situ(
        station, plan, digits, LIVELY, checkpoint=path, should_stop=lambda: next(asked) > 30
    )
    second = train_in_situ(station, plan, digits, LIVELY, checkpoint=path)

    assert 0 < len(first.losses) < len(second.losses) == 60
    assert np.array_equal(second.losses[: len(first.losses)], first.losses)
    assert second.pulses == int(station.pulse_counts(cells).sum()) - before > first.pulses


def test_a_finished_training_taken_up_again_gives_hardly_a_pulse(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, tmp_path: Path
) -> None:
    station = open_board(plan.geometry, stuck=planted(plan, 0.05))
    program(station, plan)
    path = tmp_path / "checkpoint.npz"
    first = train_in_situ(station, plan, digits, LIVELY, checkpoint=path)

    second = train_in_situ(station, plan, digits, LIVELY, checkpoint=path)

    assert np.array_equal(second.losses, first.losses)
    assert second.writes == first.writes
    assert second.pulses - first.pulses < 0.02 * first.pulses


def test_the_checkpoint_of_another_training_is_refused(
    open_board: OpenBoard, plan: NetworkPlan, digits: ImageSet, tmp_path: Path
) -> None:
    station = open_board(plan.geometry)
    path = tmp_path / "checkpoint.npz"
    train_in_situ(station, plan, digits, TrainSettings(least_batches=1, epochs=1), checkpoint=path)

    with pytest.raises(NetworkError, match="is of a training with settings"):
        train_in_situ(station, plan, digits, TrainSettings(epochs=2), checkpoint=path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(NetworkError, match="not a checkpoint"):
        train_in_situ(station, plan, digits, TrainSettings(epochs=2), checkpoint=path)


def test_where_images_are_few_there_are_more_passes() -> None:
    few, many = TrainSettings().passes(120), TrainSettings().passes(6000)

    assert few * 2 == TrainSettings().least_batches  # 120 images are two batches
    assert many == TrainSettings().epochs
