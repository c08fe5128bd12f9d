"""IEEE 488.2 blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl_instruments.errors import BlockError
from labctl_instruments.wire.blocks import decode_array, decode_block, encode_block


def test_a_block_has_a_hash_a_digit_and_the_length() -> None:
    assert encode_block(b"0123456789AB") == b"#2120123456789AB"


def test_an_empty_block_says_length_zero() -> None:
    assert encode_block(b"") == b"#10"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000), st.binary(max_size=5), st.binary(max_size=5))
def test_what_is_encoded_is_decoded_wherever_it_stands(
    payload: bytes, before: bytes, after: bytes
) -> None:
    view, stop = decode_block(before + encode_block(payload) + after, len(before))

    assert bytes(view) == payload
    assert stop == len(before) + 2 + len(str(len(payload))) + len(payload)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40).map(lambda tail: b"#" + tail))
def test_any_bytes_are_a_block_or_a_block_error(message: bytes) -> None:
    try:
        payload, stop = decode_block(message)
    except BlockError:
        return
    assert encode_block(payload)[-len(payload) - 1 :] == message[:stop][-len(payload) - 1 :]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"1.5\n", "expected '#', found b'1.5"),
        (b"#0abc", "expected a digit 1-9"),
        (b"#x12", "expected a digit 1-9"),
        (b"#3 12abc", "expected 3 digits"),
        (b"#15abc", "5 bytes announced, 3 found"),
        (b"", "expected '#', found b''"),
    ],
)
def test_a_broken_block_says_what_was_found(message: bytes, says: str) -> None:
    with pytest.raises(BlockError, match=says):
        decode_block(message)


def test_an_array_travels_in_its_byte_order() -> None:
    currents = np.array([1e-6, -2.5], "<f8")

    received = decode_array(encode_block(currents) + b"\n", "<f8")

    assert received.tolist() == currents.tolist()
    assert received.flags.writeable


def test_a_length_that_does_not_divide_is_refused() -> None:
    with pytest.raises(BlockError, match="7 bytes do not divide into records of 4"):
        decode_array(encode_block(b"1234567"), "<u4")


def test_bytes_after_the_line_end_are_refused() -> None:
    with pytest.raises(BlockError, match="expected a line end"):
        decode_array(encode_block(b"1234") + b"\nlate reply", "<u4")
