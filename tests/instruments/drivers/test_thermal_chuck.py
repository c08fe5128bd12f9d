"""The dialogue of the thermal chuck's driver, byte for byte: kelvin here, Celsius on the wire."""

import pytest
from pymeasure.test import expected_protocol

from labctl_instruments.drivers.thermal_chuck import ThermalChuck
from labctl_instruments.errors import ReadBackError, RefusalError


def test_holding_a_temperature_reads_the_set_point_back_before_the_output_goes_on():
    dialogue = [
        (b":SOUR:TEMP 85", None),
        (b":SYST:ERR?", b'0,"No error"'),
        (b":SOUR:TEMP 85", None),
        (b":SOUR:TEMP?", b"+8.500000E+01"),
        (b":OUTP 1", None),
        (b":SYST:ERR?", b'0,"No error"'),
    ]
    with expected_protocol(ThermalChuck, dialogue) as chuck:
        chuck.hold(358.15)


def test_a_set_point_that_is_refused_leaves_the_output_as_it_is():
    dialogue = [
        (b":SOUR:TEMP 300", None),
        (b":SYST:ERR?", b'-222,"Data out of range"'),
        (b":SYST:ERR?", b'0,"No error"'),
    ]
    with expected_protocol(ThermalChuck, dialogue) as chuck, pytest.raises(RefusalError):
        chuck.hold(573.15)


def test_a_set_point_that_reads_back_otherwise_is_an_error():
    dialogue = [
        (b":SOUR:TEMP 85", None),
        (b":SYST:ERR?", b'0,"No error"'),
        (b":SOUR:TEMP 85", None),
        (b":SOUR:TEMP?", b"+2.500000E+01"),
    ]
    with expected_protocol(ThermalChuck, dialogue) as chuck, pytest.raises(ReadBackError):
        chuck.hold(358.15)


def test_the_temperature_is_in_kelvin():
    with expected_protocol(ThermalChuck, [(b":MEAS:TEMP?", b"+2.500000E+01")]) as chuck:
        assert chuck.temperature == pytest.approx(298.15)


def test_shutting_down_sends_output_off_and_asks_nothing():
    with expected_protocol(ThermalChuck, [(b":OUTP 0", None)]) as chuck:
        chuck.shutdown()


def test_the_limit_is_set_in_celsius_and_read_back():
    dialogue = [
        (b":SOUR:TEMP:PROT:HIGH 126.85", None),
        (b":SOUR:TEMP:PROT:HIGH?", b"+1.268500E+02"),
    ]
    with expected_protocol(ThermalChuck, dialogue) as chuck:
        chuck.secure("temperature_limit", 400.0)
