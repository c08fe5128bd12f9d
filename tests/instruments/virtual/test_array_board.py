"""The array-test board's dialogue, byte for byte against docs/board-dialogue.md."""

import struct
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from labctl_data.mac_plan import MacPlan
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.wire import board_layout as layout
from labctl_instruments.wire.blocks import decode_array, encode_block

BOARD = "TCPIP0::board.sim::hislip0::INSTR"
N_CELLS = 2 * 8 * 4
SET = (0, 2.0, 50e-9, 1.8)
RESET = (1, 1.8, 50e-9, 4.7)


def say(rack: Rack, message: bytes) -> bytes:
    return rack.exchange(BOARD, message + b"\n")


def errors(rack: Rack) -> list[str]:
    found = []
    while not (answer := say(rack, b"SYST:ERR?")).startswith(b"0,"):
        found.append(answer.decode().strip())
    return found


def cells_block(cells: Sequence[int] | np.ndarray) -> bytes:
    return encode_block(np.asarray(cells, "<u4"))


def pulses(cells: Sequence[int], pulse: tuple[int, float, float, float] = SET) -> bytes:
    """Pack records by the documented offsets, not by the code under test."""
    return b"PULS:CELL " + encode_block(
        b"".join(struct.pack("<IIddd", cell, *pulse) for cell in cells)
    )


def read(rack: Rack, cells: Sequence[int] | np.ndarray, voltage: float = 0.2) -> np.ndarray:
    return decode_array(say(rack, b"READ:CELL? %g,1," % voltage + cells_block(cells)), "<f8")


def counts(rack: Rack, cells: Sequence[int]) -> list[int]:
    return decode_array(say(rack, b"COUN:PULS? " + cells_block(cells)), "<u4").tolist()


@pytest.fixture
def board(make_rack) -> Rack:
    """A noiseless board with its outputs on."""
    rack = make_rack("board", noise=False)
    say(rack, b"OUTP ON")
    return rack


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"*IDN?", b"labctl,ARRAY-BOARD,small,1.0\n"),
        (b"ARRay:GEOMetry?", b"2,8,4\n"),
        (b"ARR:GEOM?;:OUTP?", b"2,8,4;0\n"),
        (b"outp on;outp?;:abort;:output:state?", b"1;0\n"),
        (b"LIM:VOLT?;GATE?;CURR?;PULS?", b"5;6;0.001;0\n"),
        (
            b"LIM:VOLT 3500 mV;VOLT?;GATE 5;GATE?;CURR 1e-4;CURR?;PULS 99;PULS?",
            b"3.5;5;0.0001;99\n",
        ),
        (b"SYST:ERR?", b'0,"No error"\n'),
        (b"SYST:ERR:COUN?;:SYST:VERS?", b"0;1999.0\n"),
        (b"*OPC?;*TST?;*STB?", b"1;0;0\n"),
        (b"MAC:SAT?", b"0\n"),
        (b"OUTP ON;*RST;OUTP?", b"0\n"),
        (b"OUTP ON", b""),
        (b"COUN:PULS? #18" + struct.pack("<II", 0, 63), b"#18" + bytes(8) + b"\n"),
    ],
)
def test_the_board_says_what_its_page_says(board_rack: Rack, message: bytes, answer: bytes) -> None:
    assert say(board_rack, message) == answer
    assert errors(board_rack) == []


def test_a_read_answers_one_current_a_cell_in_the_order_asked(board: Rack) -> None:
    cells = np.random.default_rng(1).permutation(N_CELLS)

    currents = read(board, cells)

    truth = board.chip.conductances(cells, board.clock.now())
    assert currents == pytest.approx(0.2 * truth)


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        ([0, 4, 8, 36], 16e-6),  # four rows side by side
        ([0, 1, 2, 3], 64e-6),  # one row, one cell after another
        ([], 0.0),
    ],
)
def test_a_read_takes_a_microsecond_an_average_for_the_fullest_row(
    board: Rack, cells: list[int], seconds: float
) -> None:
    say(board, b"READ:CELL? 0.2,16," + cells_block(cells))

    assert board.clock.now() == pytest.approx(seconds)


