"""The dialogue of the array-test board's driver, byte for byte."""

import numpy as np
import pytest
from pymeasure.test import expected_protocol

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_instruments.drivers.array_test_board import ArrayTestBoard
from labctl_instruments.errors import DialogueError, ReadBackError, RefusalError
from labctl_instruments.wire.board_layout import pack_pulses


def block(payload: bytes) -> bytes:
    length = str(len(payload)).encode()
    return b"#" + str(len(length)).encode() + length + payload


@pytest.mark.parametrize(
    ("setting", "value", "command", "query", "answer"),
    [
        ("output", True, b":OUTP 1", b":OUTP?", b"1"),
        ("voltage_limit", 3.5, b":LIM:VOLT 3.5", b":LIM:VOLT?", b"3.5"),
        ("gate_limit", 5.0, b":LIM:GATE 5", b":LIM:GATE?", b"5.0"),
        ("current_limit", 1.25e-7, b":LIM:CURR 1.25e-07", b":LIM:CURR?", b"1.25E-7"),
        ("pulse_limit", 1000, b":LIM:PULS 1000", b":LIM:PULS?", b"1000"),
    ],
)
def test_a_setting_is_written_whole_and_read_back(setting, value, command, query, answer):
    with expected_protocol(ArrayTestBoard, [(command, None), (query, answer)]) as board:
        setattr(board, setting, value)
        assert getattr(board, setting) == value


def test_a_limit_that_reads_back_otherwise_is_an_error():
    dialogue = [(b":LIM:CURR 1e-07", None), (b":LIM:CURR?", b"0.000000")]
    with (
        expected_protocol(ArrayTestBoard, dialogue) as board,
        pytest.raises(ReadBackError, match=r"current_limit was set to 1e-07 and reads back 0"),
    ):
        board.secure("current_limit", 1e-7)


def test_the_geometry_is_pes_rows_columns():
    with expected_protocol(ArrayTestBoard, [(b":ARR:GEOM?", b"8,128,16")]) as board:
        assert board.geometry == Geometry(8, 128, 16)


def test_a_read_sends_cells_as_a_little_endian_block_and_returns_currents():
    cells = block(bytes([3, 0, 0, 0, 1, 1, 0, 0]))
    answer = block(np.array([1e-6, 2e-6], "<f8").tobytes())
    with expected_protocol(
        ArrayTestBoard, [(b":READ:CELL? 0.2,16," + cells + b"\n", answer)]
    ) as board:
        assert board.read_cells([3, 257], 0.2, 16).tolist() == [1e-6, 2e-6]


def test_an_answer_with_a_record_too_few_is_an_error():
    answer = block(np.array([1e-6], "<f8").tobytes())
    dialogue = [(b":READ:CELL? 0.2,1," + block(bytes(8)) + b"\n", answer)]
    with (
        expected_protocol(ArrayTestBoard, dialogue) as board,
        pytest.raises(DialogueError, match="asked for 2 records, 1 came"),
    ):
        board.read_cells([0, 0], 0.2, 1)


def test_pulses_are_32_byte_records_and_ask_for_errors_in_the_same_message():
    record = bytes([7, 0, 0, 0, 1, 0, 0, 0]) + np.array([1.8, 5e-8, 4.7], "<f8").tobytes()
    message = b":PULS:CELL " + block(record) + b";:SYST:ERR:COUN?\n"
    with expected_protocol(ArrayTestBoard, [(message, b"0")]) as board:
        board.pulse_cells(pack_pulses(np.array([7]), 1, 1.8, 5e-8, 4.7))


def test_a_refused_block_of_pulses_raises_what_the_error_queue_says():
    message = b":STR:CELL 0.2,5e-08,1000000," + block(bytes(4)) + b";:SYST:ERR:COUN?\n"
    dialogue = [
        (message, b"1"),
        (b":SYST:ERR?", b'-221,"Settings conflict"'),
        (b":SYST:ERR?", b'0,"No error"'),
    ]
    with expected_protocol(ArrayTestBoard, dialogue) as board:
        with pytest.raises(
            RefusalError, match="array-test board: -221, Settings conflict"
        ) as caught:
            board.stress_cells([0], 0.2, 5e-8, 1_000_000)
        assert caught.value.errors == ((-221, "Settings conflict"),)


def test_counters_are_unsigned_32_bit():
    answer = block(np.array([4_000_000_000], "<u4").tobytes())
    with expected_protocol(
        ArrayTestBoard, [(b":COUN:PULS? " + block(bytes(4)) + b"\n", answer)]
    ) as board:
        assert board.count_pulses([0]).tolist() == [4_000_000_000]


def test_a_sweep_returns_currents_with_compliance_flags():
    levels = np.array([1.0, -1.0], "<f8").tobytes()
    answer = block(
        np.array([2e-5], "<f8").tobytes()
        + bytes(8)
        + np.array([-1e-5], "<f8").tobytes()
        + bytes([1, 0, 0, 0, 0, 0, 0, 0])
    )
    dialogue = [(b":SWE:CELL? 5,1.8,0.0001,0.001," + block(levels) + b"\n", answer)]
    with expected_protocol(ArrayTestBoard, dialogue) as board:
        points = board.sweep_cell(5, [1.0, -1.0], gate=1.8, compliance=1e-4, dwell=1e-3)
    assert points["current"].tolist() == [2e-5, -1e-5]
    assert points["in_compliance"].tolist() == [0, 1]


def test_a_mac_plan_is_laid_out_as_the_dialogue_says():
    plan = MacPlan(
        columns=np.array([[0, 3]]),
        outputs=np.array([[0, 0]]),
        signs=np.array([[1, -1]]),
        adc_full_scale=1e-5,
    )
    layout = (
        np.array([1, 1, 2, 2, 8, 8], "<u4").tobytes()
        + np.array([1e-5, 0.2, 50e-9], "<f8").tobytes()
        + np.array([0, 3, 6, 7, 0, 0, 1, -1], "<i4").tobytes()
    )
    dialogue = [(b":MAC:DEF 4," + block(layout) + b";:SYST:ERR:COUN?\n", b"0")]
    with expected_protocol(ArrayTestBoard, dialogue) as board:
        board.define_mac(4, plan, np.array([[6, 7]]))


def test_a_mac_sends_codes_and_returns_signed_sums():
    answer = block(np.array([-7, 70000], "<i4").tobytes())
    dialogue = [
        (b":MAC:EXEC? 4," + block(bytes([255, 0])) + b"\n", answer),
        (b":MAC:SAT?", b"3"),
        (b":MAC:DEL 4;:SYST:ERR:COUN?\n", b"0"),
    ]
    with expected_protocol(ArrayTestBoard, dialogue) as board:
        assert board.execute_mac(4, np.array([[255, 0]], np.uint8), n_outputs=2).tolist() == [
            -7,
            70000,
        ]
        assert board.saturated == 3
        board.delete_mac(4)


def test_shutting_down_sends_abort_first_and_asks_nothing():
    with expected_protocol(ArrayTestBoard, [(b":ABOR", None)]) as board:
        board.shutdown()


def test_an_instrument_of_another_model_is_refused():
    with (
        expected_protocol(ArrayTestBoard, [(b"*IDN?", b"KEITHLEY,MODEL 2450,1,1")]) as board,
        pytest.raises(DialogueError, match="expected a ARRAY-BOARD"),
    ):
        board.check_identity()
