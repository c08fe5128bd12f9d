"""`labctl fit`: a device model from run files."""

from __future__ import annotations

from pathlib import Path

import click

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
@json_option
def command(files: tuple[Path, ...], output: Path | None, prior: str, as_json: bool) -> None:
    """Fit a device model to run FILES and write it as a chip file.

    Each parameter comes with its uncertainty and whether these runs identify it at all;
    what they do not tell is that of the preset, and says so.
    The chip file goes behind a virtual bench by --chip.
    """
    from labctl.chip_fitting import fit_to_file
    from labctl.chips import Parameter
    from labctl.configuration import output_path

    path = output_path(output, "chip")
    result = fit_to_file(files, path, prior=prior)
    parameters = [Parameter.of(each) for each in result.parameters]
    listing = table("parameter", "value", "+-", "identifiable", "source")
    for each in parameters:
        listing.add_row(*each.texts)
    say(
        as_json,
        {"file": path, "parameters": parameters, "quality": result.quality},
        headed(path),
        listing,
        facts_table(result.quality),
    )
