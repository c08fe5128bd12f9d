"""Faults that a bench file plans: what a client meets, what the log tells, what the chip sees."""

import numpy as np
import pytest
import pyvisa

from labctl_instruments.errors import BenchError, ConnectionLostError
from labctl_instruments.virtual.persona import QUERY_UNTERMINATED

BIT, SOURCE, GATE = (f"GPIB0::{number}::INSTR" for number in (18, 19, 20))
MATRIX = "GPIB0::1::INSTR"
ASK = b":SOUR:VOLT?\n"


def events(rack) -> list[str]:
    return [entry.message.decode() for entry in rack.log.events]


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("timeout", b"", b"0.000000E+00\n"),
        ("late", b"", b"0.000000E+00\n0.000000E+00\n"),
        ("truncated", b"0.00000", b"0.000000E+00\n"),
    ],
)
def test_the_planned_answer_is_spoilt_and_the_next_is_what_follows(make_rack, kind, first, second):
    rack = make_rack("smu", faults=[{"instrument": "bit", "kind": kind, "nth": 2}])

    answers = [rack.exchange(BIT, ASK) for _ in range(3)]

    assert answers == [b"0.000000E+00\n", first, second]
    assert len(events(rack)) == 1
    assert events(rack)[0].startswith("fault: the answer is ")


def test_one_fault_strikes_an_answer_though_several_are_planned_for_it(make_rack):
    kinds = ("timeout", "garbage", "truncated", "late")
    rack = make_rack("smu", faults=[{"instrument": "bit", "kind": k, "nth": 1} for k in kinds])

    assert [rack.exchange(BIT, ASK) for _ in range(2)] == [b"", b"0.000000E+00\n"]
    assert events(rack) == ["fault: the answer is lost"]


def test_garbage_is_as_long_as_the_answer_and_no_text(make_rack):
    rack = make_rack("smu", faults=[{"instrument": "bit", "kind": "garbage", "nth": 1}])

    answer = rack.exchange(BIT, ASK)

    assert len(answer) == len(b"0.000000E+00\n")
    assert answer.endswith(b"\n")
    assert min(answer[:-1]) >= 0x80


def test_a_message_that_asks_nothing_is_no_chance_for_a_fault_of_answers(make_rack):
    rack = make_rack("smu", faults=[{"instrument": "bit", "kind": "timeout", "nth": 1}])

    rack.exchange(BIT, b":OUTP ON\n")

    assert events(rack) == []
    assert rack.exchange(BIT, ASK) == b""


def test_a_device_clear_ends_a_late_answer(make_rack):
    rack = make_rack("smu", faults=[{"instrument": "bit", "kind": "late", "nth": 1}])
    rack.exchange(BIT, ASK)

    rack.clear(BIT)

    assert rack.exchange(BIT, b":OUTP?\n") == b"0\n"


def test_the_instrument_is_not_blamed_for_an_answer_lost_on_the_way(make_rack):
    rack = make_rack("smu", faults=[{"instrument": "bit", "kind": "timeout", "nth": 1}])
    rack.exchange(BIT, ASK)

    rack.query_error(BIT, QUERY_UNTERMINATED)

    assert rack.exchange(BIT, b":SYST:ERR?\n").startswith(b"0,")


def test_a_disconnection_loses_the_message_and_the_session_but_not_the_instrument(make_rack, visa):
    rack = make_rack("smu", faults=[{"instrument": "bit", "kind": "disconnect", "nth": 2}])
    manager = visa(rack)
    smu = manager.open_resource(BIT)
    smu.write(":SOUR:VOLT 0.1")

    for _ in range(2):
        with pytest.raises(pyvisa.errors.VisaIOError, match="VI_ERROR_CONN_LOST"):
            smu.write(":SOUR:VOLT 0.3")
    smu.close()
    again = manager.open_resource(BIT)

    assert float(again.query(":SOUR:VOLT?")) == 0.1


def test_over_range_befalls_readings_and_no_settings(make_rack):
    rack = make_rack("smu", faults=[{"instrument": "bit", "kind": "over-range", "probability": 1}])
    rack.exchange(BIT, b":OUTP ON\n")

    assert rack.exchange(BIT, ASK) == b"0.000000E+00\n"
    assert float(rack.exchange(BIT, b":READ?\n")) == 9.9e37


