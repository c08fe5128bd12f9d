"""Options that several verbs share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from labctl.bench_choice import BenchChoice
from labctl.configuration import load_configuration

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)

existing_file = _EXISTING
"""Type of an argument that names a file which must be there."""


class NewFile(click.Path):
    """Type of an option that names a file to write, whose name must say what it is.

    Parameters
    ----------
    suffix : str
        How the name must end, in any case.
    """

    def __init__(self, suffix: str) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self._suffix = suffix

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """Return the path; refuse another kind of file's."""
        if not str(value).lower().endswith(self._suffix):
            self.fail(f"'{value}': what is written is a *{self._suffix} file", param, ctx)
        return super().convert(value, param, ctx)


class Whole(click.IntRange):
    """Type of an option that counts."""

    name = "whole number"


class Share(click.FloatRange):
    """Type of an option that is a share of one."""

    name = "number"


class VerbGroup(click.Group):
    """A group whose help tells the whole first sentence of each of its verbs."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs; lines too long are folded, not cut off."""
        names = self.list_commands(ctx)
        found = [(name, self.get_command(ctx, name)) for name in names]
        with formatter.section("Verbs"):
            formatter.write_dl(
                [(name, verb.get_short_help_str(_WHOLE_SENTENCE)) for name, verb in found if verb]
            )


_WHOLE_SENTENCE = 1000

output_option = click.option(
    "-o",
    "--output",
    type=NewFile(".h5"),
    help="File to write (.h5); must not exist. By default a dated name in your data folder.",
)

seed_option = click.option(
    "--seed",
    type=Whole(min=0),
    metavar="N",
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
        "--bench",
        metavar="BENCH",
        help="Name of a shipped bench or path of a bench file; default: yours.",
    )
    return bench_option(seed_option(chip_option(with_choice)))


def is_given(name: str) -> bool:
    """Return whether the option `name` of the verb that runs was given by whoever called it."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def refuse_beside_resume() -> None:
    """Refuse, beside `--resume FILE`, what the run file says itself.

    Raises
    ------
    click.UsageError
        If more than `--bench` and `--json` was given.
    """
    for name in click.get_current_context().params.keys() - {"resume", "as_json", "bench"}:
        if is_given(name):
            raise click.UsageError(f"--resume takes all but --bench from the file; found '{name}'")