def test_rows_are_pulsed_one_after_another_and_arrays_side_by_side(board: Rack) -> None:
    message = b"PULS:CELL " + encode_block(
        layout.pack_pulses([0, 1, 4, 32], 0, 2.0, np.array([50e-9, 100e-9, 1e-6, 2e-6]), 1.8)
    )

    say(board, message)

    # PE 0: row 0 for its longest pulse, then row 1; PE 1 meanwhile.
    assert board.clock.now() == pytest.approx((100e-9 + 1e-6) + (1e-6 + 1e-6))


def test_a_set_raises_a_reset_lowers_and_the_rest_stays(board: Rack) -> None:
    everything = np.arange(N_CELLS)
    for _ in range(60):
        say(board, pulses([7], RESET))
    before = read(board, everything)

    for _ in range(40):
        say(board, pulses([5], RESET))
        say(board, pulses([7], SET))

    change = read(board, everything) - before
    assert change[5] < -1e-7
    assert change[7] > 1e-7
    assert np.flatnonzero(change).tolist() == [5, 7]


def test_counters_count_pulses_and_survive_a_reset(board: Rack) -> None:
    for _ in range(3):
        say(board, pulses([5, 60]))
    say(board, pulses([60], RESET))
    say(board, b"STR:CELL 0.2,1e-6,1000," + cells_block([1]))

    say(board, b"*RST")

    assert counts(board, [5, 60, 1]) == [3, 4, 0]


def test_a_stress_takes_its_pulses_and_fifty_nanoseconds_each(board: Rack) -> None:
    say(board, b"STR:CELL 0.2,50e-9,1000000," + cells_block([0, 1, 4]))

    assert board.clock.now() == pytest.approx(2 * 1_000_000 * 100e-9)
    assert errors(board) == []


def test_a_sweep_answers_a_record_a_voltage(board: Rack) -> None:
    volts = np.array([0.1, 0.2, -0.1, 0.4], "<f8")

    points = decode_array(
        say(board, b"SWE:CELL? 9,3,1e-3,1e-3," + encode_block(volts)), layout.SWEEP_POINT
    )

    conductance = float(board.chip.conductances([9], 0.0)[0])
    assert points["current"][1] / 0.2 == pytest.approx(conductance, rel=0.05)
    assert points["current"][2] == pytest.approx(-points["current"][0], rel=1e-3)
    assert not points["in_compliance"].any()
    assert board.clock.now() == pytest.approx(4e-3)
    assert counts(board, [9]) == [0]


def test_a_sweep_is_held_at_its_compliance_and_counts_what_programs(board: Rack) -> None:
    volts = np.array([0.4, 1.0, -1.0], "<f8")

    points = decode_array(
        say(board, b"SWE:CELL? 9,3,1e-6,1e-3," + encode_block(volts)), layout.SWEEP_POINT
    )

    assert np.abs(points["current"]) == pytest.approx([1e-6] * 3)
    assert points["in_compliance"].tolist() == [1, 1, 1]
    assert counts(board, [9]) == [2]


def plan_of(rows: Sequence[Sequence[int]]) -> tuple[MacPlan, np.ndarray]:
    """Return a plan of one output a block: the first line less the second."""
    n_blocks = len(rows)
    plan = MacPlan(
        columns=np.tile(np.arange(4), (n_blocks, 1)),
        outputs=np.repeat(np.arange(n_blocks)[:, np.newaxis], 2, axis=1),
        signs=np.tile([1, -1], (n_blocks, 1)),
        adc_full_scale=40e-6,
    )
    return plan, np.asarray(rows)


def test_a_mac_is_the_shifted_sum_of_rounded_line_currents(board: Rack) -> None:
    plan, rows = plan_of([[0, 5], [9, 12]])
    rng = np.random.default_rng(2)
    vectors = rng.integers(0, 256, (5, 8), np.uint8)
    say(board, b"MAC:DEF 3," + encode_block(layout.pack_plan(plan, rows)))

    answer = say(board, b"MAC:EXEC? 3," + encode_block(vectors))

    conductance = board.chip.conductances(np.arange(N_CELLS), 0.0).reshape(16, 4)
    sums = decode_array(answer, "<i4").reshape(5, 2)
    for vector, found in zip(vectors.reshape(5, 2, 4).tolist(), sums.tolist(), strict=True):
        for block in (0, 1):
            expected = 0
            for k in range(8):
                bits = np.array([code >> k & 1 for code in vector[block]])
                for line, sign in zip(rows[block], (1, -1), strict=True):
                    current = 0.2 * float(bits @ conductance[line])
                    expected += sign * (int(current / plan.lsb + 0.5) << k)
            assert found[block] == expected
    assert board.clock.now() == pytest.approx(5 * 2 * 8 * 100e-9)


