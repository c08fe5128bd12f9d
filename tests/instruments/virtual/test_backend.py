"""`@labctl` as PyVISA's users meet it."""

import numpy as np
import pytest
import pyvisa
from pyvisa.constants import StatusCode

from labctl_instruments.errors import BenchError
from labctl_instruments.virtual.rack import Rack
from labctl_instruments.wire.blocks import encode_block

BOARD = "TCPIP0::board.sim::hislip0::INSTR"
CLOCK = "TCPIP0::clock.sim::hislip0::INSTR"


@pytest.fixture
def manager(board_rack: Rack, visa) -> pyvisa.ResourceManager:
    return visa(board_rack)


@pytest.fixture
def clock(manager: pyvisa.ResourceManager):
    with manager.open_resource(CLOCK, read_termination="\n", write_termination="\n") as opened:
        yield opened


def test_the_resources_are_the_addresses_of_the_bench_file(manager) -> None:
    assert set(manager.list_resources()) == {CLOCK, BOARD}
    assert manager.list_resources("GPIB?*") == ()


def test_an_address_may_be_spelt_as_visa_allows(smu_rack: Rack, visa) -> None:
    with visa(smu_rack).open_resource("gpib::18", read_termination="\n") as smu:
        assert smu.query("*IDN?").startswith("KEITHLEY INSTRUMENTS,MODEL 2450,")


@pytest.mark.parametrize("name", ["GPIB0::30::INSTR", "TCPIP0::10.0.0.1::5025::SOCKET"])
def test_an_instrument_that_is_not_there_is_not_found(manager, name: str) -> None:
    with pytest.raises(pyvisa.VisaIOError) as error:
        manager.open_resource(name)

    assert error.value.error_code == StatusCode.error_resource_not_found


def test_plain_labctl_is_the_simulated_board() -> None:
    manager = pyvisa.ResourceManager("@labctl")
    try:
        address = next(name for name in manager.list_resources() if "board" in name)
        with manager.open_resource(address, read_termination="\n") as board:
            assert board.query("*IDN?").split(",")[1] == "ARRAY-BOARD"
    finally:
        manager.close()


def test_a_shipped_bench_is_reached_by_its_name() -> None:
    manager = pyvisa.ResourceManager("sim-smu@labctl")
    try:
        assert "GPIB0::18::INSTR" in manager.list_resources()
    finally:
        manager.close()


def test_a_bench_that_is_not_there_says_which_there_are() -> None:
    with pytest.raises(BenchError, match=r"shipped are .*sim-board"):
        pyvisa.ResourceManager("no-such-bench@labctl")


def test_the_environment_sends_an_unmodified_program_here(monkeypatch, board_rack: Rack) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", f"{board_rack.token}@labctl")

    manager = pyvisa.ResourceManager()

    try:
        assert CLOCK in manager.list_resources()
    finally:
        manager.close()


def test_reading_what_was_not_asked_for_times_out_and_is_an_error_there(clock) -> None:
    with pytest.raises(pyvisa.VisaIOError) as error:
        clock.read()

    assert error.value.error_code == StatusCode.error_timeout
    assert clock.query("SYST:ERR?") == '-420,"Query UNTERMINATED"'


def test_an_answer_that_is_not_read_is_lost_to_the_next_message(clock) -> None:
    clock.write("*IDN?")

    assert clock.query("CLOC:TIME?") == "0"

    assert clock.query("SYST:ERR?") == '-410,"Query INTERRUPTED"'


def test_a_device_clear_forgets_the_answer_and_keeps_the_settings(clock) -> None:
    clock.write("CLOC:ADV 5")
    clock.write("*IDN?")

    clock.clear()

    assert clock.query("CLOC:TIME?") == "5"
    assert clock.query("SYST:ERR:COUN?") == "0"


def test_the_status_byte_tells_errors_and_waiting_answers(clock) -> None:
    assert clock.read_stb() == 0

    clock.write("FOO;*IDN?")
    assert clock.read_stb() == 4
    clock.write("*CLS;*IDN?")

    assert clock.read_stb() == 16
    clock.read()
    assert clock.read_stb() == 0


def test_reading_stops_at_the_termination_character_the_end_or_the_count(clock) -> None:
    clock.write("*OPC?\n*IDN?")

    assert clock.read() == "1"
    assert clock.read_bytes(6) == b"labctl"
    assert clock.read_bytes(1000, break_on_termchar=True) == b",BENCH-CLOCK,0,1.0\n"


def test_an_answer_comes_whole_in_whatever_chunks_it_is_read(clock) -> None:
    clock.chunk_size = 3

    assert clock.query("*IDN?") == "labctl,BENCH-CLOCK,0,1.0"


def test_warnings_are_ignored_as_long_as_they_are_told_to(clock) -> None:
    nested = StatusCode.success_nested_exclusive
    clock.visalib.issue_warning_on.add(nested)
    clock.lock_excl()

    with clock.ignore_warning(nested):
        clock.lock_excl()

    with pytest.warns(pyvisa.errors.VisaIOWarning):
        clock.lock_excl()


def test_a_message_may_be_written_in_parts(clock) -> None:
    clock.send_end = False
    clock.write_raw(b"CLOC:")
    clock.send_end = True

    clock.write_raw(b"TIME?\n")

    assert clock.read() == "0"


def test_binary_values_pass_both_ways(board_rack: Rack, manager) -> None:
    with manager.open_resource(BOARD, write_termination="\n") as board:
        board.write("OUTP ON")
        message = b"READ:CELL? 0.2,1," + encode_block(np.arange(64, dtype="<u4"))

        board.write_raw(message + b"\n")
        currents = board.read_binary_values("d", container=np.array)
        counts = board.query_binary_values("*OPC?;:COUN:PULS? #18" + "\0" * 8, "I")

    assert currents.shape == (64,)
    assert (currents > 1e-6).all()
    assert counts == [0, 0]


def test_attributes_are_those_of_a_session(clock) -> None:
    clock.timeout = 250

    assert clock.timeout == 250
    assert clock.resource_name == CLOCK
    assert clock.resource_class == "INSTR"
    assert clock.interface_type is pyvisa.constants.InterfaceType.tcpip


def test_a_closed_session_is_refused(manager) -> None:
    clock = manager.open_resource(CLOCK)
    clock.close()

    with pytest.raises(pyvisa.InvalidSession):
        clock.query("*IDN?")


def test_two_sessions_share_the_instrument_but_not_their_answers(manager) -> None:
    first, second = (manager.open_resource(CLOCK, read_termination="\n") for _ in range(2))

    first.write("CLOC:ADV 5;:CLOC:TIME?")

    assert second.query("*OPC?") == "1"
    assert first.read() == "5"
    first.close()
    second.close()


def test_a_rack_outlives_its_managers_while_somebody_holds_it(board_rack: Rack, visa) -> None:
    name = f"{board_rack.token}@labctl"
    manager = pyvisa.ResourceManager(name)
    with manager.open_resource(CLOCK) as clock:
        clock.write("CLOC:ADV 7")
    manager.close()

    with visa(board_rack).open_resource(CLOCK, read_termination="\n") as clock:
        assert clock.query("CLOC:TIME?") == "7"


def test_a_trigger_reaches_instruments_that_have_one(clock) -> None:
    clock.assert_trigger()

    assert clock.query("SYST:ERR?").startswith("-113,")
