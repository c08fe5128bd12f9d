"""`labctl fit`: a device model from run files."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.distances import held_out_tables
from labctl.cli.options import existing_file, output_option
from labctl.cli.output import facts_table, headed, json_option, say, table


@click.command("fit")
@click.argument("files", nargs=-1, required=True, type=existing_file)
@output_option
@click.option(
    "--preset",
    "prior",
    metavar="NAME",
    default="yao",
    show_default=True,
    help="Device preset that gives what the runs do not tell.",
)
@click.option(
    "--hold-out",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    help="Share of the cells to keep out of the fit; the runs are repeated on the twin, and those "
    "cells of both compared.",
)
@json_option
def command(
    files: tuple[Path, ...],
    output: Path | None,
    prior: str,
    hold_out: float | None,
    as_json: bool,
) -> None:
    """Fit a device model to run FILES and write it as a chip file.

    Each parameter comes with its uncertainty and whether these runs identify it at all;
    what they do not tell is that of the preset, and says so.
    The chip file goes behind a virtual bench by --chip.

    \b
    labctl fit campaign/*.h5 --hold-out 0.25 -o chip.h5
    """  # noqa: D301  (click reads the \b)
    from labctl.chip_fitting import fit_to_file
    from labctl.chips import Parameter, other_facts
    from labctl.cli.progress import ProgressBar
    from labctl.configuration import output_path

    path = output_path(output, "chip")
    with ProgressBar() as progress:
        result = fit_to_file(files, path, prior=prior, hold_out=hold_out or 0.0, progress=progress)
    parameters = [Parameter.of(each) for each in result.parameters]
    listing = table("parameter", "value", "+-", "identifiable", "source")
    for each in parameters:
        listing.add_row(*each.texts)
    say(
        as_json,
        {"file": path, "parameters": parameters, "quality": result.quality},
        headed(path),
        listing,
        facts_table(other_facts(result.quality)),
        *held_out_tables(result.quality),
    )
