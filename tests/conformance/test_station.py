"""What every station measures and moves, whatever its instruments."""

from __future__ import annotations

import numpy as np
import pytest

from labctl_data.cells import Cells
from labctl_instruments.errors import StationError
from tests.conformance.behind import ONE, RESET, SET, SOME, sent, truth, whole


def test_a_read_is_the_cells_own_conductance_in_the_order_asked(quiet):
    asked = Cells.of([[0, 9, 1], [0, 2, 7], [0, 9, 1]])

    measured = quiet.read(asked, 0.2)

    assert measured == pytest.approx(truth(quiet, asked), rel=1e-6)


def test_averaging_sixteen_reads_quarters_the_noise(station):
    cells = whole(station)
    few = np.array([station.read(cells[:32], averages=1) for _ in range(12)])
    many = np.array([station.read(cells[:32], averages=16) for _ in range(12)])

    # 32 cells x 11 degrees of freedom: each standard deviation is known to about 4 %; two-state
    # noise is slower than an average, so that it may not average out.
    ratio = np.median(few.std(axis=0)) / np.median(many.std(axis=0))
    assert 2.0 < ratio < 6.0


def test_set_pulses_raise_the_conductance_and_reset_pulses_lower_it(quiet):
    before = quiet.read(ONE)[0]
    for _ in range(20):
        quiet.pulse(ONE, **RESET)
    low = quiet.read(ONE)[0]
    for _ in range(20):
        quiet.pulse(ONE, **SET)
    high = quiet.read(ONE)[0]

    # Steps near 20 uS are about -.5 uS a RESET; near 16 uS about +.03 uS a SET (Yao 2020).
    assert low < before - 4e-6
    assert low + 0.3e-6 < high < before


@pytest.mark.parametrize("pulse", [SET, RESET], ids=["SET", "RESET"])
def test_a_pulse_leaves_every_other_cell_as_it_was(quiet, kind, pulse):
    """Half-selected cells of a passive array move, but by no more than e^(-V/2v) of a pulse."""
    hardly = 1e-4 if kind.startswith("passive") else 1e-9
    cells = whole(quiet)
    others = np.flatnonzero((cells.addresses != ONE.addresses).any(axis=1))
    for _ in range(10):
        quiet.pulse(ONE, **RESET)
    before = truth(quiet, cells)

    for _ in range(5):
        quiet.pulse(ONE, **pulse)

    after = truth(quiet, cells)
    mine = int(ONE.index(quiet.geometry)[0])
    assert after[mine] != before[mine]
    assert after[others] == pytest.approx(before[others], rel=hardly)


def test_each_cell_gets_the_pulse_that_was_meant_for_it(quiet):
    quiet.pulse(SOME, **RESET)
    before = truth(quiet, SOME)

    quiet.pulse(
        SOME,
        np.array([0, 1, 0, 1]),
        np.array([2.0, 1.8, 2.0, 1.8]),
        50e-9,
        np.array([1.8, 4.7, 1.8, 4.7]),
    )

    assert (np.sign(truth(quiet, SOME) - before) == [1, -1, 1, -1]).all()


@pytest.mark.parametrize("cells", ["", "passive_"], ids=["transistors", "passive"])
def test_the_same_chip_lies_behind_both_benches(open_small, cells):
    settings = {"noise": False}
    board, smu = (open_small(f"{cells}{kind}", **settings) for kind in ("board", "smu"))

    # The 2450 shows steps of 10 pA on its 10 uA range.
    assert board.read(whole(board)) == pytest.approx(smu.read(whole(smu)), rel=3e-6)


@pytest.mark.parametrize("kind", ["board", "passive_board", "smu", "passive_smu"])
def test_noise_does_not_depend_on_the_order_in_which_cells_are_visited(open_small, kind):
    forth, back = open_small(kind), open_small(kind)
    cells = whole(forth)[:24]

    there = [forth.read(cells) for _ in range(2)][-1]
    again = [back.read(cells[::-1]) for _ in range(2)][-1]

    # A cell with two-state noise may be in its other state at another time; 10 pA of an SMU.
    assert np.isclose(again[::-1], there, rtol=2e-5).mean() > 0.9


def test_a_sweep_has_the_sign_of_its_voltage_and_the_slope_of_the_cell(quiet):
    conductance = quiet.read(ONE, 0.2)[0]

    sweep = quiet.sweep(ONE, [0.0, 0.2, -0.2], gate=3.0, compliance=1e-4)

    assert sweep.currents[0] == pytest.approx(0.0, abs=1e-12)
    assert sweep.currents[1] == pytest.approx(0.2 * conductance, rel=1e-3)
    assert sweep.currents[2] == pytest.approx(-0.2 * conductance, rel=1e-3)
    assert not sweep.in_compliance.any()


def test_a_sweep_is_held_at_its_compliance_and_says_so(quiet):
    sweep = quiet.sweep(ONE, [0.1, 1.0], gate=3.0, compliance=5e-6)

    assert sweep.in_compliance.tolist() == [False, True]
    assert sweep.currents[1] == pytest.approx(5e-6, rel=0.01)


def test_a_million_read_pulses_are_few_messages_and_hardly_move_a_cell(station):
    station.read(SOME)
    before, told = truth(station, SOME), len(sent(station))

    station.stress(SOME, 0.2, 50e-9, 1_000_000)

    assert len(sent(station)) - told < 15 * len(SOME)
    assert truth(station, SOME) == pytest.approx(before, rel=0.05)


def test_waiting_lets_bench_time_pass(station):
    before = station.now()

    station.wait(600.0)

    assert station.now() - before == pytest.approx(600.0)


def test_measuring_takes_bench_time(station):
    before = station.now()

    station.read(SOME)

    assert station.now() > before


def test_a_bench_without_a_chuck_says_so(station):
    with pytest.raises(StationError, match="the bench has no chuck"):
        station.set_temperature(400.0)


def test_the_bench_tells_what_a_run_must_remember(station):
    bench = station.bench

    assert bench.seed == 7
    assert bench.identity.chip == "small"
    assert bench.text.startswith(f'kind = "{bench.kind}"')
    assert station.known_stuck.shape == (1, 16, 8)
