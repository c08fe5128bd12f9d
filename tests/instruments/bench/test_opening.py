"""From a bench file to a station: chips, seeds, states, and what is closed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_data.chip_file import CellState, write_chip
from labctl_data.errors import LabctlError
from labctl_data.model import StuckClass, preset
from labctl_instruments.errors import DialogueError, InstrumentError

SOME = Cells.of([[0, 3, 4], [7, 100, 15], [2, 0, 0]])


def chip_file(tmp_path: Path, shape: tuple[int, int, int] = (8, 128, 16)) -> Path:
    stuck = np.zeros(shape, np.int8)
    stuck[0, 3, 4] = StuckClass.STUCK_LOW
    write_chip(tmp_path / "chip.h5", preset("yao-quiet"), cells=CellState(stuck))
    return tmp_path / "chip.h5"


def test_the_known_stuck_cells_are_those_of_the_chip_file(tmp_path):
    with li.open_bench("sim-board", chip=chip_file(tmp_path)) as station:
        assert station.known_stuck[0, 3, 4] == StuckClass.STUCK_LOW
        assert np.count_nonzero(station.known_stuck) == 1
        assert station.bench.chip_file == tmp_path / "chip.h5"


def test_a_chip_file_of_another_size_is_refused(tmp_path):
    with pytest.raises(LabctlError, match=r"chip.h5: .*\(1, 8, 8\)"):
        li.open_bench("sim-board", chip=chip_file(tmp_path, (1, 8, 8)))


def test_without_a_chip_file_no_cell_is_known_to_be_stuck():
    with li.open_bench("sim-board") as station:
        assert not station.known_stuck.any()
        assert station.bench.chip_file is None
        assert station.bench.seed == 1


def test_a_seed_makes_a_chip_and_the_same_seed_makes_it_again():
    readings = []
    for seed in (5, 5, 6):
        with li.open_bench("sim-board", seed=seed) as station:
            assert station.bench.seed == seed
            readings.append(station.read(SOME).tolist())

    assert readings[0] == readings[1] != readings[2]


def test_a_state_file_carries_the_chip_from_bench_to_bench(tmp_path):
    text = li.load_bench("sim-board").text.replace('"formed"', '"state.h5"')
    path = tmp_path / "bench.toml"
    path.write_text(text, encoding="utf-8")
    with li.open_bench(path) as station:
        for _ in range(3):
            station.pulse(SOME, 1, 1.8, 50e-9, 4.7)
        left = station.now()

    with li.open_bench(path) as station:
        assert station.now() >= left
        assert station.pulse_counts(SOME).tolist() == [3, 3, 3]


def test_an_instrument_that_cannot_be_reached_is_named_by_its_address():
    with pytest.raises(InstrumentError, match=r"^GPIB0::\d+::INSTR: cannot be opened: \S"):
        li.open_bench("smu")


def test_when_an_instrument_is_not_the_one_named_what_was_opened_is_closed(tmp_path, monkeypatch):
    from pymeasure.adapters import VISAAdapter

    from labctl_instruments.drivers.array_test_board import ArrayTestBoard

    closed = []
    close = VISAAdapter.close
    monkeypatch.setattr(
        VISAAdapter, "close", lambda one: (closed.append(one.resource_name), close(one))[1]
    )
    monkeypatch.setattr(ArrayTestBoard, "models", ("ANOTHER-BOARD",))

    with pytest.raises(DialogueError, match=r"board: expected a ANOTHER-BOARD, 'labctl,ARRAY-"):
        li.open_bench("sim-board")

    # Connections of other tests may be collected meanwhile.
    assert set(closed) >= {
        "TCPIP0::array-board.sim::hislip0::INSTR",
        "TCPIP0::clock.sim::hislip0::INSTR",
    }
