"""Commands, parameters, errors and status, on an instrument that is only a table."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_instruments.virtual.scpi import (
    Block,
    Boolean,
    Choice,
    CommandTable,
    Integer,
    Number,
    ScpiEngine,
    ScpiError,
    Text,
)
from tests.instruments.virtual.conftest import BIT, MakeRack


@dataclass
class Box:
    """What the test instrument remembers."""

    volts: float = 0.0
    outputs: dict[int, bool] = field(default_factory=dict)
    calls: list[object] = field(default_factory=list)

    def refuse(self) -> None:
        raise ScpiError(-221, "not now")


def make(*, is_atomic: bool = False) -> tuple[ScpiEngine, Box]:
    box = Box()
    table = CommandTable()
    table.setting(
        "[:SOURce[1]]:VOLTage[:LEVel][:IMMediate][:AMPLitude]",
        Number("V", -10.0, 10.0, 0.5),
        lambda: box.volts,
        lambda value: setattr(box, "volts", value),
    )
    table.setting(
        "OUTPut#[:STATe]",
        Boolean(),
        lambda channel: box.outputs.get(channel, False),
        box.outputs.__setitem__,
    )
    table.stored("FUNCtion", Choice(("VOLTage", "CURRent", "INT2"), default="VOLT"))
    table.stored("LABel", Text("none"))
    table.command("PUT", lambda *values: box.calls.append(values), Integer(0, 9), Block(4, 16))
    table.command("REFuse", box.refuse)
    table.query("DATA", lambda n: np.arange(n, dtype="<u2"), Integer(0, 100))
    table.query("LIST", lambda: (1, 2.5, "x", True))
    table.query("ECHO:FREQuency", lambda value: value, Number("HZ"))
    table.query("ECHO:RESistance", lambda value: value, Number("OHM"))
    table.query("ECHO:NUMBer", lambda value: value, Number())
    return ScpiEngine(table, identity="a,b,c,d", reset=lambda: None, is_atomic=is_atomic), box


def errors(engine: ScpiEngine) -> list[int]:
    found = []
    while (number := engine.status.next_error()[0]) != 0:
        found.append(number)
    return found


KEYWORDS = (
    ("", ":SOUR", ":SOURCE", ":SOUR1", ":SOURCE1"),
    (":VOLT", ":VOLTAGE"),
    ("", ":LEV", ":LEVEL"),
    ("", ":IMM", ":IMMEDIATE"),
    ("", ":AMPL", ":AMPLITUDE"),
)


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(*(st.sampled_from(choice) for choice in KEYWORDS)),
    st.randoms(use_true_random=False),
    st.floats(-10, 10),
)
def test_every_spelling_of_a_header_is_the_same_command(keywords, random, value: float) -> None:
    engine, box = make()
    header = "".join(random.choice((c.upper(), c.lower())) for c in "".join(keywords))

    engine.handle(f"{header} {value!r}\n".encode())

    assert errors(engine) == []
    assert box.volts == value
    assert float(engine.handle(f"{header}?\n".encode())) == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("+1.5E-3", 1.5e-3),
        (".5", 0.5),
        ("5.", 5.0),
        ("1 e 3", 1e3),
        ("#HFF", 255.0),
        ("#q17", 15.0),
        ("#B101", 5.0),
        ("INF", 9.9e37),
        ("ninf", -9.9e37),
    ],
)
def test_numbers_are_read_as_ieee_488_writes_them(text: str, value: float) -> None:
    engine, _ = make()

    assert float(engine.handle(f"ECHO:NUMB? {text}".encode())) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("header", "text", "value"),
    [
        ("VOLT", "500 mV", 0.5),
        ("VOLT", "2V", 2.0),
        ("VOLT", "0.001kv", 1.0),
        ("VOLT", "0.000001 MAV", 1.0),
        ("ECHO:FREQ", "2 MHZ", 2e6),  # mega before HZ and OHM, IEEE 488.2 7.7.3.3
        ("ECHO:FREQ", "3 kHz", 3e3),
        ("ECHO:RES", "1 mohm", 1e6),
        ("ECHO:RES", "4 uohm", 4e-6),
    ],
)
def test_units_carry_their_multiples(header: str, text: str, value: float) -> None:
    engine, _ = make()

    query = f"{header}? {text}" if header.startswith("ECHO") else f"{header} {text};{header}?"

    assert float(engine.handle(query.encode())) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (b"FOO 1", -113),
        (b"VOLT:FOO 1", -113),
        (b"SOUR2:VOLT 1", -114),
        (b"FUNC3 VOLT", -114),
        (b"VOLT", -109),
        (b"PUT 1,", -109),
        (b"VOLT 1,2", -108),
        (b"*IDN? 1", -108),
        (b"VOLT ON", -104),
        (b"VOLT 'x'", -104),
        (b"VOLT 1x3", -121),
        (b"VOLT 1_0", -121),
        (b"VOLT 1..2", -121),
        (b"VOLT 1e999", -123),
        (b"VOLT 1 mA", -131),
        (b"ECHO:NUMB? 1 V", -138),
        (b"VOLT 11", -222),
        (b"VOLT nan", -222),
        (b"OUTP MAYBE", -104),
        (b"FUNC RES", -224),
        (b"FUNC 3", -104),
        (b"LAB bare", -104),
        (b"PUT 1,2", -104),
        (b"PUT 1,#13abc", -161),
        (b"PUT 1,#220" + bytes(20), -223),
        (b"REF", -221),
    ],
)
def test_a_refusal_has_its_standard_number_and_changes_nothing(message: bytes, number: int) -> None:
    engine, box = make()

    answer = engine.handle(message)

    assert answer == b""
    assert errors(engine) == [number]
    assert (box.volts, box.outputs, box.calls) == (0.0, {}, [])


def test_a_suffix_is_one_when_it_is_left_out() -> None:
    engine, box = make()

    engine.handle(b"OUTP ON;:OUTPUT2 1;:OUTP3:STAT OFF")

    assert box.outputs == {1: True, 2: True, 3: False}
    assert engine.handle(b"OUTP1?;:OUTP2:STATE?;:OUTP3?") == b"1;1;0\n"


@pytest.mark.parametrize("quoted", [b"'CURR'", b'"CURRENT"', b"curr", b"Current"])
def test_a_word_may_be_bare_or_quoted_in_either_way(quoted: bytes) -> None:
    engine, _ = make()

    assert engine.handle(b"FUNC " + quoted + b";FUNC?") == b"CURR\n"


def test_a_string_keeps_its_quotes_and_separators() -> None:
    engine, _ = make()

    assert engine.handle(b"LAB 'it''s; \"so\"';LAB?") == b'"it\'s; ""so"""\n'


