"""Write docs/reference/ from the command line's own help and the procedures' own parameters.

Run it from the top of the repository: `python docs/generate_reference.py`. A test compares.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.procedures import limits_text, value_text
from labctl.cli.root import VERBS, cli
from labctl_procedures import catalogue
from labctl_procedures.catalogue import ParameterInfo

if TYPE_CHECKING:
    from labctl_instruments.virtual.persona import Persona

FOLDER = Path(__file__).parent / "reference"
_NOTE = "<!-- written by docs/generate_reference.py: change the docstrings, not this page -->"


def command_line() -> str:
    """Return the reference of every verb."""
    parts = ["# Command line", _NOTE]
    settings = {**cli.context_settings, "terminal_width": 96, "max_content_width": 96}
    root = click.Context(cli, info_name="labctl", **settings)
    for verb in VERBS:
        command: click.Command = importlib.import_module(f"labctl.cli.{verb}").command
        for context in _leaves(click.Context(command, root, info_name=verb)):
            text = context.command.get_help(context)
            parts.append(f"## {context.command_path}\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def _leaves(context: click.Context) -> Iterator[click.Context]:
    if not isinstance(context.command, click.Group):
        yield context
        return
    for name, child in context.command.commands.items():
        yield from _leaves(click.Context(child, context, info_name=name))


def procedures() -> str:
    """Return the reference of the procedures that come with labctl."""
    parts = ["# Procedures", _NOTE]
    for name in catalogue.BUILT_IN:
        cls = catalogue.load(name)
        columns = ", ".join(f"`{column.name}`" for column in cls.COLUMNS)
        lines = [f"| `{each.name}` | {_row(each)} |" for each in catalogue.parameters_of(cls)]
        parts.append(f"## {name}\n\n{_paragraphs(cls.__doc__)}\n\nColumns: {columns}.")
        header = "| `-p` | default | limits | what it is |\n|---|---|---|---|"
        parts.append("\n".join([header, *lines]))
    return "\n\n".join(parts) + "\n"


def _paragraphs(doc: str | None) -> str:
    return "\n".join(line.strip() for line in (doc or "").strip().splitlines())


def _row(parameter: ParameterInfo) -> str:
    about = f"{parameter.label}. {parameter.doc}" if parameter.doc else parameter.label
    limits = limits_text(parameter).replace(" | ", ", ")
    return f"{value_text(parameter.default, parameter.unit)} | {limits} | {about}"


INSTRUMENTS = {
    "Keithley 2400": ("sim-smu", "bit", "keithley-2400"),
    "Keithley 2450": ("sim-smu", "bit", "keithley-2450"),
    "Keithley 2636B": ("sim-2636b-707b", "bit", ""),
    "Keithley 707B": ("sim-smu", "matrix1", ""),
    "Keithley 3706A": ("sim-2450-3706a", "matrix1", ""),
    "Keysight 81160A": ("sim-smu", "pulser", ""),
    "Keithley 2510 with a thermal chuck": ("sim-smu", "chuck", ""),
    "Array-test board": ("sim-board", "board", ""),
    "Clock": ("sim-board", "clock", ""),
}
"""Title of each virtual instrument, the bench that it is on, its name there and its driver."""
_CHUCK = {"driver": "thermal-chuck", "address": "GPIB0::15::INSTR", "role": "chuck"}
_ABOUT = """What each instrument of the simulated bench understands, read off the tables that its
dialogue is run by. What the commands do is in the instruments' manuals; the traps are in
`instruments/labctl_instruments/virtual/README.md`. The B1500A's FLEX is in
[its own page](../commands-b1500a.md), what the array-test board means in
[its dialogue](../board-dialogue.md).

In headers of SCPI the short form stands in capitals; `[...]` may be left out, `#` is a channel.
Of a 2636B `smub` has what `smua` has, `nvbuffer2` what `nvbuffer1` has; `[1]` stands for all
numbers."""


def instrument_commands() -> str:
    """Return the list of what every virtual instrument answers."""
    from labctl_instruments.virtual.vocabulary import pages

    shown = {title: _persona(*where) for title, where in INSTRUMENTS.items()}
    shown["Keithley 2450 after `*LANG TSP`"] = _speaking_tsp(shown["Keithley 2450"])
    return (
        "\n".join(["# What the virtual instruments answer", "", _NOTE, "", _ABOUT, *pages(shown)])
        + "\n"
    )


def _persona(bench: str, name: str, driver: str) -> Persona:
    """Return an instrument of a shipped bench, made another one where a driver is named."""
    import tomllib

    from labctl_instruments.bench.loading import find_bench, parse_bench
    from labctl_instruments.virtual.opening import open_rack

    path = find_bench(bench)
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if name == "chuck":
        document["instruments"]["chuck"] = _CHUCK
    if driver:
        document["instruments"][name]["driver"] = driver
    file = parse_bench(document, path=path, text="")
    return open_rack(file).persona(file.instruments[name].address)


def _speaking_tsp(persona: Persona) -> Persona:
    """Return what a 2450 is once it speaks TSP."""
    from labctl_instruments.virtual.personas.keithley2450 import Keithley2450Persona

    instrument = getattr(persona, "_inner", persona)
    if isinstance(instrument, Keithley2450Persona):
        instrument.exchange(b"*LANG TSP\n")
        if instrument.tsp is not None:
            return instrument.tsp
    raise TypeError(f"{instrument} is no 2450 that speaks TSP")


PAGES = {
    "command-line.md": command_line,
    "procedures.md": procedures,
    "instrument-commands.md": instrument_commands,
}


if __name__ == "__main__":
    for page, write in PAGES.items():
        (FOLDER / page).write_text(write(), encoding="utf-8")
