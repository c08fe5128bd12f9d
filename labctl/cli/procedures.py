"""`labctl procedures`: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.output import headed, json_option, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from labctl_procedures.catalogue import ParameterInfo


@click.command("procedures")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the procedures, or the parameters of the procedure NAME.

    Units may be typed with prefixes: 58nA, 0.2V, 10min.
    """
    from labctl_procedures import catalogue

    names = [name] if name else list(catalogue.names())
    loaded = {each: catalogue.load(each) for each in names}
    docs = {each: _first_line(cls.__doc__) for each, cls in loaded.items()}
    facts = [
        {"name": each, "doc": docs[each], "parameters": catalogue.parameters_of(cls)}
        for each, cls in loaded.items()
    ]
    if name:
        text = _parameter_table(catalogue.parameters_of(loaded[name]))
        say(as_json, {"procedures": facts}, headed(name, f": {docs[name]}"), text)
        return
    overview = table("procedure", "does")
    for each, doc in docs.items():
        overview.add_row(each, doc)
    say(as_json, {"procedures": facts}, overview)


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().splitlines()[0] if doc else ""


def _parameter_table(parameters: Sequence[ParameterInfo]) -> Table:
    made = table("-p key=", "default", "limits", "what it is")
    for each in parameters:
        about = f"{each.label}: {each.doc}" if each.doc else each.label
        made.add_row(each.name, value_text(each.default, each.unit), limits_text(each), about)
    return made


def limits_text(parameter: ParameterInfo) -> str:
    """Return what a parameter accepts, for a person; empty where anything."""
    if parameter.choices:
        return " | ".join(str(choice) for choice in parameter.choices)
    ends = [
        "" if limit is None else value_text(limit, parameter.unit)
        for limit in (parameter.minimum, parameter.maximum)
    ]
    return " to ".join(ends) if any(ends) else ""


def value_text(value: object, unit: str) -> str:
    """Return a parameter's value with an engineering prefix: `50 ns`."""
    from labctl_procedures.quantities import format_quantity

    if isinstance(value, tuple):
        return ", ".join(value_text(each, unit) for each in value)
    if isinstance(value, float | int) and unit and not isinstance(value, bool):
        return format_quantity(value, unit)
    return f"{value:g}" if isinstance(value, float) else str(value)
