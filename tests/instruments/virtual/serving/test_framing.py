"""Messages in a stream of bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl_instruments.errors import ConnectionRefusal
from labctl_instruments.virtual.serving.framing import Framer
from labctl_instruments.wire.blocks import encode_block


def messages(*received: bytes, has_blocks: bool = True, **bounds: int) -> list[bytes]:
    framer = Framer(has_blocks=has_blocks, **bounds)
    return [message for part in received for message in framer.feed(part)]


def test_a_line_is_a_message() -> None:
    assert messages(b"*RST\n:VOLT 1\r\n:VOLT?\n:CU") == [b"*RST\n", b":VOLT 1\r\n", b":VOLT?\n"]


@pytest.mark.parametrize(
    "head", [b":COUN:PULS? ", b":STR:CELL 0.2,5e-8,3,", b"X#", b"A 1;:B:C ", b"A \t"]
)
def test_a_line_end_within_a_block_ends_nothing(head: bytes) -> None:
    message = head.removesuffix(b"#") + encode_block(b"\n\n;,\"'#\n") + b";:SYST:ERR?\n"

    assert messages(message + b"*IDN?\n") == [message, b"*IDN?\n"]


@pytest.mark.parametrize(
    "line",
    [
        b':DISP:TEXT "a,#15"\n',
        b":DISP:TEXT 'it''s #19'\n",
        b"X #H1F\n",
        b"X #B10,#Q7\n",
        b"X ab #15\n",
    ],
)
def test_what_looks_like_a_block_and_is_none_hides_no_line_end(line: bytes) -> None:
    assert messages(line + b"*IDN?\n") == [line, b"*IDN?\n"]


def test_a_quote_that_is_never_closed_ends_with_its_line() -> None:
    assert messages(b':DISP:TEXT "abc\n', b"X #15ab\nde\n") == [
        b':DISP:TEXT "abc\n',
        b"X #15ab\nde\n",
    ]


def test_the_length_operator_of_lua_begins_no_block() -> None:
    assert messages(b"print( #19)\nx=#1\n", has_blocks=False) == [b"print( #19)\n", b"x=#1\n"]


WORDS = st.lists(
    st.one_of(
        st.sampled_from([b"*IDN?", b":A:B 1,2", b';"q,;#"', b"X #H1"]),
        st.binary(max_size=40).map(lambda body: b"READ " + encode_block(body)),
    ).map(lambda word: word + b"\n"),
    max_size=8,
)


@given(WORDS, st.lists(st.integers(0, 400), max_size=10))
def test_messages_are_the_same_however_the_bytes_arrive(
    words: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(words)
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})

    parts = [stream[a:b] for a, b in itertools.pairwise(places)]

    assert messages(*parts) == words


@given(st.lists(st.binary(max_size=200), max_size=10), st.booleans())
def test_no_bytes_break_it(parts: list[bytes], has_blocks: bool) -> None:
    framer = Framer(has_blocks=has_blocks, longest_line=300, longest_block=300, longest_blocks=500)
    given_bytes = 0
    try:
        for part in parts:
            given_bytes += sum(len(message) for message in framer.feed(part))
            assert framer.waiting <= 300 + 500 + 16
    except ConnectionRefusal:
        return
    assert given_bytes + framer.waiting == sum(map(len, parts))


@pytest.mark.parametrize(
    ("received", "told"),
    [
        (b"a" * 65, "a line of more than 64 bytes"),
        (b"a" * 64 + b"\n", "a line of more than 64 bytes"),
        (b"X #3100", "a block of 100 bytes"),
        (b"X #9999999999", "a block of 999999999 bytes"),
        (b"X #240" + bytes(40) + b",#240" + bytes(40) + b"\n", "a block of 40 bytes"),
    ],
)
def test_what_is_too_long_is_refused(received: bytes, told: str) -> None:
    with pytest.raises(ConnectionRefusal, match=told):
        messages(received, longest_line=64, longest_block=64, longest_blocks=64)


@pytest.mark.parametrize(
    "line",
    [
        b"POST / HTTP/1.1\r\n",
        b"GET /x?y=*RST HTTP/1.0\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n",
    ],
)
def test_a_web_page_is_refused_before_its_body_is_heard(line: bytes) -> None:
    with pytest.raises(ConnectionRefusal, match="HTTP"):
        messages(line + b"Host: x\r\n\r\n:OUTP ON\n")


def test_a_later_line_may_say_anything() -> None:
    assert len(messages(b"*IDN?\n", b"GET / HTTP/1.1\r\n")) == 2


def test_a_block_longer_than_any_line_is_a_message_like_another() -> None:
    message = b":MAC:EXEC? 0,#6" + b"%06d" % 200_000 + bytes(200_000) + b"\n"

    framer = Framer(has_blocks=True, longest_line=100_000)

    assert list(framer.feed(message)) == [message]
