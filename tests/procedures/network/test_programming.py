from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl_data.cells import Geometry
from labctl_data.model import StuckClass
from labctl_instruments.station import Station
from labctl_procedures.network import (
    ErrorSource,
    NetworkError,
    NetworkPlan,
    ProgramSettings,
    map_network,
    program,
)
from labctl_procedures.network.onnx_import import read_onnx

OpenBoard = Callable[..., Station]
SMALL = Geometry(4, 64, 16)


@pytest.fixture
def small(small_convolution: Path, images: np.ndarray) -> NetworkPlan:
    return map_network(read_onnx(small_convolution), SMALL, images)


def test_every_cell_of_the_network_ends_near_its_target(
    open_board: OpenBoard, small: NetworkPlan
) -> None:
    station = open_board(SMALL)

    report = program(station, small)

    assert len(report.cells) == len(small.targets)
    assert not report.failed.any()
    # The window of +-0.25 uS, the read noise of its verify reads, and relaxation since.
    assert report.error < 0.35e-6
    assert station.read(small.cells, averages=16) == pytest.approx(small.targets, abs=2.5e-6)


def test_the_pulses_reported_are_those_the_board_counted(
    open_board: OpenBoard, small: NetworkPlan
) -> None:
    station = open_board(SMALL)

    report = program(station, small)

    counts = station.pulse_counts(small.cells)
    assert counts is not None
    assert report.pulses == counts.sum() > len(report.cells)


def test_an_added_error_is_found_in_the_cells_and_the_loop_does_not_know_it(
    open_board: OpenBoard, small: NetworkPlan
) -> None:
    station = open_board(SMALL, preset="yao-quiet")
    settings = ProgramSettings(error=ErrorSource(sigma=0.5e-6, seed=1))

    report = program(station, small, settings)

    assert not report.failed.any()
    added = np.sqrt(
        report.error**2 - program(open_board(SMALL, preset="yao-quiet"), small).error ** 2
    )
    n = len(report.cells)
    assert added == pytest.approx(0.5e-6, rel=4 / np.sqrt(2 * n) + 0.1)  # 0.1: clipped at 1.25 uS
    # Of the cells at the lowest level, 2 uS, those that lie 1.5 sigma below are cut: 6.7 %.
    lowest = int(np.count_nonzero(np.isclose(small.targets, 2e-6)))
    expected = 0.0668 * lowest
    assert abs(report.clipped_requests - expected) < 4 * np.sqrt(expected)


def test_stuck_cells_are_named_and_those_known_get_no_pulse(
    open_board: OpenBoard, small: NetworkPlan
) -> None:
    stuck = np.zeros(SMALL.shape, np.int8)
    known = small.cells[[0, 5, 9]]
    stuck[tuple(known.addresses.T)] = StuckClass.STUCK_HIGH
    station = open_board(SMALL, stuck=stuck)

    report = program(station, small)

    assert report.known_stuck == 3
    assert len(report.failures()) == np.count_nonzero(report.failed) == 3
    assert report.failures()[1].startswith("/".join(map(str, known.addresses[1])) + ": known stuck")
    counts = station.pulse_counts(known)
    assert counts is not None
    assert not counts.any()


def test_settling_passes_on_the_clock_of_the_bench(
    open_board: OpenBoard, small: NetworkPlan
) -> None:
    station = open_board(SMALL)

    program(station, small, ProgramSettings(settle=600.0))

    assert station.now() > 600.0


def test_a_stopped_write_names_the_cells_that_were_not_reached(
    open_board: OpenBoard, small: NetworkPlan
) -> None:
    report = program(open_board(SMALL), small, should_stop=lambda: True)

    assert report.failed.mean() > 0.5
    assert report.failures()[0].split(": ")[1].startswith("stopped")


def test_a_plan_for_another_chip_is_not_written(open_board: OpenBoard, small: NetworkPlan) -> None:
    station = open_board(Geometry(1, 16, 8))

    with pytest.raises(NetworkError, match="mapped for a chip"):
        program(station, small)
    assert station.now() < 1e-3
