"""The dialogue of the Keithley 2636B's driver, byte for byte."""

import pytest
from pymeasure.test import expected_protocol

from labctl_instruments.drivers.keithley2636b import Keithley2636B
from labctl_instruments.errors import DialogueError, ReadBackError, RefusalError

NO_ERRORS = b"0.00000e+00"


def said(expression: str) -> bytes:
    """Return the query of a Lua expression, to nine digits."""
    return f'print(string.format("%.9g", {expression}))'.encode()


def done(command: str) -> bytes:
    """Return a command with its question for errors."""
    return f"{command} print(errorqueue.count)".encode()


@pytest.mark.parametrize(
    ("setting", "value", "command", "expression", "answer"),
    [
        ("current_limit", 1e-7, "smub.source.limiti = 1e-07", "smub.source.limiti", b"1e-07"),
        ("nplc", 0.01, "smub.measure.nplc = 0.01", "smub.measure.nplc", b"0.01"),
        (
            "averages",
            16,
            "smub.measure.filter.type = smub.FILTER_REPEAT_AVG "
            "smub.measure.filter.count = 16 smub.measure.filter.enable = 1",
            "smub.measure.filter.count",
            b"16",
        ),
    ],
)
def test_a_setting_is_written_whole_and_read_back(setting, value, command, expression, answer):
    dialogue = [(done(command), NO_ERRORS), (said(expression), answer)]
    with expected_protocol(Keithley2636B, dialogue, channel="b") as smu:
        setattr(smu, setting, value)
        assert getattr(smu, setting) == value


def test_an_output_is_put_on_and_seen():
    dialogue = [(b"smua.source.output = 1", None), (said("smua.source.output"), b"1")]
    with expected_protocol(Keithley2636B, dialogue) as smu:
        smu.output = True
        assert smu.outputs_on() == ("output",)


def test_a_reading_comes_to_nine_digits():
    with expected_protocol(Keithley2636B, [(said("smua.measure.i()"), b"-1.23456789e-06")]) as smu:
        assert smu.read_current() == -1.23456789e-6


@pytest.mark.parametrize("answer", [b"9.91e+37", b"-9.91e+37", b"nan"])
def test_an_overflow_is_never_taken_for_a_current(answer):
    with (
        expected_protocol(Keithley2636B, [(said("smua.measure.i()"), answer)]) as smu,
        pytest.raises(DialogueError),
    ):
        smu.read_current()


FORCED = (
    b'smua.source.levelv = 0.2 print(string.format("%.9g %d", smua.source.levelv, '
    b"errorqueue.count))"
)


def test_a_forced_voltage_is_read_back_in_the_same_exchange():
    with expected_protocol(Keithley2636B, [(FORCED, b"0.2 0")]) as smu:
        smu.force(0.2)


def test_a_voltage_that_was_not_taken_is_an_error():
    with (
        expected_protocol(Keithley2636B, [(FORCED, b"0 0")]) as smu,
        pytest.raises(ReadBackError, match=r"source voltage was set to 0\.2"),
    ):
        smu.force(0.2)


def test_a_refusal_tells_what_was_queued():
    dialogue = [
        (done("smua.source.limiti = 2"), b"1.00000e+00"),
        (b"print(errorqueue.next())", b"1.10100e+03\tParameter too big\t2.00000e+01\t1.00000e+00"),
        (b"print(errorqueue.next())", b"0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00"),
    ]
    with (
        expected_protocol(Keithley2636B, dialogue) as smu,
        pytest.raises(RefusalError) as caught,
    ):
        smu.current_limit = 2.0
    assert list(caught.value.errors) == [(1101, "Parameter too big")]


def test_the_compliance_tells_whether_it_holds():
    question = b"print(smua.source.compliance)"
    dialogue = [(question, b"true"), (question, b"false")]
    with expected_protocol(Keithley2636B, dialogue) as smu:
        assert smu.limited is True
        assert smu.limited is False


def test_shutting_down_sends_output_off_first_and_asks_nothing():
    dialogue = [(b"smua.source.output = 0", None), (b"smua.source.levelv = 0", None)]
    with expected_protocol(Keithley2636B, dialogue) as smu:
        smu.shutdown()


def test_channels_of_one_instrument_share_connection_and_dialogue():
    with expected_protocol(Keithley2636B, []) as smu:
        other = smu.other("source", "b")

    assert other.adapter is smu.adapter
    assert other.dialogue is smu.dialogue
