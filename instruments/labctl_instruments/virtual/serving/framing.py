"""From the bytes of a socket to messages: LF ends one, except inside an IEEE 488.2 block.

What comes is a stranger's: lines and messages are bounded, and nothing is executed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labctl_instruments.errors import ConnectionRefusal

LONGEST_LINE = 2**20
"""Bytes of a message outside its blocks."""
LONGEST_BLOCK = 64 * 2**20
"""Bytes of one block: what the array-test board takes."""
LONGEST_BLOCKS = 2 * LONGEST_BLOCK
"""Bytes of all blocks of one message."""

_SPECIAL = re.compile(rb"[\n\"'#;,]")
_BEFORE_FIRST = re.compile(rb"[ \t\r\0]*[^ \t\r\0]*[ \t\r\0]*")
_BEFORE_NEXT = re.compile(rb"[ \t\r\0]*")
_LONGEST_HEADER = 256
_HTTP = re.compile(rb"\s*[A-Za-z-]+ .*HTTP/\d")
_HEADER_DIGITS = 9


class Framer:
    """Cuts a stream into messages, each with its LF.

    Parameters
    ----------
    has_blocks : bool
        Whether messages may carry definite-length blocks, whose bytes may be any: SCPI. False: a
        line is a message, as in TSP, where `#` is an operator.
    longest_line, longest_block, longest_blocks : int
        Bounds in bytes; see the constants of this module.
    """

    def __init__(
        self,
        *,
        has_blocks: bool,
        longest_line: int = LONGEST_LINE,
        longest_block: int = LONGEST_BLOCK,
        longest_blocks: int = LONGEST_BLOCKS,
    ) -> None:
        self._has_blocks = has_blocks
        self._longest_line = longest_line
        self._longest_block = longest_block
        self._longest_blocks = longest_blocks
        self._is_first = True
        self._kept = bytearray()
        self._begin()

    def _begin(self) -> None:
        """Stand at the beginning of a message."""
        self._at = 0
        self._parameter = 0
        self._before = _BEFORE_FIRST
        self._quote = b""
        self._in_blocks = 0

    @property
    def waiting(self) -> int:
        """Bytes kept of a message that has not ended."""
        return len(self._kept)

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Take bytes as they came; yield the messages that end with them.

        Raises
        ------
        ConnectionRefusal
            If a line, a block or a message is too long, or the first line is an HTTP request.
        """
        self._kept += received
        if self._is_first:
            self._refuse_http()
        while (stop := self._end()) is not None:
            message = bytes(self._kept[:stop])
            del self._kept[:stop]
            self._is_first = False
            self._check(len(message))
            self._begin()
            yield message
        self._check(len(self._kept))

    def _refuse_http(self) -> None:
        """Refuse a web page: it can post to loopback, and its body would be messages."""
        line, ended, _ = self._kept.partition(b"\n")
        if ended and _HTTP.match(line):
            raise ConnectionRefusal("the first line is an HTTP request")

    def _check(self, length: int) -> None:
        if length - self._in_blocks > self._longest_line:
            raise ConnectionRefusal(f"a line of more than {self._longest_line} bytes")

    def _end(self) -> int | None:
        """Return the offset after the LF that ends the message at hand; None until it is there."""
        if not self._has_blocks:
            place = self._kept.find(b"\n", self._at)
            self._at = len(self._kept)
            return place + 1 or None
        while (match := _SPECIAL.search(self._kept, self._at)) is not None:
            special, place = match.group(), match.start()
            if special == b"\n":
                return place + 1
            if special == b"#" and self._begins_parameter(place):
                if not self._skip_block(place):
                    return None
            else:
                self._at = place + 1
                self._note(special)
        self._at = max(self._at, len(self._kept))
        return None

    def _note(self, special: bytes) -> None:
        """Follow quotes and separators."""
        if special in b"\"'":
            self._quote = b"" if special == self._quote else self._quote or special
        elif special != b"#" and not self._quote:
            self._parameter = self._at
            self._before = _BEFORE_FIRST if special == b";" else _BEFORE_NEXT

    def _begins_parameter(self, place: int) -> bool:
        """Tell whether the # at `place` is the first byte of a parameter, as the parser sees it."""
        if self._quote or place - self._parameter > _LONGEST_HEADER:
            return False
        return self._before.fullmatch(self._kept, self._parameter, place) is not None

    def _skip_block(self, place: int) -> bool:
        """Step over the block at `place`, or over a # that begins none; False to wait for more."""
        digits = bytes(self._kept[place + 1 : place + 2 + _HEADER_DIGITS])
        if not digits:
            return False
        n = digits[0] - ord("0")
        length = digits[1 : 1 + n]
        if not 1 <= n <= _HEADER_DIGITS or (length and not length.isdigit()):
            self._at = place + 1
            return True
        if len(length) < n:
            return False
        self._count(int(length))
        self._at = place + 2 + n + int(length)
        return True

    def _count(self, length: int) -> None:
        self._in_blocks += length
        if length > self._longest_block or self._in_blocks > self._longest_blocks:
            raise ConnectionRefusal(f"a block of {length} bytes; {self._longest_block} are taken")
