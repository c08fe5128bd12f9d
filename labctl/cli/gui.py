"""`labctl gui`: the operator's window, found by its entry point so that no Qt is imported here."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click

from labctl.cli.options import NewFile
from labctl.cli.output import json_option, say
from labctl.configuration import load_configuration
from labctl.errors import FailedError

_NAME, _GROUP = "labctl-gui", "gui_scripts"
_WHERE = "labctl_gui.app:main"
"""Where the window is found in a source tree that is not installed."""


@click.command("gui")
@click.option("--bench", metavar="BENCH", help="Name or path of the bench; default: yours.")
@click.option(
    "--screenshot",
    type=NewFile(".png"),
    help="Render one picture of the window offscreen into this .png and leave.",
)
@click.option(
    "--view",
    type=click.Choice(("array", "network", "campaign", "data", "simulation")),
    metavar="VIEW",
    default="array",
    show_default=True,
    help="What stands in the middle of the picture: array, network, campaign, data, simulation.",
)
@click.option(
    "--size",
    default="1366x768",
    metavar="WIDTHxHEIGHT",
    show_default=True,
    help="Of the picture, in pixels.",
)
@json_option
def command(
    bench: str | None, screenshot: Path | None, view: str, size: str, as_json: bool
) -> None:
    """Open the operator's window."""
    installed = entry_points(group=_GROUP, name=_NAME)
    start = next(iter(installed), EntryPoint(_NAME, _WHERE, _GROUP)).load()
    arguments = ["--bench", bench or load_configuration().bench]
    if screenshot is not None:
        arguments += ["--screenshot", str(screenshot), "--view", view, "--size", size]
    code = start(arguments)
    if code:
        raise FailedError(f"the window ended with code {code}")
    say(as_json, {"ok": True, "screenshot": screenshot})
