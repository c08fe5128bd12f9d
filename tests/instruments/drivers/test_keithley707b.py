"""The dialogue of the Keithley 707B's driver, byte for byte."""

import pytest
from pymeasure.test import expected_protocol

from labctl_instruments.drivers.keithley707b import Keithley707B
from labctl_instruments.errors import RefusalError

NO_ERRORS = b"0.00000e+00"


def test_preparing_opens_everything_and_breaks_before_it_makes():
    dialogue = [
        (b'channel.open("allslots") print(errorqueue.count)', NO_ERRORS),
        (b"channel.connectrule = channel.BREAK_BEFORE_MAKE print(errorqueue.count)", NO_ERRORS),
    ]
    with expected_protocol(Keithley707B, dialogue) as matrix:
        matrix.prepare()


@pytest.mark.parametrize(
    ("answer", "closed"),
    [
        (b"nil", frozenset()),
        (b"1A01", frozenset({"1A01"})),
        (b"1A01;6H12", frozenset({"1A01", "6H12"})),
    ],
)
def test_closed_channels_are_those_that_the_instrument_names(answer, closed):
    dialogue = [(b'print(channel.getclose("allslots"))', answer)]
    with expected_protocol(Keithley707B, dialogue) as matrix:
        assert matrix.closed == closed


def test_closing_only_some_channels_is_one_message():
    dialogue = [(b'channel.exclusiveclose("1A01,1B02") print(errorqueue.count)', NO_ERRORS)]
    with expected_protocol(Keithley707B, dialogue) as matrix:
        matrix.close_only(["1B02", "1A01"])


def test_closing_only_nothing_opens_everything():
    dialogue = [(b'channel.open("allslots") print(errorqueue.count)', NO_ERRORS)]
    with expected_protocol(Keithley707B, dialogue) as matrix:
        matrix.close_only([])


def test_an_exchange_opens_before_it_closes():
    dialogue = [(b'channel.open("1A01") channel.close("1B01") print(errorqueue.count)', NO_ERRORS)]
    with expected_protocol(Keithley707B, dialogue) as matrix:
        matrix.exchange_channels(opened=["1A01"], closed=["1B01"])


def test_a_channel_that_is_not_there_raises_what_the_error_queue_says():
    dialogue = [
        (b'channel.close("7A01") print(errorqueue.count)', b"1.00000e+00"),
        (b"print(errorqueue.next())", b"1.11500e+03\tParameter error\t2.00000e+01\t1.00000e+00"),
        (b"print(errorqueue.next())", b"0.00000e+00\tQueue Is Empty\t0.00000e+00\t0.00000e+00"),
    ]
    with (
        expected_protocol(Keithley707B, dialogue) as matrix,
        pytest.raises(RefusalError, match="1115, Parameter error"),
    ):
        matrix.exchange_channels(opened=[], closed=["7A01"])


def test_shutting_down_opens_everything_and_asks_nothing():
    with expected_protocol(Keithley707B, [(b'channel.open("allslots")', None)]) as matrix:
        matrix.shutdown()
