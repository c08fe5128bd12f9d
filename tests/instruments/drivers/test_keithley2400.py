"""The dialogue of the Keithley 2400's driver, byte for byte."""

import pytest
from pymeasure.test import expected_protocol

from labctl_instruments.drivers.keithley2400 import Keithley2400
from labctl_instruments.errors import DialogueError, ReadBackError


@pytest.mark.parametrize(
    ("setting", "value", "command", "query", "answer"),
    [
        ("output", True, b":OUTP 1", b":OUTP?", b"1"),
        ("source_voltage", -0.2, b":SOUR:VOLT -0.2", b":SOUR:VOLT?", b"-2.000000E-01"),
        ("current_limit", 1e-7, b":SENS:CURR:PROT 1e-07", b":SENS:CURR:PROT?", b"+1.000000E-07"),
        ("nplc", 0.01, b":SENS:CURR:NPLC 0.01", b":SENS:CURR:NPLC?", b"0.01"),
        ("averages", 16, b":SENS:AVER:COUN 16", b":SENS:AVER:COUN?", b"16"),
    ],
)
def test_a_setting_is_written_whole_and_read_back(setting, value, command, query, answer):
    with expected_protocol(Keithley2400, [(command, None), (query, answer)]) as smu:
        setattr(smu, setting, value)
        assert getattr(smu, setting) == value


def test_a_reading_is_asked_for_by_read_and_never_by_measure():
    with expected_protocol(Keithley2400, [(b":READ?", b"-1.250000E-06")]) as smu:
        assert smu.read_current() == -1.25e-6


@pytest.mark.parametrize("answer", [b"+9.900000E+37", b"+9.910000E+37"])
def test_an_overflow_is_never_taken_for_a_current(answer):
    with (
        expected_protocol(Keithley2400, [(b":READ?", answer)]) as smu,
        pytest.raises(DialogueError),
    ):
        smu.read_current()


def test_a_limit_that_reads_back_otherwise_is_an_error():
    dialogue = [(b":SENS:CURR:PROT 1e-07", None), (b":SENS:CURR:PROT?", b"+1.050000E-04")]
    with (
        expected_protocol(Keithley2400, dialogue) as smu,
        pytest.raises(ReadBackError, match="current_limit was set to 1e-07"),
    ):
        smu.secure("current_limit", 1e-7)


def test_the_compliance_tells_whether_it_holds():
    with expected_protocol(Keithley2400, [(b":SENS:CURR:PROT:TRIP?", b"1")]) as smu:
        assert smu.limited is True


def test_preparing_puts_the_output_off_before_anything_else_and_checks_the_limit():
    dialogue = [
        (b":OUTP 0", None),
        (b":SOUR:FUNC VOLT;:SOUR:VOLT:MODE FIX;:SOUR:VOLT:RANG:AUTO 1;:SOUR:VOLT 0", None),
        (b":SOUR:CLE:AUTO 0;:ARM:COUN 1;:TRIG:COUN 1;:ARM:SOUR IMM;:TRIG:SOUR IMM", None),
        (b':SENS:FUNC:OFF:ALL;:SENS:FUNC "CURR";:SENS:CURR:RANG:AUTO 1;:FORM:ELEM CURR', None),
        (b":SENS:AVER:TCON REP;:SENS:AVER 1", None),
        (b":SENS:AVER:COUN 1", None),
        (b":SENS:CURR:NPLC 1", None),
        (b":SENS:CURR:PROT 0.001", None),
        (b":SENS:CURR:PROT?", b"+1.000000E-03"),
        (b":SYST:ERR?", b'0,"No error"'),
    ]
    with expected_protocol(Keithley2400, dialogue) as smu:
        smu.prepare(nplc=1.0, current_limit=1e-3)


def test_shutting_down_sends_output_off_first_and_asks_nothing():
    with expected_protocol(Keithley2400, [(b":OUTP 0", None), (b":SOUR:VOLT 0", None)]) as smu:
        smu.shutdown()
