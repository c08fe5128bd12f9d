"""What cells beside the one that is pulsed see, where they have no transistor."""

from __future__ import annotations

import numpy as np
import pytest

from labctl_data.cells import Cells
from labctl_instruments.errors import EnvelopeError
from tests.conformance.behind import ONE, RESET, sent, truth, whole


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


@pytest.mark.parametrize("kind", ["passive_board", "passive_smu"])
def test_a_sweep_leaves_the_cells_of_its_source_line_alone_and_halves_reach_all_others(
    open_small, kind
):
    station = open_small(kind, noise=False, spread=False)
    before = truth(station, whole(station)).reshape(16, 8)

    for _ in range(5):
        station.sweep(ONE, np.array([-3.0]), gate=0.0, compliance=1e-3)

    moved = truth(station, whole(station)).reshape(16, 8) != before
    assert moved[3].tolist() == [column == 4 for column in range(8)]
    assert np.delete(moved, 3, axis=0).all()


@pytest.mark.parametrize("kind", ["passive_board", "passive_smu"])
def test_the_compliance_of_a_sweep_is_that_of_the_swept_cells_own_current(open_small, kind):
    station = open_small(kind, noise=False, spread=False)
    own = 0.2 * truth(station, ONE)[0]

    swept = station.sweep(ONE, np.array([0.1, 0.2]), gate=0.0, compliance=0.75 * own)

    assert swept.in_compliance.tolist() == [False, True]
    assert swept.currents[1] == pytest.approx(0.75 * own, rel=1e-3)


def test_neither_half_of_a_pulse_may_exceed_half_of_the_envelope(open_small):
    station = open_small("passive_smu")
    station.pulse(ONE, **RESET)

    asked = [part.split() for line in sent(station) for part in line.split(b";")]
    limits = {abs(float(part[1])) for part in asked if b":LIM:" in part[0] and part[1:]}
    assert max(limits) == station.bench.envelope.voltage / 2
