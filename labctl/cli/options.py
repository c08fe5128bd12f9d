"""Options that several verbs share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from labctl.bench_choice import BenchChoice
from labctl.configuration import load_configuration

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)

existing_file = _EXISTING
"""Type of an argument that names a file which must be there."""

output_option = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; must not exist. By default a dated name in your data folder.",
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Seed of a virtual chip: the same seed gives the same chip and the same draws.",
)

chip_option = click.option(
    "--chip", type=_EXISTING, help="Chip file to put behind a virtual bench."
)


def bench_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--bench`, `--seed` and `--chip`, and hand them to `function` as its `where`."""

    @functools.wraps(function)
    def with_choice(*, bench: str | None, seed: int | None, chip: Path | None, **rest: Any) -> Any:  # noqa: ANN401
        where = BenchChoice(bench or load_configuration().bench, seed, chip)
        return function(where=where, **rest)

    bench_option = click.option(
        "--bench", help="Name of a shipped bench or path of a bench file; default: yours."
    )
    return bench_option(seed_option(chip_option(with_choice)))
