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