def test_digits_of_several_bits_take_fewer_pulses(board: Rack) -> None:
    plan, rows = plan_of([[0, 5]])
    plan = replace(plan, dac_bits=4, adc_bits=12)
    say(board, b"MAC:DEF 3," + encode_block(layout.pack_plan(plan, rows)))

    answer = say(board, b"MAC:EXEC? 3," + encode_block(np.full((5, 4), 0xFF, np.uint8)))

    conductance = board.chip.conductances(np.arange(N_CELLS), 0.0).reshape(16, 4)
    codes = np.floor(0.2 * conductance[[0, 5]].sum(axis=1) / plan.lsb + 0.5)
    assert decode_array(answer, "<i4").tolist() == [17 * int(codes[0] - codes[1])] * 5
    assert board.clock.now() == pytest.approx(5 * 2 * 100e-9)


def test_a_count_of_saturated_conversions_is_kept_when_it_is_asked_again(board: Rack) -> None:
    plan, rows = plan_of([[0, 5]])
    small = MacPlan(plan.columns, plan.outputs, plan.signs, adc_full_scale=1e-6)
    say(board, b"MAC:DEF 0," + encode_block(layout.pack_plan(small, rows)))

    sums = say(board, b"MAC:EXEC? 0," + encode_block(np.full((1, 4), 1, np.uint8)))

    assert decode_array(sums, "<i4").tolist() == [0]
    assert say(board, b"MAC:SAT?;SAT?") == b"2;2\n"


REFUSALS = [
    # limits and ranges: -222, and the text names the record
    (pulses([1, 2], (0, 5.1, 50e-9, 1.8)), "-222", "record 0: amplitude 5.1"),
    (pulses([1], (0, 0.0, 50e-9, 1.8)), "-222", "record 0: amplitude 0"),
    (pulses([1], (0, float("nan"), 50e-9, 1.8)), "-222", "record 0: amplitude nan"),
    (pulses([1], (0, -2.0, 50e-9, 1.8)), "-222", "amplitude -2"),
    (pulses([1], (0, 2.0, 5e-9, 1.8)), "-222", "width 5e-09"),
    (pulses([1], (0, 2.0, 2.0, 1.8)), "-222", "width 2"),
    (pulses([1], (0, 2.0, 50e-9, 6.1)), "-222", "gate 6.1"),
    (pulses([1], (0, 2.0, 50e-9, float("inf"))), "-222", "gate inf"),
    (pulses([1], (2, 2.0, 50e-9, 1.8)), "-222", "kind 2"),
    (pulses([1, 2]) + b";FOO", "-113", "FOO"),
    # cells
    (pulses([1, 64]), "-224", "record 1: cell 64"),
    (pulses([3, 1, 3]), "-224", "record 2: cell 3 stands twice"),
    # blocks
    (b"PULS:CELL #240" + bytes(40), "-161", "40 bytes are not records of 32"),
    (b"PULS:CELL #264" + bytes(40), "-161", "64 bytes announced"),
    (b"PULS:CELL 1,2,3", "-108", "3 given, 1 taken"),
    (b"PULS:CELL", "-109", ""),
    (b"STR:CELL 0.6,50e-9,10," + cells_block([1]), "-222", "0.6"),
    (b"STR:CELL 0.2,50e-9,0," + cells_block([1]), "-222", "0 is not in 1"),
    (b"SWE:CELL? 1,3,1e-2,1e-3," + encode_block(np.array([2.0])), "-222", "LIMit:CURRENT"),
    (b"SWE:CELL? 1,3,1e-4,1e-3," + encode_block(np.array([0.1, 5.5])), "-222", "record 1"),
    (b"SWE:CELL? 64,3,1e-4,1e-3," + encode_block(np.array([2.0])), "-224", "cell 64"),
    (b"READ:CELL? 0.6,1," + cells_block([1]), "-222", "0.6"),
    (b"READ:CELL? 0.2,5000," + cells_block([1]), "-222", "5000"),
    (b"MAC:EXEC? 7," + encode_block(bytes(8)), "-224", "no MAC plan 7"),
    (b"MAC:DEL 7", "-224", "no MAC plan 7"),
    (b"MAC:DEF 64," + encode_block(bytes(48)), "-222", "64 is not in 0..63"),
]


