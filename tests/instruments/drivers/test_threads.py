"""Several threads on one instrument: each gets its own answers."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from tests.benchmarks.crowded_smu import WAYS, crowd


def test_each_of_four_threads_gets_the_answers_to_its_own_queries():
    with li.open_bench("sim-board", seed=1) as station:
        station.read(Cells.of([0, 0, 0]))
        board = station._board

        def wrong_answers(cells: int) -> int:
            lengths = [len(board.read_cells(range(cells), 0.2, 1)) for _ in range(100)]
            limits = [board.voltage_limit for _ in range(100)]
            return sum(length != cells for length in lengths) + sum(v != 3.5 for v in limits)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(wrong_answers, [1, 2, 3, 4])) == [0, 0, 0, 0]


@pytest.mark.parametrize("way", WAYS)
def test_each_of_eight_threads_on_a_source_meter_gets_the_answers_to_its_own_questions(way):
    with WAYS[way](8) as asks:
        found = crowd(asks, seconds=0.5)

    assert found.answers > 100
    assert found.wrong == 0


def test_threads_on_the_modules_of_one_mainframe_get_the_answers_of_their_own():
    with li.open_bench("sim-b1500a-707b", seed=1) as station:
        station.read(Cells.of([0, 0, 0]))
        modules = {1e-4: station._use.bit, 2e-4: station._use.source, 3e-4: station._use.gate}
        for limit, module in modules.items():
            module.secure("current_limit", limit)

        def wrong_answers(limit: float) -> int:
            return sum(modules[limit].current_limit != limit for _ in range(300))

        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(wrong_answers, modules)) == [0, 0, 0]
