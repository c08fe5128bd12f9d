"""The dialogue of the bench clock's driver, byte for byte."""

from pymeasure.test import expected_protocol

from labctl_instruments.drivers.bench_clock import BenchClock


def test_the_time_is_in_seconds():
    with expected_protocol(BenchClock, [(b":CLOC:TIME?", b"12.5")]) as clock:
        assert clock.time == 12.5


def test_an_advance_returns_when_it_is_over():
    dialogue = [(b":CLOC:TIME?", b"0"), (b":CLOC:ADV 600;*OPC?", b"1")]
    with expected_protocol(BenchClock, dialogue) as clock:
        clock.advance(600.0)


def test_an_advance_loses_no_digit():
    dialogue = [(b":CLOC:TIME?", b"0"), (b":CLOC:ADV 0.10000000000000001;*OPC?", b"1")]
    with expected_protocol(BenchClock, dialogue) as clock:
        clock.advance(0.1)


def test_the_mode_is_a_word():
    dialogue = [(b":CLOC:MODE REAL", None), (b":CLOC:MODE?", b"REAL")]
    with expected_protocol(BenchClock, dialogue) as clock:
        clock.mode = "REAL"
        assert clock.mode == "REAL"
