"""From bytes to program message units."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_instruments.virtual.scpi.message import Unit, program_messages
from labctl_instruments.virtual.scpi.status import ScpiError
from labctl_instruments.wire.blocks import encode_block


def units(message: bytes) -> list[Unit | ScpiError]:
    return [unit for line in program_messages(message) for unit in line]


def headers(message: bytes) -> list[str]:
    return [unit.header for unit in units(message) if isinstance(unit, Unit)]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # SCPI 1999 volume 1, 6.2.4: the path is the parent of the header before.
        (b"SOUR:VOLT 1;CURR 2", ["SOUR:VOLT", "SOUR:CURR"]),
        (b"SOUR:VOLT:LEV 1;ILIM 2", ["SOUR:VOLT:LEV", "SOUR:VOLT:ILIM"]),
        (b"SOUR:VOLT 1;:OUTP ON", ["SOUR:VOLT", "OUTP"]),
        (b"SOUR:VOLT 1;*OPC;CURR 2", ["SOUR:VOLT", "*OPC", "SOUR:CURR"]),
        (b"VOLT 1;CURR 2", ["VOLT", "CURR"]),
        (b"*RST;:stat:pres;:*CLS;", ["*RST", "stat:pres", "*CLS"]),
        (b"SOUR:VOLT 1\nCURR 2\n", ["SOUR:VOLT", "CURR"]),
        (b";;VOLT 1; ;", ["VOLT"]),
        (b" \t VOLT\t1 \r\n", ["VOLT"]),
    ],
)
def test_headers_follow_the_path_rules(message: bytes, expected: list[str]) -> None:
    assert headers(message) == expected


@pytest.mark.parametrize(
    ("message", "tokens"),
    [
        (b"DISP 'a;b,c'", ("'a;b,c'",)),
        (b'DISP "say ""hi"", now", 2', ('"say ""hi"", now"', "2")),
        (b"ROUT (@1,2,3:5) , ON", ("(@1,2,3:5)", "ON")),
        (b"MASK #H1F, #B01", ("#H1F", "#B01")),
        (b"A , 1", ("", "1")),
        (b"A 1,,2", ("1", "", "2")),
        (b"A", ()),
    ],
)
def test_quotes_and_parentheses_hide_separators(message: bytes, tokens: tuple[str, ...]) -> None:
    (unit,) = units(message)

    assert isinstance(unit, Unit)
    assert unit.tokens == tokens


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_blocks_carry_any_bytes_between_other_parameters(payloads: list[bytes]) -> None:
    message = b"PUT " + b", ".join(encode_block(payload) for payload in payloads) + b",7;NEXT?\n"

    first, second = units(message)

    assert isinstance(first, Unit)
    assert isinstance(second, Unit)
    assert [bytes(token) for token in first.tokens[:-1]] == payloads
    assert first.tokens[-1] == "7"
    assert (second.header, second.is_query) == ("NEXT", True)


def test_an_indefinite_block_ends_with_the_message() -> None:
    (unit,) = units(b"PUT #0a;b\nc\n")

    assert isinstance(unit, Unit)
    assert bytes(unit.tokens[0]) == b"a;b\nc"


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (b"PUT #15abc", -161),
        (b"PUT #3 12abc", -161),
        (b"PUT #13abc 5", -103),
        (b"DISP 'open", -151),
        (b"ROUT (@1", -102),
        (b"1VOLT 2", -110),
        (b"VOLT?? 2", -110),
        (b'"VOLT"', -102),
    ],
)
def test_what_cannot_be_read_is_a_numbered_error(message: bytes, number: int) -> None:
    *_, error = units(b"*CLS;" + message)

    assert isinstance(error, ScpiError)
    assert error.number == number


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_are_units_or_errors(message: bytes) -> None:
    for unit in units(message):
        assert isinstance(unit, Unit | ScpiError)


GRAMMAR = st.lists(
    st.sampled_from(
        [
            b"VOLT",
            b"*IDN?",
            b":",
            b";",
            b",",
            b" ",
            b"1e3",
            b"'",
            b'"',
            b"#",
            b"#15",
            b"(",
            b")",
            b"\n",
            b"?",
            b"\0",
            b"\xff",
        ]
    ),
    max_size=30,
).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(GRAMMAR)
def test_nearly_right_messages_are_units_or_errors(message: bytes) -> None:
    for unit in units(message):
        assert isinstance(unit, Unit | ScpiError)
