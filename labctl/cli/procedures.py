"""`labctl procedures`: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.output import json_option, say, table

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
        say(as_json, {"procedures": facts}, f"[bold]{name}[/bold]: {docs[name]}", text)
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
        made.add_row(each.name, _value(each.default, each.unit), _limits(each), about)
    return made


def _limits(parameter: ParameterInfo) -> str:
    if parameter.choices:
        return " | ".join(str(choice) for choice in parameter.choices)
    ends = [
        "" if limit is None else _value(limit, parameter.unit)
        for limit in (parameter.minimum, parameter.maximum)
    ]
    return " to ".join(ends) if any(ends) else ""


def _value(value: object, unit: str) -> str:
    from labctl_procedures.quantities import format_quantity

    if isinstance(value, tuple):
        return ", ".join(_value(each, unit) for each in value)
    if isinstance(value, float | int) and unit and not isinstance(value, bool):
        return format_quantity(value, unit)
    return f"{value:g}" if isinstance(value, float) else str(value)
