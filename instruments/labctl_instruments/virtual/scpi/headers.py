"""Command headers as manuals write them, and the tree in which received headers are found.

`SYSTem:ERRor[:NEXT]` has three keywords of a short (upper case) and a long form, the last one
optional. `OUTPut#` takes a numeric suffix, 1 when left out, which the command is told;
`OUTPut[1]` accepts the suffix 1 and tells nobody.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from labctl_instruments.virtual.scpi.status import ScpiError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Keyword:
    """One node of a header."""

    short: str
    """Short form, upper case."""
    long: str
    """Long form, upper case."""
    suffix: str
    """`#` when a numeric suffix is told, `[1]` when a 1 is accepted, else empty."""
    is_optional: bool
    """Whether it may be left out."""

    @property
    def forms(self) -> tuple[str, ...]:
        """The spellings, upper case."""
        return (self.short,) if self.short == self.long else (self.short, self.long)


@dataclass(slots=True)
class _Node(Generic[T]):
    children: dict[str, tuple[_Node[T], str]] = field(default_factory=dict)
    """Node below each keyword, and the keyword's suffix rule."""
    entry: tuple[T, tuple[int, ...]] | None = None
    """What stands here, and which suffixes of the path it is told."""


class HeaderTree(Generic[T]):
    """Commands by their headers."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, header: str, entry: T) -> None:
        """Put `entry` under every spelling of `header`; ValueError if one is taken."""
        for keywords, told in _spellings(parse_header(header)):
            node = self._root
            for keyword in keywords:
                node = _descend(node, keyword)
            if node.entry is not None:
                raise ValueError(f"header '{header}' is registered twice")
            node.entry = (entry, told)

    def find(self, header: str) -> tuple[T, tuple[int, ...]]:
        """Return what stands under a received header, and the numeric suffixes it is told.

        Raises
        ------
        ScpiError
            -113 if there is no such header, -114 if it takes no such suffix.
        """
        node = self._root
        suffixes: list[int] = []
        for part in header.upper().split(":"):
            child, suffix = _match(node, part, header)
            node = child
            suffixes.append(suffix)
        if node.entry is None:
            raise ScpiError(-113, f"found '{header[:40]}'")
        entry, told = node.entry
        return entry, tuple(suffixes[position] if position >= 0 else 1 for position in told)


_NODE = re.compile(r"(\[:?)?:?([A-Z]+)([a-z]*)(#|\[1\])?(?(1):?\])")


def parse_header(header: str) -> tuple[Keyword, ...]:
    """Return the keywords of a header; ValueError if it is not written as manuals do."""
    if header.startswith("*"):
        return (Keyword(header, header, "", is_optional=False),)
    keywords, at = [], 0
    while at < len(header):
        match = _NODE.match(header, at)
        if match is None:
            raise ValueError(f"header '{header}' cannot be read at '{header[at:]}'")
        short, rest = match[2], match[3].upper()
        keywords.append(Keyword(short, short + rest, match[4] or "", is_optional=bool(match[1])))
        at = match.end()
    return tuple(keywords)


def _spellings(
    keywords: tuple[Keyword, ...],
) -> Iterator[tuple[tuple[Keyword, ...], tuple[int, ...]]]:
    """Yield each choice of optional keywords, and where the told suffixes are (-1: nowhere)."""
    choices = [(True, False) if keyword.is_optional else (True,) for keyword in keywords]
    for kept in itertools.product(*choices):
        chosen = tuple(itertools.compress(keywords, kept))
        if chosen:
            positions = itertools.accumulate(kept)
            told = tuple(
                position - 1 if is_kept else -1
                for keyword, is_kept, position in zip(keywords, kept, positions, strict=True)
                if keyword.suffix == "#"
            )
            yield chosen, told


def _descend(node: _Node[T], keyword: Keyword) -> _Node[T]:
    for form in keyword.forms:
        if form in node.children:
            child, suffix = node.children[form]
            break
    else:
        child, suffix = _Node[T](), keyword.suffix
    if suffix != keyword.suffix:
        raise ValueError(f"keyword '{keyword.long}' has suffixes '{suffix}' and '{keyword.suffix}'")
    for form in keyword.forms:
        node.children[form] = (child, suffix)
    return child


_SUFFIXED = re.compile(r"(\D.*?)(\d+)")


def _match(node: _Node[T], part: str, header: str) -> tuple[_Node[T], int]:
    if part in node.children:
        return node.children[part][0], 1
    match = _SUFFIXED.fullmatch(part)
    if match is None or match[1] not in node.children:
        raise ScpiError(-113, f"found '{header[:40]}'")
    child, rule = node.children[match[1]]
    number = int(match[2][:9])
    if not rule or (rule == "[1]" and number != 1):
        raise ScpiError(-114, f"found '{header[:40]}'")
    return child, number