@pytest.mark.parametrize(("message", "number", "says"), REFUSALS)
def test_a_refused_message_does_nothing_at_all(
    board: Rack, message: bytes, number: str, says: str
) -> None:
    before = board.chip.state()

    answer = say(board, message)

    after = board.chip.state()
    (error,) = errors(board)
    assert answer == b""
    assert error.startswith(number + ",")
    assert says in error
    assert board.clock.now() == 0.0
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before)


@pytest.mark.parametrize(
    "message",
    [
        pulses([1]),
        b"READ:CELL? 0.2,1," + cells_block([1]),
        b"STR:CELL 0.2,50e-9,10," + cells_block([1]),
        b"SWE:CELL? 1,3,1e-4,1e-3," + encode_block(np.array([2.0])),
        b"MAC:EXEC? 0," + encode_block(bytes(8)),
    ],
)
def test_nothing_is_driven_while_outputs_are_off(board: Rack, message: bytes) -> None:
    plan, rows = plan_of([[0, 5], [9, 12]])
    say(board, b"MAC:DEF 0," + encode_block(layout.pack_plan(plan, rows)))
    say(board, b"ABOR")

    assert say(board, message) == b""

    (error,) = errors(board)
    assert error.startswith('-221,"Settings conflict;')
    assert counts(board, [1]) == [0]


def test_a_limit_refuses_and_is_put_back_by_a_reset(board: Rack) -> None:
    say(board, b"LIM:VOLT 1.9")
    say(board, pulses([1]))
    assert errors(board)[0].startswith("-222,")

    say(board, b"*RST;:OUTP ON")
    say(board, pulses([1]))

    assert errors(board) == []
    assert counts(board, [1]) == [1]


def test_no_cell_gets_more_pulses_than_its_limit(board: Rack) -> None:
    say(board, b"LIM:PULS 3")

    for _ in range(5):
        say(board, pulses([1, 2]))
    say(board, b"SWE:CELL? 3,3,1e-4,1e-3," + encode_block(np.full(4, 0.6)))
    say(board, b"SWE:CELL? 3,3,1e-4,1e-3," + encode_block(np.full(3, 0.6)))

    assert counts(board, [1, 2, 3]) == [3, 3, 3]
    assert [error[:4] for error in errors(board)] == ["-222"] * 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"columns": np.full((1, 4), 4)}, "bit line"),
        ({"rows": np.array([[0, 16]])}, "source line"),
        ({"signs": np.array([[1, 3]])}, "sign"),
        (
            {
                "adc_bits": 16,
                "outputs": np.zeros((1, 200)),
                "rows": np.zeros((1, 200)),
                "signs": np.ones((1, 200)),
            },
            "beyond an int32",
        ),
    ],
)
def test_a_plan_that_contradicts_the_chip_is_refused(board: Rack, change: dict, says: str) -> None:
    base, rows = plan_of([[0, 5]])
    fields = {
        "columns": base.columns,
        "outputs": base.outputs,
        "signs": base.signs,
        "adc_full_scale": 1e-5,
        "rows": rows,
    } | change
    lines = fields.pop("rows")

    say(board, b"MAC:DEF 1," + encode_block(layout.pack_plan(MacPlan(**fields), lines)))

    (error,) = errors(board)
    assert error.startswith("-224,")
    assert says in error


def test_the_log_shows_each_pulse_message_with_its_time(board: Rack) -> None:
    say(board, pulses([1]))
    say(board, pulses([2]))

    sent = [(entry.time, entry.message) for entry in board.log if entry.message.startswith(b"PULS")]
    assert [message for _, message in sent] == [pulses([1]) + b"\n", pulses([2]) + b"\n"]
    assert sent[1][0] - sent[0][0] == pytest.approx(1.05e-6)
