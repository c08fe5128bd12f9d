"""Stations where things go wrong: no wrong values, no pulse twice, and rest at the end."""

from __future__ import annotations

import numpy as np
import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_data.errors import LabctlError
from labctl_data.pulse import PulseKind
from labctl_instruments.bench.loading import find_bench
from labctl_instruments.errors import DialogueError, RestError, UncertainPulseError
from tests.conformance.behind import rack_of

CELLS = Cells.of([[0, 5, 5], [0, 5, 6], [0, 90, 1]])
LOOP = (0.3, 0.9, 1.2, 0.3)
DIALOGUE_KINDS = ("timeout", "garbage", "truncated", "late", "disconnect")
SMU_BENCH = ("bit", "source", "gate", "pulser", "matrix1", "matrix4", "clock")


@pytest.fixture
def open_faulty(tmp_path):
    """Open a shipped bench, without noise, with faults (instrument, keys)."""
    opened = []

    def open_one(bench: str, *faults: tuple[str, str]):
        text = find_bench(bench).read_text(encoding="utf-8") + "noise = false\nspread = false\n"
        for instrument, keys in faults:
            text += f'[[virtual.faults]]\ninstrument = "{instrument}"\n{keys}\n'
        path = tmp_path / f"{bench}-{len(opened)}.toml"
        path.write_text(text, encoding="utf-8")
        opened.append(li.open_bench(path))
        return opened[-1]

    yield open_one
    for station in opened:
        station.close()


def shots(station) -> int:
    """Count the messages that asked for pulses, and whatever answered them."""
    messages = rack_of(station).log.messages()
    marks = (b":TRIG1;", b":PULS:CELL ", b"SRP;")
    return sum(any(mark in message for mark in marks) for message in messages)


def truly_at_rest(rack) -> bool:
    """See at the instruments themselves, past their doors, that nothing drives."""
    personas = [getattr(one, "_inner", one) for one in rack._personas.values()]
    driving = [one.drive() for one in personas if hasattr(one, "drive")]
    return all(drive is None or drive.is_weak for drive in driving)


def test_a_bench_that_is_cut_off_before_its_first_reading_still_opens_and_reads(open_faulty):
    expected = open_faulty("sim-smu").read(CELLS)
    station = open_faulty("sim-smu", ("clock", 'kind = "late"\nnth = 3'))

    assert station.read(CELLS) == pytest.approx(expected)


@pytest.mark.parametrize("kind", DIALOGUE_KINDS)
@pytest.mark.parametrize("bench", ["sim-smu", "sim-b1500a-707b"])
def test_no_answer_is_ever_taken_for_that_of_another_query(open_faulty, bench, kind):
    expected = open_faulty("sim-smu").read(CELLS)
    # Of a B1500A, the four modules are one instrument with one door.
    names = SMU_BENCH if bench == "sim-smu" else ("bit", "matrix1", "matrix4", "clock")
    plan = [(name, f'kind = "{kind}"\nprobability = 0.02\nseed = SEED') for name in names]
    faulty = _opened(open_faulty, bench, plan)

    found = [_tried(lambda: faulty.read(CELLS)) for _ in range(60)]

    values = [one for one in found if one is not None]
    struck = [entry for entry in rack_of(faulty).log.events if b"fault" in entry.message]
    assert len(struck) > 10
    assert len(values) > 3
    for value in values:
        assert value == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("kind", DIALOGUE_KINDS)
@pytest.mark.parametrize(
    ("bench", "shooter"),
    [("sim-smu", "pulser"), ("sim-board", "board"), ("sim-b1500a-707b", "pulser")],
)
def test_a_pulse_whose_answer_is_lost_is_never_sent_again(open_faulty, bench, shooter, kind):
    # All modules of a B1500A are struck through one door, and opening asks them some thirty times.
    probability = 0.05 if "b1500a" in bench else 0.2
    plan = [(shooter, f'kind = "{kind}"\nprobability = {probability}\nseed = SEED')]
    station = _opened(open_faulty, bench, plan)
    counting = _Counting()
    station.ledger = counting

    results = [
        _tried(lambda: station.pulse(CELLS[:1], PulseKind.RESET, 1.8, 50e-9, 4.7) or True)
        for _ in range(40)
    ]

    struck = [one for one in rack_of(station).log.events if b"fault" in one.message]
    assert len(struck) > 1
    # Of an answer that is lost the message was heard; of a connection that breaks nobody knows.
    assert (results.count(None) > 0) is (kind == "disconnect")
    assert shots(station) <= counting.messages  # one message each, none repeated
    truth = rack_of(station).chip.pulse_counts(CELLS[:1].index(station.geometry))
    assert results.count(True) <= int(truth[0]) <= counting.messages


@pytest.mark.parametrize("kind", ["timeout", "garbage", "truncated", "late"])
def test_a_sweep_whose_answer_is_lost_is_told_once_more_and_not_made_again(open_faulty, kind):
    expected = open_faulty("sim-board").sweep(CELLS[:1], LOOP, gate=3.0, compliance=1e-4)
    station = open_faulty("sim-board")
    station.read(CELLS)
    rack_of(station).faults.inject(kind, "board")

    swept = station.sweep(CELLS[:1], LOOP, gate=3.0, compliance=1e-4)

    assert swept.currents == pytest.approx(expected.currents, rel=0.02)
    counts = rack_of(station).chip.pulse_counts(CELLS[:1].index(station.geometry))
    assert int(counts[0]) == sum(abs(level) > 0.5 for level in LOOP)


