"""What a report consists of, and how it becomes one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup


@dataclass(frozen=True)
class Picture:
    """A figure with its caption."""

    image: Markup
    """Inline SVG."""
    caption: str
    """What it shows and what to make of it."""


@dataclass(frozen=True)
class Listing:
    """A table."""

    headings: tuple[str, ...]
    """One a column."""
    rows: Sequence[Sequence[str]]
    """Cells as text."""
    caption: str = ""
    """What it lists."""
    numeric: tuple[int, ...] = ()
    """Columns that are set as figures, to the right."""


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    title: str
    """Its heading."""
    lead: str = ""
    """What was found, in a sentence or two."""
    parts: Sequence[Picture | Listing] = ()
    """Figures and tables, in order."""
    notes: Sequence[str] = ()
    """What to know before using the figures."""

    @property
    def anchor(self) -> str:
        """Name of the section in a link."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower()).strip("-")


@dataclass(frozen=True)
class Key:
    """One figure for the head of the page."""

    value: str
    """The figure with its unit."""
    name: str
    """What it is."""
    beside: str = ""
    """What to compare it with."""


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    """Heading."""
    subtitle: str
    """Chip, bench, date."""
    keys: Sequence[Key] = ()
    """The figures to remember."""
    sections: Sequence[Section] = field(default_factory=tuple)
    """The parts, in order."""
    program: str = ""
    """Name and version of what drew it."""


def render(page: Page) -> str:
    """Return the page as one HTML document that needs nothing but itself."""
    return _template().render(page=page, is_picture=lambda part: isinstance(part, Picture))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("labctl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
