"""IEEE 488.2 definite-length arbitrary blocks: `#`, one digit n, n digits of length, the bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from labctl_instruments.errors import BlockError

Buffer = bytes | bytearray | memoryview

_MAX_LENGTH = 999_999_999
_HASH = ord("#")


def encode_block(
    payload: Buffer | npt.NDArray[Any], *, before: bytes = b"", after: bytes = b""
) -> bytes:
    """Return `payload` as a definite-length block.

    Parameters
    ----------
    payload : bytes-like or ndarray
        What the block carries; an array goes in its own byte order, C order. It is copied once.
    before, after : bytes
        What of the message stands around the block.

    Returns
    -------
    bytes
        The block, header included, and what stands around it.

    Raises
    ------
    BlockError
        If the payload is longer than nine digits can say.
    """
    body = np.ascontiguousarray(payload).data if isinstance(payload, np.ndarray) else payload
    length = memoryview(body).nbytes
    if length > _MAX_LENGTH:
        raise BlockError(f"block of {length} bytes: at most {_MAX_LENGTH} fit nine digits")
    digits = b"%d" % length
    return b"".join((before, b"#%d" % len(digits), digits, body, after))


def decode_block(message: Buffer, start: int = 0) -> tuple[memoryview, int]:
    """Return the payload of the block at `start` of `message`, and the offset just after it.

    The payload is a view: nothing is copied.

    Raises
    ------
    BlockError
        If no block starts there, its length cannot be read, or bytes are missing.
    """
    view = memoryview(message)
    body, length = block_span(view, start)
    stop = body + length
    if stop > len(view):
        raise BlockError(
            f"block at byte {start}: {length} bytes announced, {len(view) - body} found"
        )
    return view[body:stop], stop


def block_span(message: Buffer, start: int = 0) -> tuple[int, int]:
    """Return where the payload of the block at `start` begins and its announced length, in bytes.

    Raises
    ------
    BlockError
        If no definite-length block starts there, or its header is cut short.
    """
    if start >= len(message) or message[start] != _HASH:
        found = bytes(message[start : start + 8])
        raise BlockError(f"block at byte {start}: expected '#', found {found!r}")
    head = bytes(message[start + 1 : start + 2])
    if not head.isdigit() or head == b"0":
        raise BlockError(f"block at byte {start}: expected a digit 1-9 after '#', found {head!r}")
    body = start + 2 + int(head)
    digits = bytes(message[start + 2 : body])
    if len(digits) != int(head) or not digits.isdigit():
        raise BlockError(f"block at byte {start}: expected {int(head)} digits, found {digits!r}")
    return body, int(digits)


def decode_array(message: Buffer, dtype: npt.DTypeLike, start: int = 0) -> npt.NDArray[Any]:
    """Return the records in the one block that is at `start` of `message`.

    Parameters
    ----------
    message : bytes-like
        An answer: a block, with at most a line end after it.
    dtype : dtype
        Of one record, byte order included.
    start : int
        Where the block begins.

    Returns
    -------
    ndarray of shape (n,)
        A copy of the records; it owns its memory and can be written.

    Raises
    ------
    BlockError
        If there is no whole block, more follows it, or its length is not n records.
    """
    payload, stop = decode_block(message, start)
    rest = bytes(memoryview(message)[stop : stop + 16])
    if rest.strip(b"\r\n"):
        raise BlockError(f"block at byte {start}: expected a line end after it, found {rest!r}")
    record = np.dtype(dtype)
    if len(payload) % record.itemsize:
        raise BlockError(
            f"block at byte {start}: {len(payload)} bytes do not divide into records "
            f"of {record.itemsize} bytes"
        )
    return np.frombuffer(payload, record).copy()
