"""The dialogue of the Keysight 81160A's driver, byte for byte."""

import pytest
from pymeasure.test import expected_protocol

from labctl_instruments.drivers.keysight81160a import Keysight81160A
from labctl_instruments.errors import ReadBackError, RefusalError

SHAPE = (
    b":PULS:WIDT1 1e-08;:PULS:PER1 1e-06;:PULS:WIDT1 5e-08;:VOLT1:HIGH 1.8;:BURS1:NCYC 1;:SYST:ERR?"
)
PREPARE = [
    (b":OUTP1 0", None),
    (b":OUTP1:LOAD 1000000", None),
    (b":FUNC1 PULS;:ARM:SOUR1 MAN", None),
    (b":BURS1:STAT 1;:BURS1:NCYC 1", None),
    (b":OUTP1:POL NORM", None),
    (b":VOLT1:LOW 0", None),
    (b":VOLT1:LIM:LOW 0;:VOLT1:LIM:HIGH 3.5", None),
    (b":VOLT1:LIM:STAT 1", None),
]


def test_preparing_puts_the_output_off_first_and_limits_the_level():
    dialogue = [*PREPARE, (b":VOLT1:LIM:HIGH?", b"+3.5E+00"), (b":SYST:ERR?", b'+0,"No error"')]
    with expected_protocol(Keysight81160A, dialogue) as pulser:
        pulser.prepare(1, voltage_limit=3.5)


def test_a_level_limit_that_reads_back_otherwise_is_an_error():
    with (
        expected_protocol(Keysight81160A, [*PREPARE, (b":VOLT1:LIM:HIGH?", b"+1.0E+01")]) as pulser,
        pytest.raises(ReadBackError),
    ):
        pulser.prepare(1, voltage_limit=3.5)


def test_a_burst_is_shaped_in_one_exchange_that_ends_with_the_error_queue():
    with expected_protocol(Keysight81160A, [(SHAPE, b'+0,"No error"')]) as pulser:
        pulser.shape(1, high=1.8, width=50e-9, period=1e-6, count=1)


def test_a_shape_that_is_refused_is_an_error_and_nothing_is_triggered():
    dialogue = [
        (SHAPE, b'-222,"Data out of range"'),
        (b":SYST:ERR?", b'+0,"No error"'),
    ]
    with (
        expected_protocol(Keysight81160A, dialogue) as pulser,
        pytest.raises(RefusalError, match="-222, Data out of range"),
    ):
        pulser.shape(1, high=1.8, width=50e-9, period=1e-6, count=1)


def test_a_trigger_returns_when_the_burst_is_over():
    with expected_protocol(Keysight81160A, [(b":TRIG1;*OPC?", b"1")]) as pulser:
        pulser.trigger(1)


def test_outputs_that_are_on_are_named():
    dialogue = [(b":OUTP1?", b"0"), (b":OUTP2?", b"1")]
    with expected_protocol(Keysight81160A, dialogue) as pulser:
        assert pulser.outputs_on() == ("output 2",)


def test_shutting_down_isolates_both_channels_and_asks_nothing():
    with expected_protocol(Keysight81160A, [(b":OUTP1 0", None), (b":OUTP2 0", None)]) as pulser:
        pulser.shutdown()


def test_a_channel_for_pulses_below_zero_rests_at_its_high_level_and_is_limited_below() -> None:
    dialogue = [
        (b":OUTP2 0", None),
        (b":OUTP2:LOAD 1000000", None),
        (b":FUNC2 PULS;:ARM:SOUR2 MAN", None),
        (b":BURS2:STAT 1;:BURS2:NCYC 1", None),
        (b":OUTP2:POL INV", None),
        (b":VOLT2:HIGH 0", None),
        (b":VOLT2:LIM:HIGH 0;:VOLT2:LIM:LOW -1.25", None),
        (b":VOLT2:LIM:STAT 1", None),
        (b":VOLT2:LIM:LOW?", b"-1.2500000E+00"),
        (b":SYST:ERR?", b'+0,"No error"'),
    ]
    with expected_protocol(Keysight81160A, dialogue) as pulser:
        pulser.prepare(2, voltage_limit=-1.25)


def test_both_channels_are_triggered_by_one_message() -> None:
    with expected_protocol(Keysight81160A, [(b"*TRG;*OPC?", b"1")]) as pulser:
        pulser.trigger_all()
