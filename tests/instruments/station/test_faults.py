"""What a station does when an instrument does not do as it is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import labctl_instruments as li
from labctl_data.cells import Cells, Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.pulse import PulseKind
from labctl_instruments.errors import ReadBackError, RefusalError, RestError, StationError
from labctl_instruments.station.bench_time import WallTime
from labctl_instruments.station.board import BoardStation
from tests.conformance.behind import rack_of

ONE = Cells.of([0, 0, 0])


@pytest.fixture
def board_station():
    with li.open_bench("sim-board", seed=1) as station:
        yield station


def test_a_query_that_is_refused_raises_the_instruments_own_reason(board_station):
    with pytest.raises(RefusalError, match=r"board: -113, Undefined header"):
        board_station._board.ask(":NO:SUCH:THING?")


def test_after_a_refusal_the_dialogue_is_in_step(board_station):
    expected = board_station.read(ONE, averages=4096)
    for _ in range(3):
        with pytest.raises(RefusalError):
            board_station._board.read_cells([10**6], 0.2, 1)

    assert board_station.read(ONE, averages=4096) == pytest.approx(expected, rel=0.02)


def test_the_boards_own_limits_are_those_of_the_envelope(board_station):
    board, envelope = board_station._board, board_station.bench.envelope

    assert board.voltage_limit == envelope.voltage
    assert board.gate_limit == envelope.gate_voltage
    assert board.current_limit == envelope.current
    assert board.pulse_limit == envelope.pulses


def test_a_board_of_another_size_is_refused(board_station):
    smaller = replace(board_station.bench, geometry=Geometry(1, 128, 16))

    with pytest.raises(StationError, match=r"sim-board.toml \[geometry\]: the file says"):
        BoardStation(
            board_station._board,
            smaller,
            WallTime(),
            known_stuck=np.zeros(smaller.geometry.shape, np.int8),
        )


def test_a_station_counts_what_has_saturated_since_it_was_opened(board_station):
    rows = [[0, 1]]
    plan = MacPlan(np.arange(16)[np.newaxis], np.array([[0, 0]]), np.array([[1, -1]]), 1e-9)
    vectors = np.full((1, 16), 255, np.uint8)
    board_station.mac(vectors, rows, plan)

    later = BoardStation(
        board_station._board,
        board_station.bench,
        WallTime(),
        known_stuck=board_station.known_stuck,
    )
    later.mac(vectors, rows, plan)

    # Two lines and eight slots a vector, all of them beyond 1 nA; asking changes nothing.
    assert [later.saturated, later.saturated] == [16, 16]
    assert board_station.saturated == 32


def test_outputs_are_off_until_the_first_verb(board_station):
    assert not board_station._board.output
    board_station.read(ONE)
    assert board_station._board.output


@pytest.mark.parametrize("broken", range(8))
def test_one_dead_instrument_does_not_keep_the_others_from_rest(broken):
    station = li.open_bench("sim-smu", seed=1)
    station.read(ONE)
    instruments = station._instruments
    instruments[broken].adapter.connection.close()

    with pytest.raises(RestError) as caught:
        station.rest()

    assert len(caught.value.faults) == 2  # neither put off nor seen off
    others = [one for k, one in enumerate(instruments) if k != broken]
    assert [one.outputs_on() for one in others] == [()] * 7


def test_outputs_go_off_before_any_relay_opens():
    station = li.open_bench("sim-smu", seed=1)
    rack = rack_of(station)
    station.read(ONE)
    start = len(rack.log.messages())

    station.rest()

    messages = rack.log.messages()[start:]
    off = [k for k, message in enumerate(messages) if message.startswith(b":OUTP")]
    opened = [k for k, message in enumerate(messages) if message.startswith(b"channel.open")]
    asked = [k for k, message in enumerate(messages) if b"?" in message or b"print" in message]
    assert len(opened) == 4
    assert max(k for k in off if k < min(asked)) < min(opened) <= max(opened) < min(asked)
    station.close()


def test_relays_move_only_while_every_source_is_at_zero():
    cells = Cells.of([[0, 5, 5], [0, 5, 6], [0, 90, 1]])
    with li.open_bench("sim-smu", seed=1) as station:
        rack = rack_of(station)
        station.read(cells)
        station.pulse(cells, PulseKind.RESET, 1.8, 50e-9, 4.7)
        station.sweep(cells[:1], [0.3, -0.3], gate=3.0, compliance=1e-4)
        station.stress(cells[:1], 0.2, 50e-9, 10)
        log = list(rack.log)

    forced = {}
    moves = 0
    for entry in log:
        if entry.message.startswith(b":SOUR:VOLT ") and b"?" in entry.message:
            forced[entry.address] = float(entry.message.split(b";")[0].split()[1])
        if b"channel.close" in entry.message or b"channel.open(" in entry.message:
            moves += 1
            assert not any(forced.values())
    assert moves > 10


def test_between_two_verbs_no_source_is_away_from_zero():
    with li.open_bench("sim-smu", seed=1) as station:
        verbs = [
            lambda: station.read(ONE),
            lambda: station.pulse(ONE, PulseKind.SET, 1.0, 50e-9, 1.8),
            lambda: station.sweep(ONE, [0.1], gate=3.0, compliance=1e-4),
            lambda: station.stress(ONE, 0.2, 50e-9, 2),
        ]
        for verb in verbs:
            verb()
            smus = station._use.bit, station._use.source, station._use.gate
            assert [smu.source_voltage for smu in smus] == [0.0, 0.0, 0.0]


def test_a_level_that_was_not_taken_is_never_taken_for_the_level_forced():
    with li.open_bench("sim-smu", seed=1) as station:
        station.read(ONE)
        with pytest.raises(ReadBackError):
            station._force("gate", 1e4)
        start = len(station._use.gate.adapter.connection.visalib.rack.log)

        station._quiet()

        rack = station._use.gate.adapter.connection.visalib.rack
        assert rack.log.messages()[start:] == [b":SOUR:VOLT 0;:SOUR:VOLT?\n"]
