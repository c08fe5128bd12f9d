"""A simulated chip that is carried on from run to run by one process at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from labctl_data.cells import Cells
from labctl_data.chip_file import CellState, read_chip
from labctl_data.pulse import PulseKind
from labctl_instruments import open_bench
from labctl_instruments.bench.loading import find_bench
from labctl_instruments.errors import RackError
from labctl_instruments.virtual.state_file import StateHold, StateKeeper

CELL = Cells.of([[0, 3, 4]])


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A bench whose chip has a state file."""
    text = find_bench("sim-board").read_text(encoding="utf-8")
    path = tmp_path / "bench.toml"
    text = text.replace('state = "formed"', 'state = "chip.state.h5"')
    path.write_text(text, encoding="utf-8")
    return path


def test_a_second_bench_on_one_state_file_is_refused_and_the_first_goes_on(bench: Path) -> None:
    with open_bench(bench) as first:
        with pytest.raises(RackError, match="carries on this chip already"):
            open_bench(bench)
        first.pulse(CELL, PulseKind.RESET, 1.8, 50e-9, 4.7)

    with open_bench(bench) as again:
        counts = again.pulse_counts(CELL)
        assert counts is not None
        assert counts.tolist() == [1]


def test_a_bench_that_could_not_be_opened_lets_its_state_file_go(bench: Path) -> None:
    with open_bench(bench, seed=1):
        pass

    with pytest.raises(RackError, match="has seed 1, asked for seed 2"):
        open_bench(bench, seed=2)

    with open_bench(bench, seed=1) as again:
        assert again.bench.seed == 1


def test_a_chip_is_saved_while_its_bench_is_still_open(bench: Path, tmp_path: Path) -> None:
    state = tmp_path / "other.state.h5"
    written = threading.Event()
    taken = iter(range(10**6))

    def take() -> CellState:
        return CellState(stuck=np.zeros((1, 1, 1), np.int8), facts={"exchanges": next(taken)})

    def write(_: CellState) -> None:
        written.set()

    keeper = StateKeeper(StateHold(state), take, write, every=1e-3)
    try:
        assert written.wait(10.0)
    finally:
        keeper.close()


def test_what_is_saved_at_the_end_is_a_chip_file_with_the_bench_time(bench: Path) -> None:
    with open_bench(bench) as station:
        station.wait(30.0)
        now = station.now()

    cells = read_chip(bench.parent / "chip.state.h5").cells
    assert cells is not None
    assert cells.facts["time"] >= now
