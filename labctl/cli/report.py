"""`labctl report`: one page from run files."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.options import NewFile, existing_file
from labctl.cli.output import headed, json_option, say
from labctl.configuration import output_path


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=existing_file)
@click.option(
    "-o",
    "--output",
    type=NewFile(".html"),
    help="The page; must not exist. By default a dated name in your data folder.",
)
@click.option("--chip", type=existing_file, help="Chip file whose fit to show.")
@click.option("--title", default="Measured on the bench", show_default=True, help="Heading.")
@json_option
def command(
    runs: tuple[Path, ...], output: Path | None, chip: Path | None, title: str, as_json: bool
) -> None:
    """Draw one self-contained page of figures and provenance from run files RUNS."""
    from labctl.report import write_report

    path = output_path(output, "report", ".html")
    write_report(runs, path, title=title, chip=chip)
    say(as_json, {"file": path}, headed(path))
