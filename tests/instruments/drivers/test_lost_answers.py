"""What is done about an answer that is lost: asked again, read back, or left alone."""

import pytest
from pymeasure.test import expected_protocol

from labctl_instruments.drivers.bench_clock import BenchClock
from labctl_instruments.drivers.keithley707b import Keithley707B
from labctl_instruments.drivers.keithley2400 import Keithley2400
from labctl_instruments.drivers.keithley2450 import Keithley2450
from labctl_instruments.drivers.keithley2636b import Keithley2636B
from labctl_instruments.drivers.keysight81160a import Keysight81160A
from labctl_instruments.drivers.keysight_b1500a import KeysightB1500ASmu, KeysightB1500ASpgu
from labctl_instruments.errors import LostAnswerError, RefusalError, WireError

SPOILT = b"\xfe\xfd\xfc"
"""An answer that is no text."""


def named(model: str) -> tuple[bytes, bytes]:
    """Return the exchange that brings a dialogue in step."""
    return (b"*IDN?", f"MAKER,{model},0,1.0".encode())


@pytest.mark.parametrize(
    ("driver", "model", "question", "answer"),
    [
        (Keithley2400, "MODEL 2400", b":READ?", b"-1.250000E-06"),
        (Keithley2450, "MODEL 2450", b":READ?", b"-1.250000E-06"),
        (
            Keithley2636B,
            "MODEL 2636B",
            b'print(string.format("%.9g", smua.measure.i()))',
            b"-1.25e-06",
        ),
        (KeysightB1500ASmu, "B1500A", b"AIT 1,2,1;TI 1,0", b"000AI-1.250000E-06"),
    ],
)
@pytest.mark.parametrize("spoilt", [SPOILT, b"", b"ERROR", b"1,2", b"000BI+1.000000E-06"])
def test_a_reading_is_taken_once_more_after_the_dialogue_is_in_step(
    driver, model, question, answer, spoilt
):
    dialogue = [(question, spoilt), named(model), (question, answer)]
    with expected_protocol(driver, dialogue) as smu:
        assert smu.read_current() == -1.25e-6


@pytest.mark.parametrize(
    ("driver", "model", "forcing", "question", "answer"),
    [
        (Keithley2450, "MODEL 2450", b":SOUR:VOLT 1.5;:SOUR:VOLT?", b":SOUR:VOLT?", b"1.5"),
        (
            Keithley2636B,
            "MODEL 2636B",
            b'smua.source.levelv = 1.5 print(string.format("%.9g %d", smua.source.levelv, '
            b"errorqueue.count))",
            b'print(string.format("%.9g", smua.source.levelv))',
            b"1.5",
        ),
        (
            KeysightB1500ASmu,
            "B1500A",
            b"DV 1,0,1.5,0.0001;*LRN? 1",
            b"*LRN? 1",
            b"DV1,0,+1.500000E+00,+1.000000E-04;",
        ),
    ],
)
def test_a_level_that_was_taken_is_not_forced_twice(driver, model, forcing, question, answer):
    dialogue = [(forcing, SPOILT), named(model), (question, answer)]
    with expected_protocol(driver, dialogue) as smu:
        smu.force(1.5)


def test_a_level_that_was_not_taken_is_forced_once_more():
    forcing = b":SOUR:VOLT 0.2;:SOUR:VOLT?"
    dialogue = [(forcing, SPOILT), named("MODEL 2450"), (b":SOUR:VOLT?", b"0"), (forcing, b"0.2")]
    with expected_protocol(Keithley2450, dialogue) as smu:
        smu.force(0.2)


@pytest.mark.parametrize(
    ("driver", "model", "trigger", "question", "done"),
    [
        (Keysight81160A, "81160A", b":TRIG1;*OPC?", b"*OPC?", b"1"),
        (KeysightB1500ASpgu, "B1500A", b"SRP;SPST?", b"SPST?", b"0"),
    ],
)
def test_of_a_burst_only_the_end_is_asked_for_again(driver, model, trigger, question, done):
    dialogue = [(trigger, SPOILT), named(model), (question, SPOILT), named(model), (question, done)]
    with expected_protocol(driver, dialogue) as pulser:
        pulser.trigger(1)


def test_a_shape_whose_answer_is_no_entry_of_an_error_queue_is_set_once_more_in_step():
    shape = (
        b":PULS:WIDT1 1e-08;:PULS:PER1 1e-06;:PULS:WIDT1 5e-08;:VOLT1:HIGH 1.8;"
        b":BURS1:NCYC 1;:SYST:ERR?"
    )
    dialogue = [(shape, b"garbled"), named("81160A"), (shape, b'+0,"No error"')]
    with expected_protocol(Keysight81160A, dialogue) as pulser:
        pulser.shape(1, high=1.8, width=50e-9, period=1e-6, count=1)


def test_after_an_answer_that_is_no_entry_of_an_error_queue_the_next_query_is_asked_in_step():
    error, sound = b":SYST:ERR?", b'+0,"No error"'
    dialogue = [(error, b"garbled"), named("81160A"), (error, sound)]
    with expected_protocol(Keysight81160A, dialogue) as pulser:
        with pytest.raises(WireError, match="garbled"):
            pulser.check_errors()
        assert pulser.check_errors() == []


def test_relays_at_rest_are_told_again():
    message = b'channel.open("allslots") print(errorqueue.count)'
    dialogue = [(message, SPOILT), named("MODEL 707B"), (message, b"0")]
    with expected_protocol(Keithley707B, dialogue) as matrix:
        matrix.execute('channel.open("allslots")')


def test_a_refusal_whose_reason_is_lost_is_still_a_refusal():
    dialogue = [
        (b"channel.close('9Z99') print(errorqueue.count)", b"1"),
        (b"print(errorqueue.next())", SPOILT),
    ]
    with (
        expected_protocol(Keithley707B, dialogue) as matrix,
        pytest.raises(RefusalError, match="the answer that told which is lost"),
    ):
        matrix.execute("channel.close('9Z99')")


def test_errors_whose_answer_is_lost_are_not_taken_for_none():
    with (
        expected_protocol(Keithley2450, [(b":SYST:ERR?", SPOILT)]) as smu,
        pytest.raises(LostAnswerError),
    ):
        smu.check_errors()


def test_bench_time_that_has_passed_does_not_pass_twice():
    asked = b":CLOC:ADV 600;*OPC?"
    dialogue = [
        (b":CLOC:TIME?", b"100"),
        (asked, SPOILT),
        named("BENCH-CLOCK"),
        (b":CLOC:TIME?", b"700"),
    ]
    with expected_protocol(BenchClock, dialogue) as clock:
        clock.advance(600.0)


def test_an_answer_that_is_lost_each_time_is_an_error():
    asked = (b":READ?", SPOILT)
    again = (named("MODEL 2400"), asked)
    with (
        expected_protocol(Keithley2400, [asked, *again, *again, *again]) as smu,
        pytest.raises(LostAnswerError, match="answered no text"),
    ):
        smu.read_current()
