"""`labctl gui`: the operator's window, found by its entry point so that no Qt is imported here."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import click

from labctl.cli.output import json_option, say
from labctl.configuration import load_configuration
from labctl.errors import FailedError


@click.command("gui")
@click.option("--bench", help="Name or path of the bench; default: yours.")
@click.option(
    "--screenshot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Render one picture of the window offscreen into this .png and leave.",
)
@json_option
def command(bench: str | None, screenshot: Path | None, as_json: bool) -> None:
    """Open the operator's window."""
    starters = entry_points(group="gui_scripts", name="labctl-gui")
    if not starters:
        raise FailedError("the window: entry point 'labctl-gui' not found; is labctl installed?")
    start = next(iter(starters)).load()
    arguments = ["--bench", bench or load_configuration().bench]
    if screenshot is not None:
        arguments += ["--screenshot", str(screenshot)]
    code = start(arguments)
    if code:
        raise FailedError(f"the window ended with code {code}")
    say(as_json, {"ok": True, "screenshot": screenshot})
