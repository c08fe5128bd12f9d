"""The virtual 81160A: its dialogue, its pulses, and PyMeasure's own driver on it."""

import numpy as np
import pytest
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keysight import Keysight81160A

from labctl_instruments.virtual.rack import Rack

PULSER, GATE, MATRIX = "GPIB0::10::INSTR", "GPIB0::20::INSTR", "GPIB0::1::INSTR"
CELL = 5 * 4 + 2


def ask(rack: Rack, message: str) -> str:
    return rack.exchange(PULSER, message.encode() + b"\n").decode().strip()


def route(rack: Rack, source: str, others: str) -> None:
    """Put BL2 on ground, SL5 on a row, the other bit lines on another, WL5 on the gate."""
    bit = "1A03," + ",".join(f"1{others}{k:02d}" for k in (1, 2, 4))
    rack.exchange(MATRIX, f'channel.exclusiveclose("{bit},1{source}10,2D06")'.encode())


@pytest.fixture
def wired(smu_rack: Rack) -> Rack:
    """The pulser on SL5 and, as inhibit, on all bit lines but BL2; gate at 4.7 V."""
    route(smu_rack, source="E", others="E")
    smu_rack.exchange(GATE, b":OUTP ON;:SOUR:VOLT 4.7\n")
    ask(smu_rack, ":OUTP1:LOAD 1e6;:FUNC1 PULS;:ARM:SOUR1 MAN;:VOLT1:LOW 0;HIGH 1.8")
    ask(smu_rack, ":PULS:WIDT1 50e-9;:OUTP1 ON")
    return smu_rack


def row(rack: Rack) -> np.ndarray:
    return rack.chip.conductances(np.arange(20, 24), rack.clock.now())


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (":FUNC1 PULS;:FUNC1?;:FUNC2?", "PULS;SIN"),
        (
            ":PULS:PER1 2e-6;:PULS:WIDT1 5e-8;:PULS:PER1?;:PULS:WIDT1?",
            "2.0000000E-06;5.0000000E-08",
        ),
        (":VOLT1:HIGH 2;LOW 1;:VOLT1?;:VOLT1:OFFS?", "1.0000000E+00;1.5000000E+00"),
        (":VOLT2 2;:VOLT2:OFFS 0.5;:VOLT2:HIGH?;LOW?", "1.5000000E+00;-5.0000000E-01"),
        (":FREQ1 1e5;:PULS:PER1?", "1.0000000E-05"),
        (":ARM:SOUR2 MAN;:ARM:SOUR2?;:ARM:SOUR1?", "MAN;IMM"),
        (":TRIG1:COUN 5;:BURS1:STAT?;:BURS1:NCYC?", "1;5"),
        (":OUTP1?;:OUTPUT2:STATE ON;:OUTP2?;*RST;:OUTP2?", "0;1;0"),
        (":OUTP1:LOAD?;:PULS:TRAN1 3 NS;TRAN1?", "5.0000000E+01;3.0000000E-09"),
    ],
)
def test_settings_read_back(smu_rack: Rack, message: str, answer: str) -> None:
    assert ask(smu_rack, message) == answer
    assert ask(smu_rack, ":SYST:ERR?") == '0,"No error"'


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (":PULS:PER1 1e-6;:PULS:WIDT1 2e-6", "-221"),
        (":VOLT1:HIGH -1", "-221"),
        (":VOLT1:HIGH 6", "-222"),  # 50 ohm load: 12 V into an open output
        (":OUTP1:LOAD 1e6;:VOLT1:LIM:HIGH 2;:VOLT1:LIM:STAT 1;:VOLT1:HIGH 2.5", "-222"),
        (":VOLT3:HIGH 1", "-114"),
        (":TRIG1", "-211"),
    ],
)
def test_settings_that_conflict_are_refused(smu_rack: Rack, message: str, number: str) -> None:
    ask(smu_rack, message)

    assert ask(smu_rack, ":SYST:ERR?").startswith(number + ",")


def test_a_triggered_pulse_resets_the_cell_and_spares_the_inhibited_row(wired: Rack) -> None:
    before = row(wired)

    for _ in range(30):
        ask(wired, ":TRIG1;*OPC?")

    change = row(wired) - before
    assert change[2] < -1e-6
    assert change[[0, 1, 3]].tolist() == [0.0, 0.0, 0.0]
    assert wired.chip.pulse_counts([CELL]).tolist() == [30]


def test_a_wrong_inhibit_resets_the_whole_row(wired: Rack) -> None:
    wired.exchange(GATE, b":SOUR:VOLT 0\n")
    route(wired, source="E", others="A")
    wired.exchange(GATE, b":SOUR:VOLT 4.7\n")
    before = row(wired)

    for _ in range(30):
        ask(wired, ":TRIG1")

    assert (row(wired) - before < -1e-6).all()


def test_a_gate_that_is_off_protects_the_cell(wired: Rack) -> None:
    wired.exchange(GATE, b":SOUR:VOLT 0\n")
    before = row(wired)

    ask(wired, ":TRIG1")

    assert row(wired).tolist() == before.tolist()


