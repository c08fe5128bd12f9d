"""What a verb says: one JSON object for programs, or text for people."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else."
)

_PIPE_WIDTH = 200
"""Columns of text that no terminal folds: a table in a log keeps one line a row."""


def say(as_json: bool, facts: Mapping[str, object], *texts: RenderableType) -> None:
    """Print `facts` as one JSON object, or `texts` for a person.

    Parameters
    ----------
    as_json : bool
        Whether a program asked.
    facts : mapping
        What was found; numpy values become numbers and lists, and what is not finite `null`.
    *texts : rich renderables
        The same for a person. Text is printed as it stands: what files say is no markup.
    """
    if as_json:
        click.echo(json.dumps(plain(facts), allow_nan=False))
        return
    from rich.console import Console  # 60 ms that --help and --json do not need

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=_PIPE_WIDTH)
    for text in texts:
        console.print(text)


def table(*headings: str) -> Table:
    """Return an empty table for people, with one column a heading."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(heading)
    return made


def headed(thing: object, rest: str = "") -> Text:
    """Return one line for people: what it is about in bold, and the rest."""
    from rich.text import Text

    return Text.assemble((str(thing), "bold"), rest)


def facts_table(facts: Mapping[str, object]) -> Table:
    """Return a table of names and values with their units, for people."""
    from labctl.facts import readable_facts  # not needed for --json

    made = table("", "")
    made.show_header = False
    for name, value in readable_facts(plain(facts)).items():
        made.add_row(name, value)
    return made


def plain(value: object) -> Any:  # noqa: ANN401  (JSON is any of seven types)
    """Return `value` as JSON types: numpy unpacked, paths as text, not-finite numbers None."""
    for kind, unpack in _UNPACK:
        if isinstance(value, kind):
            return unpack(value)
    return str(value)


def _plain_dataclass(value: Any) -> Any:  # noqa: ANN401
    return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}


def _plain_object(value: object) -> Any:  # noqa: ANN401
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain_dataclass(value)
    return str(value)


_UNPACK: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((type(None), bool, str), lambda v: v),
    (Enum, lambda v: plain(v.value)),
    (int, int),
    (float, lambda v: float(v) if math.isfinite(v) else None),
    (np.generic, lambda v: plain(v.item())),
    (np.ndarray, lambda v: plain(v.tolist())),
    (bytes, lambda v: v.decode("utf-8", "replace")),
    (Path, str),
    (Mapping, lambda v: {str(k): plain(item) for k, item in v.items()}),
    ((list, tuple, set, frozenset), lambda v: [plain(item) for item in v]),
    (object, _plain_object),
)
