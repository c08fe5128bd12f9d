"""The dialogue of the Keithley 2450's driver, byte for byte."""

import pytest
from pymeasure.test import expected_protocol

from labctl_instruments.drivers.keithley2450 import Keithley2450
from labctl_instruments.errors import DialogueError, ReadBackError, RefusalError


@pytest.mark.parametrize(
    ("setting", "value", "command", "query", "answer"),
    [
        ("output", True, b":OUTP 1", b":OUTP?", b"1"),
        ("source_voltage", -0.2, b":SOUR:VOLT -0.2", b":SOUR:VOLT?", b"-2.000000E-01"),
        ("source_range", 2.0, b":SOUR:VOLT:RANG 2", b":SOUR:VOLT:RANG?", b"2"),
        ("current_limit", 1e-7, b":SOUR:VOLT:ILIM 1e-07", b":SOUR:VOLT:ILIM?", b"1.000000E-07"),
        ("nplc", 0.01, b":SENS:CURR:NPLC 0.01", b":SENS:CURR:NPLC?", b"0.01"),
        ("averages", 16, b":SENS:CURR:AVER:COUN 16", b":SENS:CURR:AVER:COUN?", b"16"),
    ],
)
def test_a_setting_is_written_whole_and_read_back(setting, value, command, query, answer):
    with expected_protocol(Keithley2450, [(command, None), (query, answer)]) as smu:
        setattr(smu, setting, value)
        assert getattr(smu, setting) == value


def test_a_reading_is_asked_for_by_read_and_never_by_measure():
    with expected_protocol(Keithley2450, [(b":READ?", b"-1.250000E-06")]) as smu:
        assert smu.read_current() == -1.25e-6


@pytest.mark.parametrize("answer", [b"9.9E37", b"9.91E37", b"nan"])
def test_an_overflow_is_never_taken_for_a_current(answer):
    with (
        expected_protocol(Keithley2450, [(b":READ?", answer)]) as smu,
        pytest.raises(DialogueError),
    ):
        smu.read_current()


def test_a_forced_voltage_is_read_back_in_the_same_exchange():
    with expected_protocol(Keithley2450, [(b":SOUR:VOLT 0.2;:SOUR:VOLT?", b"2.000000E-01")]) as smu:
        smu.force(0.2)


def test_a_voltage_that_was_not_taken_is_an_error():
    with (
        expected_protocol(Keithley2450, [(b":SOUR:VOLT 250;:SOUR:VOLT?", b"0")]) as smu,
        pytest.raises(ReadBackError, match="source voltage was set to 250"),
    ):
        smu.force(250)


def test_the_compliance_tells_whether_it_holds():
    dialogue = [(b":SOUR:VOLT:ILIM:TRIP?", b"1"), (b":SOUR:VOLT:ILIM:TRIP?", b"0")]
    with expected_protocol(Keithley2450, dialogue) as smu:
        assert smu.limited is True
        assert smu.limited is False


def test_preparing_puts_the_output_off_before_anything_else_and_checks_the_limit():
    dialogue = [
        (b":OUTP 0", None),
        (b':SOUR:FUNC VOLT;:SENS:FUNC "CURR";:SOUR:VOLT 0', None),
        (b":SENS:CURR:RANG:AUTO 1;:SENS:CURR:AVER:TCON REP;:SENS:CURR:AVER 1", None),
        (b":SENS:CURR:AVER:COUN 1", None),
        (b":SENS:CURR:NPLC 1", None),
        (b":SOUR:VOLT:ILIM 0.001", None),
        (b":SOUR:VOLT:ILIM?", b"1.000000E-03"),
        (b":SYST:ERR?", b'0,"No error;0;0 0"'),
    ]
    with expected_protocol(Keithley2450, dialogue) as smu:
        smu.prepare(nplc=1.0, current_limit=1e-3)


def test_shutting_down_sends_output_off_first_and_asks_nothing():
    with expected_protocol(Keithley2450, [(b":OUTP 0", None), (b":SOUR:VOLT 0", None)]) as smu:
        smu.shutdown()


def test_errors_raise_oldest_first():
    dialogue = [
        (b":SYST:ERR?", b'-113,"Undefined header;1;2026/01/01"'),
        (b":SYST:ERR?", b'-222,"Parameter data out of range;1"'),
        (b":SYST:ERR?", b'0,"No error"'),
    ]
    with (
        expected_protocol(Keithley2450, dialogue) as smu,
        pytest.raises(RefusalError) as caught,
    ):
        smu.check_errors()
    assert [number for number, _ in caught.value.errors] == [-113, -222]