def closed_cell(rack):
    """Close cell (0, 5, 2): BL2 on B, SL5 on C, WL5 on D; all else on ground."""
    rows = {3: "B", 10: "C", 18: "D"}
    names = [f"{(c - 1) // 12 + 1}{rows.get(c, 'A')}{(c - 1) % 12 + 1:02d}" for c in range(1, 21)]
    rack.exchange(MATRIX, f'channel.exclusiveclose("{",".join(names)}")'.encode())
    for address in (BIT, SOURCE, GATE):
        rack.exchange(address, b":SOUR:VOLT:ILIM 1e-3;:OUTP ON\n")
    rack.exchange(GATE, b":SOUR:VOLT 3\n")
    rack.exchange(BIT, b":SOUR:VOLT 0.2\n")


def test_a_source_in_compliance_by_fault_delivers_a_nanoampere_and_says_so(make_rack):
    plan = [{"instrument": "bit", "kind": "compliance", "nth": 1}]
    rack = make_rack("smu", noise=False, faults=plan)

    closed_cell(rack)

    assert float(rack.exchange(BIT, b":READ?\n")) == pytest.approx(1e-9, rel=1e-3)
    assert rack.exchange(BIT, b":SOUR:VOLT:ILIM:TRIP?\n") == b"1\n"


def test_a_relay_that_sticks_open_is_told_closed_and_carries_nothing(make_rack):
    plan = [{"instrument": "matrix1", "kind": "stuck-relay", "nth": 1, "channel": "1B03"}]
    rack = make_rack("smu", noise=False, faults=plan)

    closed_cell(rack)

    assert rack.exchange(MATRIX, b'print(channel.getstate("1B03"))').strip().startswith(b"1")
    assert abs(float(rack.exchange(BIT, b":READ?\n"))) < 1e-12


def test_a_relay_that_sticks_closed_joins_two_rows_and_the_log_tells_the_conflict(make_rack):
    stuck = {"kind": "stuck-relay", "nth": 1, "channel": "1A03", "stuck_closed": True}
    rack = make_rack("smu", noise=False, faults=[{"instrument": "matrix1", **stuck}])

    closed_cell(rack)

    assert any("two sources on one line" in event for event in events(rack))


def test_chances_with_a_probability_are_taken_as_often_and_the_same_for_a_seed(make_rack):
    def struck(seed: int) -> list[bool]:
        plan = [{"instrument": "bit", "kind": "timeout", "probability": 0.1, "seed": seed}]
        rack = make_rack("smu", faults=plan)
        return [rack.exchange(BIT, b"*IDN?\n") == b"" for _ in range(2000)]

    first, again, other = struck(1), struck(1), struck(2)

    assert first == again != other
    # Binomial: 200 of 2,000, standard deviation 13.4; four of them allowed.
    assert abs(np.sum(first) - 200) < 54


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"instrument": "nobody", "kind": "late", "nth": 1}, "no instrument of this bench"),
        ({"instrument": "bit", "kind": "late"}, "either 'nth' or 'probability', found neither"),
        (
            {"instrument": "bit", "kind": "late", "nth": 1, "probability": 0.5},
            "either 'nth' or 'probability', found both",
        ),
        ({"instrument": "bit", "kind": "stuck-relay", "nth": 1}, "befalls instruments with role"),
        ({"instrument": "matrix1", "kind": "stuck-relay", "nth": 1}, "no crosspoint such as 1A01"),
        ({"instrument": "bit", "kind": "ghost", "nth": 1}, "kind = 'ghost'"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_the_file(make_rack, fault, problem):
    with pytest.raises(BenchError, match=rf"small-smu.toml \[virtual.faults.*{problem}"):
        make_rack("smu", faults=[fault])


def test_a_planned_disconnection_is_an_error_of_the_rack(make_rack):
    rack = make_rack("board", faults=[{"instrument": "board", "kind": "disconnect", "nth": 1}])
    board = rack.addresses[0]

    with pytest.raises(ConnectionLostError, match="board: the connection broke"):
        rack.exchange(board, b"*IDN?\n")

    assert b"ARRAY-BOARD" in rack.exchange(board, b"*IDN?\n")
