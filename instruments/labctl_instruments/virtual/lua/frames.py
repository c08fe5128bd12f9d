"""Frames between a bench and the child process that runs its Lua: a length, then JSON.

JSON and not pickle: the child runs a stranger's program, and is not trusted.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

LONGEST = 64 * 2**20
"""Bytes of one frame."""
_LENGTH = struct.Struct(">I")


class FrameError(ValueError):
    """What came is no frame."""


def write_frame(stream: BinaryIO, content: object) -> None:
    """Write one frame, at once."""
    body = json.dumps(content).encode("ascii")
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_frame(stream: BinaryIO) -> Any:  # noqa: ANN401  (what JSON holds)
    """Return the content of the next frame; EOFError at the end, FrameError if it is none."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    if length > LONGEST:
        raise FrameError(f"a frame of {length} bytes")
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    try:
        return json.loads(body)
    except ValueError as error:
        raise FrameError(str(error)) from error
