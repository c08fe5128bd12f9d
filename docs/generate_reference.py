"""Write docs/reference/ from the command line's own help and the procedures' own parameters.

Run it from the top of the repository: `python docs/generate_reference.py`. A test compares.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click

from labctl.cli.procedures import limits_text, value_text
from labctl.cli.root import VERBS, cli
from labctl_procedures import catalogue
from labctl_procedures.catalogue import ParameterInfo

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


PAGES = {"command-line.md": command_line, "procedures.md": procedures}


if __name__ == "__main__":
    for page, write in PAGES.items():
        (FOLDER / page).write_text(write(), encoding="utf-8")
