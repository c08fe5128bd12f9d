"""What cells beside the one that is pulsed see, where they have no transistor."""

from __future__ import annotations

import numpy as np
import pytest

from labctl_data.cells import Cells
from labctl_instruments.errors import EnvelopeError
from tests.conformance.behind import ONE, RESET, truth, whole


def test_half_selected_cells_of_both_passive_benches_see_the_same(open_small):
    settings = {"noise": False, "spread": False}
    board, smu = (open_small(f"passive_{kind}", **settings) for kind in ("board", "smu"))
    strong = RESET | {"amplitude": 3.2}
    before = truth(board, whole(board)).reshape(16, 8)

    for station in (board, smu):
        for _ in range(20):
            station.pulse(ONE, **strong)

    after = truth(board, whole(board)).reshape(16, 8)
    moved = np.argwhere(np.abs(after - before) > 1e-9)
    assert all(row == 3 or column == 4 for row, column in moved.tolist())
    assert len(moved) > 15
    # A generator of 50 ohm told of a load of 1 Mohm gives 50 ppm more: 0.1 % of a step.
    assert truth(smu, whole(smu)).reshape(16, 8) == pytest.approx(after, rel=1e-3)


@pytest.mark.parametrize("kind", ["passive_board", "passive_third", "passive_smu"])
def test_half_selected_cells_count_towards_the_envelope_where_half_of_a_pulse_programs(
    open_small, kind
):
    station = open_small(kind)
    neighbour = Cells.of([0, 3, 5])
    half = RESET | {"amplitude": 1.8}  # a third of it is 0.6 V
    for _ in range(500):
        station.pulse(ONE, **half)

    with pytest.raises(EnvelopeError, match="pulses on one cell 501 exceeds pulses = 500"):
        station.pulse(neighbour, **half)


def test_half_selects_too_weak_to_program_are_not_counted(open_small):
    station = open_small("passive_board")
    for _ in range(100):
        station.pulse(ONE, **RESET | {"amplitude": 0.9})

    assert not station._admission._beside.any()
