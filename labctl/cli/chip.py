"""`labctl chip`: chip files."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.distances import distance_table, held_out_tables
from labctl.cli.options import NewFile, VerbGroup, existing_file
from labctl.cli.output import facts_table, headed, json_option, say, table
from labctl.configuration import refuse_existing


@click.group("chip", cls=VerbGroup)
def command() -> None:
    """Show a chip file, compare two chips, or export one for another simulator."""


@command.command("show")
@click.argument("file", type=existing_file)
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show the parameters of the chip FILE, how well they were fitted, and its stuck cells."""
    from labctl.chips import describe, other_facts

    facts = describe(file)
    listing = table("parameter", "value", "+-", "identifiable", "source")
    for each in facts.parameters:
        listing.add_row(*each.texts)
    say(
        as_json,
        {
            "file": file,
            "model": facts.model,
            "parameters": list(facts.parameters),
            "quality": facts.quality,
            "cells": facts.cells,
            "provenance": facts.provenance,
        },
        headed(file, f": {facts.model}"),
        listing,
        facts_table({**other_facts(facts.quality), **facts.cells}),
        *held_out_tables(facts.quality),
    )


@command.command("compare")
@click.argument("a", type=existing_file)
@click.argument("b", type=existing_file)
@json_option
def compare(a: Path, b: Path, as_json: bool) -> None:
    """Compare the statistics of two chips: KS distance of each, with its p-value.

    A and B are run files of one procedure, chip files, or one of each. A chip file beside a run
    is put behind a simulated bench like the run's, and the run repeated on it with another seed.
    Two chip files write one PE to 32 levels with one seed, and are read a day later; their
    parameters are shown side by side.
    """
    from labctl.chips import compare as compare_chips
    from labctl.chips import side_by_side

    rows = {name: test.facts() for name, test in compare_chips(a, b).items()}
    listing = distance_table(rows)
    parameters = side_by_side(a, b)
    beside = table("parameter", "A", "+-", "B", "+-")
    for pair in parameters:
        beside.add_row(*pair.texts)
    facts = {"a": a, "b": b, "ks": rows, "parameters": list(parameters)}
    say(as_json, facts, listing, *([beside] if parameters else []))


@command.command("export")
@click.argument("file", type=existing_file)
@click.option(
    "--to",
    "simulator",
    required=True,
    metavar="NAME",
    help="aihwkit, crosssim, or an exporter of another package.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=NewFile(".py"),
    help="The Python module to write; must not exist.",
)
@json_option
def export(file: Path, simulator: str, output: Path, as_json: bool) -> None:
    """Write the statistics of the chip FILE as a Python module for another simulator."""
    from labctl.chips import export_chip

    export_chip(file, simulator, refuse_existing(output))
    say(as_json, {"file": output, "simulator": simulator}, headed(output))