def test_minimum_maximum_and_default_are_numbers() -> None:
    engine, box = make()

    answer = engine.handle(b"VOLT MAX;VOLT? MIN;VOLT? MAXIMUM;VOLT? DEF;VOLT?")

    assert answer == b"-10;10;0.5;10\n"
    assert box.volts == 10.0


def test_answers_of_one_message_are_joined_and_those_of_two_are_not() -> None:
    engine, _ = make()

    assert engine.handle(b"LIST?;VOLT?\n*IDN?\n") == b"1,2.5,x,1;0\na,b,c,d\n"


def test_an_array_answers_as_a_block() -> None:
    engine, _ = make()

    assert engine.handle(b"DATA? 3;VOLT?") == b"#16\x00\x00\x01\x00\x02\x00;0\n"


def test_an_execution_error_ends_its_unit_and_a_command_error_the_message() -> None:
    engine, box = make()

    assert engine.handle(b"VOLT 11;VOLT 2;*IDN?;FOO;VOLT 3;*IDN?") == b"a,b,c,d\n"

    assert box.volts == 2.0
    assert errors(engine) == [-222, -113]


def test_an_atomic_instrument_does_nothing_of_a_message_it_cannot_read() -> None:
    engine, box = make(is_atomic=True)

    assert engine.handle(b"VOLT 2;*IDN?;FOO") == b""

    assert box.volts == 0.0
    assert errors(engine) == [-113]


