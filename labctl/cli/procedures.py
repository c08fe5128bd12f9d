"""`labctl procedures`: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labctl.cli.output import json_option, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    facts = [
        {
            "name": each,
            "doc": _first_line(cls.__doc__),
            "parameters": list(catalogue.parameters_of(cls)),
        }
        for each, cls in loaded.items()
    ]
    if name:
        text = _parameter_table(catalogue.parameters_of(loaded[name]))
        say(as_json, {"procedures": facts}, f"[bold]{name}[/bold]: {facts[0]['doc']}", text)
        return
    overview = table("procedure", "does")
    for fact in facts:
        overview.add_row(fact["name"], fact["doc"])
    say(as_json, {"procedures": facts}, overview)


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().splitlines()[0] if doc else ""


def _parameter_table(parameters: Sequence[ParameterInfo]) -> object:
    made = table("-p key=", "default", "unit", "limits", "what it is")
    for each in parameters:
        made.add_row(
            each.name, str(each.default), each.unit or "", _limits(each), each.doc or each.label
        )
    return made


def _limits(parameter: ParameterInfo) -> str:
    if parameter.choices:
        return " | ".join(str(choice) for choice in parameter.choices)
    if parameter.minimum is None and parameter.maximum is None:
        return ""
    low = "" if parameter.minimum is None else f"{parameter.minimum:g}"
    high = "" if parameter.maximum is None else f"{parameter.maximum:g}"
    return f"{low} to {high}"
