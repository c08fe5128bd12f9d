"""Faults put at a rack that is open, and plans of faults for a bench that is served."""

import socket
from collections import Counter

import pytest

from labctl_instruments.bench.fault_plan import SPOILING, fault_plan
from labctl_instruments.errors import BenchError, RackError
from labctl_instruments.virtual.serving.opening import serve_bench

BIT, SOURCE = "GPIB0::18::INSTR", "GPIB0::19::INSTR"
ASK = b":SOUR:VOLT?\n"
ANSWER = b"0.000000E+00\n"


@pytest.mark.parametrize("instrument", ["bit", BIT, BIT.lower()])
def test_a_fault_put_at_an_open_rack_strikes_the_next_answer_only(smu_rack, instrument):
    smu_rack.exchange(BIT, ASK)

    smu_rack.faults.inject("timeout", instrument)

    assert [smu_rack.exchange(BIT, ASK) for _ in range(2)] == [b"", ANSWER]
    assert smu_rack.exchange(SOURCE, ASK) == ANSWER


def test_chances_are_counted_from_when_a_fault_is_put(smu_rack):
    for _ in range(5):
        smu_rack.exchange(BIT, ASK)

    smu_rack.faults.inject("timeout", "bit", nth=2)

    assert [smu_rack.exchange(BIT, ASK) for _ in range(3)] == [ANSWER, b"", ANSWER]


def test_faults_that_are_cleared_strike_no_more_and_those_of_others_stay(smu_rack):
    for name in ("bit", "source"):
        smu_rack.faults.inject("timeout", name, probability=1.0)

    smu_rack.faults.clear("bit")

    assert (smu_rack.exchange(BIT, ASK), smu_rack.exchange(SOURCE, ASK)) == (ANSWER, b"")
    smu_rack.faults.clear()
    assert smu_rack.exchange(SOURCE, ASK) == ANSWER


def test_a_relay_can_be_stuck_while_the_bench_is_open(smu_rack):
    smu_rack.faults.inject("stuck-relay", "matrix1", channel="1B03", stuck_closed=True)

    smu_rack.exchange("GPIB0::1::INSTR", b"print(1)\n")

    assert [b"1B03 sticks, closed" in entry.message for entry in smu_rack.log.events] == [True]


@pytest.mark.parametrize(
    ("kind", "instrument", "keys", "problem"),
    [
        ("timeout", "nobody", {}, "no such instrument; there are clock, bit"),
        ("ghost", "bit", {}, "fault 'ghost' of 'bit': kind"),
        ("timeout", "bit", {"probability": 2.0}, "probability: Input should be less than"),
        ("timeout", "bit", {"when": 3}, "when: Extra inputs"),
        ("stuck-relay", "bit", {}, "befalls instruments with role matrix"),
        ("late", "bit", {"nth": 1, "probability": 0.5}, "found both"),
    ],
)
def test_a_fault_that_cannot_be_put_is_refused(smu_rack, kind, instrument, keys, problem):
    with pytest.raises(RackError, match=problem):
        smu_rack.faults.inject(kind, instrument, **keys)


def test_a_fraction_of_all_answers_is_spoilt_in_four_ways_at_every_instrument(make_bench):
    bench = make_bench("smu")

    plan = fault_plan(bench, "0.01", seed=5)

    assert Counter(fault.instrument for fault in plan) == dict.fromkeys(bench.instruments, 4)
    assert {fault.kind for fault in plan} == set(SPOILING)
    unspoilt = 1.0
    for fault in plan[:4]:
        unspoilt *= 1.0 - fault.probability
    assert unspoilt == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "faults.toml: cannot be read"),
        ("0", "expected a fraction above 0, up to 1"),
        ("1.5", "expected a fraction above 0, up to 1"),
        (
            "[[faults]]\ninstrument = 'bit'\nkind = 'late'\nnht = 1",
            "unknown key 'nht' .did you mean 'nth'",
        ),
        ("[[faults]]\ninstrument = 'no'\nkind = 'late'\nnth = 1", "'no' is no instrument"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_its_place(make_bench, tmp_path, text, problem):
    path = tmp_path / "faults.toml"
    is_file = text is None or "faults" in text
    if text is not None and is_file:
        path.write_text(text, encoding="utf-8")

    with pytest.raises(BenchError, match=problem):
        fault_plan(make_bench("smu"), str(path) if is_file else text, seed=1)


def test_a_served_bench_breaks_the_connection_as_its_file_of_faults_says(tmp_path):
    path = tmp_path / "faults.toml"
    path.write_text("[[faults]]\ninstrument = 'clock'\nkind = 'disconnect'\nnth = 2\n")
    server = serve_bench("sim-board", faults=str(path))
    _, host, port, _ = server.instruments["clock"].split("::")

    try:
        heard = []
        for _ in range(2):
            with socket.create_connection((host, int(port)), timeout=20) as client:
                client.sendall(b":CLOC:MODE?\n")
                heard.append(client.recv(100))
                client.sendall(b":CLOC:MODE?\n")
                heard.append(client.recv(100))
    finally:
        server.close()

    assert heard == [b"JUMP\n", b"", b"JUMP\n", b"JUMP\n"]