def test_reset_gives_stored_settings_their_defaults_and_keeps_errors() -> None:
    engine, _ = make()

    assert engine.handle(b"FUNC CURR;FOO\n*RST;FUNC?") == b"VOLT\n"

    assert errors(engine) == [-113]


def test_a_full_queue_ends_with_overflow() -> None:
    engine, _ = make()

    for _ in range(40):
        engine.handle(b"FOO")

    assert engine.handle(b"SYST:ERR:COUN?") == b"32\n"
    assert errors(engine) == [-113] * 31 + [-350]
    assert engine.handle(b"SYST:ERR?") == b'0,"No error"\n'


@pytest.mark.parametrize(("message", "bit"), [(b"FOO", 32), (b"VOLT 11", 16), (b"*OPC", 1)])
def test_what_happens_sets_its_bit_of_the_event_register(message: bytes, bit: int) -> None:
    engine, _ = make()
    assert engine.handle(b"*ESR?") == b"128\n"  # power on

    engine.handle(message)

    assert engine.handle(b"*ESR?;*ESR?") == b"%d;0\n" % bit


def test_the_status_byte_sums_up_errors_events_and_requests() -> None:
    engine, _ = make()
    engine.handle(b"*CLS;*ESE 16;*SRE 32")

    engine.handle(b"VOLT 11")

    assert engine.handle(b"*STB?") == b"%d\n" % (4 + 32 + 64)
    assert engine.handle(b"*CLS;*STB?;*ESE?;*SRE?") == b"0;16;32\n"


def test_a_condition_that_rises_is_an_event_until_it_is_read() -> None:
    engine, _ = make()
    engine.handle(b"STAT:QUES:ENAB 2")

    engine.status.questionable.set_condition(2, on=True)

    assert engine.handle(b"*STB?;STAT:QUES:COND?;EVEN?;EVEN?;:*STB?") == b"8;2;2;0;0\n"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_no_message_breaks_the_engine(message: bytes) -> None:
    engine, _ = make()

    engine.handle(message)
    engine.handle(b"\n*CLS")

    assert engine.handle(b"*IDN?") == b"a,b,c,d\n"


PIECES = [
    b"VOLT", b"OUTP2", b"PUT", b"DATA?", b"SYST:ERR?", b"*ESR?", b"LAB", b" ", b",", b";", b":",
    b"?", b"1", b"-3e400", b"5V", b"MIN", b"ON", b"'a'", b'"', b"#14abcd", b"#9", b"#0", b"(",
    b"#H", b"\n", b"\x80",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join))
def test_no_nearly_right_message_breaks_the_engine(message: bytes) -> None:
    engine, box = make()

    first = engine.handle(message)
    again, _ = make()

    assert again.handle(message) == first
    assert -10.0 <= box.volts <= 10.0


def test_remembered_messages_are_bounded() -> None:
    engine, box = make()

    for number in range(10_000):
        engine.handle(b"VOLT %d.%d" % (number % 10, number))

    assert len(engine._plans) <= 4096
    assert box.volts == pytest.approx(9.9999)


def test_a_header_that_is_registered_twice_is_refused() -> None:
    table = CommandTable()
    table.command("OUTPut[:STATe]", print)

    with pytest.raises(ValueError, match="registered twice"):
        table.command("OUTPut", print)


@pytest.mark.parametrize("letters", [b"\xff\xfe", b"\xb5V", b"'\xff'"])
def test_what_is_no_ascii_is_quoted_as_ascii(letters: bytes, make_rack: MakeRack) -> None:
    # In capitals some of them are none of Latin-1 any more.
    rack = make_rack("smu")

    rack.exchange(BIT, b":SENS:FUNC " + letters)

    error = rack.exchange(BIT, b":SYST:ERR?")
    assert error.startswith(b"-")
    assert error.isascii()