def test_a_level_for_fifty_ohms_arrives_doubled_at_an_open_line(wired: Rack) -> None:
    ask(wired, "*RST;:FUNC1 PULS;:ARM:SOUR1 MAN;:VOLT1:LOW 0;HIGH 0.9;:PULS:WIDT1 50e-9;:OUTP1 ON")
    before = row(wired)

    for _ in range(30):
        ask(wired, "*TRG")

    assert row(wired)[2] < before[2] - 1e-6  # 0.9 V would do next to nothing


def test_a_burst_takes_its_periods_and_gives_each_pulse(wired: Rack) -> None:
    ask(wired, ":PULS:PER1 1e-6;:BURS1:STAT ON;:BURS1:NCYC 20")
    start = wired.clock.now()

    ask(wired, ":TRIG1")

    assert wired.clock.now() - start == pytest.approx(1e-3 + 20e-6)
    assert wired.chip.pulse_counts([CELL]).tolist() == [20]


def test_a_million_harmless_pulses_are_one_message(wired: Rack) -> None:
    ask(wired, ":VOLT1:HIGH 0.2;:PULS:PER1 1e-6;:BURS1:STAT ON;:BURS1:NCYC 1000000")
    start = wired.clock.now()

    ask(wired, ":TRIG1")

    assert wired.clock.now() - start == pytest.approx(1e-3 + 1.0)
    assert wired.chip.pulse_counts([CELL]).tolist() == [0]
    assert wired.chip.state()["disturb"].reshape(-1)[20:24].astype(bool).tolist() == [
        False,
        False,
        True,
        False,
    ]


def test_an_output_that_is_off_makes_no_pulse(wired: Rack) -> None:
    ask(wired, ":OUTP1 OFF;:TRIG1")

    assert wired.chip.pulse_counts([CELL]).tolist() == [0]


def test_an_output_that_runs_by_itself_is_told_in_the_log(wired: Rack) -> None:
    ask(wired, ":OUTP1 OFF;:ARM:SOUR1 IMM;:OUTP1 ON")

    (event,) = (e for e in wired.log.events if e.address == "pulser:1")
    assert b"running by itself" in event.message


def test_pymeasures_driver_sets_a_triggered_pulse(smu_rack: Rack) -> None:
    adapter = VISAAdapter(
        PULSER,
        visa_library=f"{smu_rack.token}@labctl",
        write_termination="\n",
        read_termination="\n",
    )
    generator = Keysight81160A(adapter)
    channel = generator.ch_1
    channel.shape = "PULS"
    channel.pulse_period = 1e-6
    channel.pulse_width = 5e-8
    channel.voltage_high = 2.0
    channel.voltage_low = 0.0
    channel.trigger_mode = "MAN"
    channel.trigger_count = 3
    channel.output = True
    generator.trigger()

    found = (channel.shape, channel.pulse_width, channel.voltage_high, channel.trigger_count)
    assert found == ("PULS", 5e-8, 2.0, 3)
    assert channel.output
    assert generator.check_errors() == []
    adapter.close()


def running(rack: Rack, high: float, period: float) -> None:
    """Let the output of channel 1 run by itself, from now."""
    ask(rack, f":OUTP1 OFF;:VOLT1:HIGH {high};:PULS:PER1 {period};:ARM:SOUR1 IMM;:OUTP1 ON")


def test_an_output_that_runs_by_itself_gives_a_pulse_each_period(wired: Rack) -> None:
    running(wired, high=1.8, period=0.01)
    before = wired.chip.pulse_counts([22])[0]
    began = wired.clock.now()

    wired.clock.charge(0.5)
    ask(wired, ":OUTP1 OFF")

    periods = int((wired.clock.now() - began) / 0.01)
    assert wired.chip.pulse_counts([22])[0] - before == periods
    assert periods >= 50


def test_a_train_of_its_own_resets_as_that_many_triggered_pulses_do(wired: Rack) -> None:
    before = row(wired)[2]
    running(wired, high=1.8, period=0.001)

    wired.clock.charge(0.2)
    ask(wired, ":OUTP1 OFF")

    assert row(wired)[2] < 0.7 * before


def test_an_output_that_is_armed_by_hand_or_off_gives_nothing_by_itself(wired: Rack) -> None:
    before = wired.chip.pulse_counts([22])[0]

    wired.clock.charge(1.0)
    ask(wired, ":OUTP1 OFF;:ARM:SOUR1 IMM")
    wired.clock.charge(1.0)
    ask(wired, ":VOLT1:LOW?;:OUTP2 OFF")

    assert wired.chip.pulse_counts([22])[0] == before


def test_of_a_long_harmful_train_the_first_pulses_act_and_the_log_says_so(wired: Rack) -> None:
    running(wired, high=1.8, period=1e-6)

    wired.clock.charge(1.0)
    ask(wired, ":OUTP1 OFF")

    told = [entry.message.decode() for entry in wired.log.events]
    assert any("pulses of pulser:1: the first 200 act" in text for text in told)


def test_a_burst_of_two_thousand_million_harmful_pulses_ends_and_the_log_says_how(wired: Rack):
    before = wired.chip.pulse_counts([22])[0]

    ask(wired, ":TRIG1:COUN 2147483647;:TRIG1")

    assert wired.chip.pulse_counts([22])[0] - before == 1000
    assert b"2147483647 pulses of pulser:1: the first 1000 act" in [
        entry.message for entry in wired.log.events
    ]
