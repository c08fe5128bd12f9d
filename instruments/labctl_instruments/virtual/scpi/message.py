"""From the bytes of a message to its program message units (IEEE 488.2, chapter 7).

Quoted strings, blocks and expressions in parentheses may hold any separator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from labctl_instruments.errors import BlockError
from labctl_instruments.virtual.scpi.status import ScpiError
from labctl_instruments.wire.blocks import decode_block

Token = str | memoryview
"""A parameter as it was sent; a block is a view of its bytes."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One command or query of a message, its path resolved."""

    header: str
    """From the root, without leading colon and question mark."""
    is_query: bool
    """Whether the header ended with a question mark."""
    tokens: tuple[Token, ...]
    """Its parameters."""


def program_messages(message: bytes) -> Iterator[list[Unit | ScpiError]]:
    """Yield the units of each program message; one ends with LF, the last with `message`.

    A unit that cannot be read is yielded as the error it is; nothing follows it then.
    """
    scanner = _Scanner(message)
    while not scanner.at_end:
        units: list[Unit | ScpiError] = []
        path = ""
        try:
            for header, tokens in scanner.units():
                unit, path = _resolve(header, tokens, path)
                units.append(unit)
        except ScpiError as error:
            yield [*units, error]
            return
        if units:
            yield units


_SPACE = " \t\r\0"
_SPACE_BYTES = _SPACE.encode()
_HEADER = re.compile(rb"[ \t\r\0]*([^ \t\r\0\n;,\"'#(]*)[ \t\r\0]*")
_SPECIAL = re.compile(rb"[;,\n\"'#(]")
_CLOSING = {b'"': b'"', b"'": b"'", b"(": b")"}


class _Scanner:
    """A walk through a message from separator to separator."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._position = 0

    @property
    def at_end(self) -> bool:
        return self._position >= len(self._message)

    def units(self) -> Iterator[tuple[str, tuple[Token, ...]]]:
        """Yield header and parameters of each unit up to the next LF."""
        separator = b";"
        while separator == b";":
            match = _HEADER.match(self._message, self._position)
            header = match[1].decode("latin-1") if match else ""
            self._position = match.end() if match else self._position
            tokens, separator = self._tokens()
            if header or tokens:
                yield header, tokens

    def _tokens(self) -> tuple[tuple[Token, ...], bytes]:
        """Return the parameters of a unit and the separator that ended it (b"" at the end)."""
        tokens: list[Token] = []
        separator = b","
        while separator == b",":
            token, separator = self._token()
            tokens.append(token)
        return (() if tokens == [""] else tuple(tokens)), separator

    def _token(self) -> tuple[Token, bytes]:
        message, start = self._message, self._position
        at = start
        while (match := _SPECIAL.search(message, at)) is not None:
            special = match.group()
            if special in b";,\n":
                self._position = match.end()
                return _text(message[start : match.start()]), special
            if special != b"#":
                at = self._skip(match.start(), _CLOSING[special])
            elif _is_block(message, start, match.start()):
                return self._block(match.start())
            else:
                at = match.end()
        self._position = len(message)
        return _text(message[start:]), b""

    def _skip(self, at: int, closing: bytes) -> int:
        """Return the offset after the quote or parenthesis that closes the one at `at`."""
        stop = self._message.find(closing, at + 1)
        if stop < 0:
            number = -102 if closing == b")" else -151
            raise ScpiError(number, f"expected {closing.decode()} to close byte {at}")
        return stop + 1

    def _block(self, at: int) -> tuple[memoryview, bytes]:
        payload, stop = self._payload(at)
        match = _SPECIAL.search(self._message, stop)
        end, separator = (match.start(), match.group()) if match else (len(self._message), b"")
        if self._message[stop:end].strip(_SPACE_BYTES) or separator not in b";,\n":
            raise ScpiError(-103, f"expected a separator after the block at byte {at}")
        self._position = end + len(separator)
        return payload, separator

    def _payload(self, at: int) -> tuple[memoryview, int]:
        if self._message[at + 1 : at + 2] == b"0":  # indefinite length: ends with the message
            stop = len(self._message) - self._message.endswith(b"\n")
            return memoryview(self._message)[at + 2 : stop], stop
        try:
            return decode_block(self._message, at)
        except BlockError as error:
            raise ScpiError(-161, str(error)) from error


def _is_block(message: bytes, start: int, at: int) -> bool:
    return message[at + 1 : at + 2].isdigit() and not message[start:at].strip(_SPACE_BYTES)


def _text(part: bytes) -> str:
    return part.decode("latin-1").strip(_SPACE)


_KEYWORDS = re.compile(r"(\*[A-Za-z]+|:?[A-Za-z]\w*(:[A-Za-z]\w*)*)\??")


def _resolve(header: str, tokens: tuple[Token, ...], path: str) -> tuple[Unit, str]:
    """Return the unit, and the path at which the next relative header begins.

    SCPI 1999, volume 1, 6.2.4: a header without a leading colon continues at the parent of the
    header before it; common commands leave the path alone. A colon before a common command is
    forgiven, as the Keithleys do.
    """
    header = header.removeprefix(":") if header.startswith(":*") else header
    if _KEYWORDS.fullmatch(header) is None:
        raise ScpiError(-110 if header else -102, f"found '{header[:40]}'")
    is_query = header.endswith("?")
    keywords = header.removesuffix("?")
    if keywords.startswith("*"):
        return Unit(keywords, is_query, tokens), path
    full = keywords[1:] if keywords.startswith(":") else path + keywords
    return Unit(full, is_query, tokens), full[: full.rfind(":") + 1]