def test_pulses_that_a_board_never_heard_of_are_uncertain_and_not_sent_again(open_faulty):
    station = open_faulty("sim-board")
    station.read(CELLS)
    rack_of(station).faults.inject("disconnect", "board")

    with pytest.raises(UncertainPulseError, match="3 of 3 cells lack pulses"):
        station.pulse(CELLS, PulseKind.RESET, 1.8, 50e-9, 4.7)

    index = CELLS.index(station.geometry)
    assert rack_of(station).chip.pulse_counts(index).tolist() == [0, 0, 0]
    station.pulse(CELLS, PulseKind.RESET, 1.8, 50e-9, 4.7)  # another one, asked for by the caller
    assert rack_of(station).chip.pulse_counts(index).tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", DIALOGUE_KINDS)
@pytest.mark.parametrize("name", ["bit", "gate", "pulser", "matrix1"])
def test_a_station_comes_to_rest_though_the_first_answer_it_asks_for_is_spoilt(
    open_faulty, name, kind
):
    count = open_faulty("sim-smu")
    count.read(CELLS[:1])
    before = _chances(count, name, kind)
    station = open_faulty("sim-smu", (name, f'kind = "{kind}"\nnth = {before + 1}'))
    station.read(CELLS[:1])

    station.rest()

    assert any(b"fault" in entry.message for entry in rack_of(station).log.events)
    assert truly_at_rest(rack_of(station))


@pytest.mark.parametrize("kind", DIALOGUE_KINDS)
def test_an_instrument_that_never_answers_again_leaves_the_others_at_rest(open_faulty, kind):
    station = open_faulty("sim-smu")
    station.read(CELLS[:1])
    chances = _chances(station, "source", kind)
    keys = "\n".join(
        f'[[virtual.faults]]\ninstrument = "source"\nkind = "{kind}"\nnth = {chances + k}'
        for k in range(1, 40)
    )
    station = open_faulty("sim-smu", ("source", f'kind = "{kind}"\nnth = {chances + 40}\n{keys}'))
    station.read(CELLS[:1])

    with pytest.raises(RestError) as caught:
        station.rest()

    assert "source" in str(caught.value)
    assert truly_at_rest(rack_of(station)) or kind == "disconnect"
    assert [one.outputs_on() for one in station._instruments if one.name != "source"] == [()] * 7


def test_an_overflow_is_an_error_and_no_reading(open_faulty):
    station = open_faulty("sim-smu", ("source", 'kind = "over-range"\nnth = 5\n'))
    found = [_tried(lambda: station.read(CELLS)) for _ in range(12)]

    assert [value is None for value in found].count(True) == 1
    station.rest()
    assert truly_at_rest(rack_of(station))


def test_a_source_that_gives_less_than_asked_shows_in_the_sweeps_compliance(open_faulty):
    station = open_faulty("sim-smu", ("bit", 'kind = "compliance"\nnth = 1'))

    swept = station.sweep(CELLS[:1], [0.1, 0.2], gate=3.0, compliance=1e-4)

    assert swept.in_compliance.all()
    assert np.abs(swept.currents).max() <= 1.01e-9
    station.rest()
    assert truly_at_rest(rack_of(station))


def test_a_relay_that_sticks_open_reads_an_open_cell_and_the_bench_comes_to_rest(open_faulty):
    expected = open_faulty("sim-smu").read(CELLS)
    # SL[5] is column 62 of matrix2: slot 6, column 02; the source SMU is on row C.
    keys = 'kind = "stuck-relay"\nnth = 1\nchannel = "6C02"'
    station = open_faulty("sim-smu", ("matrix2", keys))

    found = station.read(CELLS)

    assert np.abs(found[:2]).max() < 1e-3 * expected[:2].min()
    assert found[2] == pytest.approx(expected[2], rel=0.05)
    station.rest()
    assert truly_at_rest(rack_of(station))


def test_a_setting_that_answers_garbage_twice_is_an_error_with_the_instruments_name(open_faulty):
    station = open_faulty("sim-board", ("board", 'kind = "garbage"\nprobability = 0.001'))
    plan = [("board", 'kind = "garbage"\nprobability = 1.0')]
    with pytest.raises(DialogueError, match="board"):
        open_faulty("sim-board", *plan)
    station.rest()


class _Counting:
    """A ledger that counts the messages that may pulse."""

    def __init__(self) -> None:
        self.messages = 0

    def before_pulses(self, *arguments, **keys) -> None:
        self.messages += 1


def _tried(action):
    """Return what a verb returns; None if it raised an error of ours."""
    try:
        return action()
    except LabctlError:
        return None


def _opened(open_faulty, bench, plan):
    """Open a bench on which opening itself may fail: as an operator does, again with a new seed."""
    for attempt in range(50):
        tried = [(name, keys.replace("SEED", str(attempt))) for name, keys in plan]
        try:
            return open_faulty(bench, *tried)
        except LabctlError:
            continue
    raise AssertionError("the bench never opened")


def _chances(station, name: str, kind: str) -> int:
    """Count the chances that a fault of that kind has had at an instrument."""
    (one,) = (one for one in station._instruments if one.name == name)
    address = one.adapter.connection.resource_name
    said = [entry for entry in rack_of(station).log if entry.address == address]
    wanted = b">" if kind == "disconnect" else b"<"
    return sum(entry.direction.value == wanted.decode() for entry in said)
