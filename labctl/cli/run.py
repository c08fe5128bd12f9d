"""`labctl run`: one procedure on a bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.bench_choice import BenchChoice
from labctl.cli.options import bench_options, output_option
from labctl.cli.output import facts_table, json_option, plain, say
from labctl.configuration import load_configuration, output_path
from labctl.errors import FailedError
from labctl.facts import brief

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl_procedures.procedure import ChipProcedure


@click.command("run")
@click.argument("name")
@bench_options
@click.option(
    "-p",
    "--parameter",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter, with units if you like: -p voltage=0.2V -p cells=0/0:128/0:16",
)
@output_option
@click.option("--operator", help="Name to write into the file; default: yours.")
@click.option("--dry-run", is_flag=True, help="Predict time, pulses, voltage and size; do nothing.")
@json_option
def command(
    name: str,
    where: BenchChoice,
    assignments: tuple[str, ...],
    output: Path | None,
    operator: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run the procedure NAME on a bench and store what it measures.

    \b
    labctl run WriteVerify --bench sim-board -p levels=32
    labctl run Retention --bench my-bench.toml -p duration=10min -o night.h5
    """  # noqa: D301  (click reads the \b)
    settings = load_configuration()
    from labctl_procedures import catalogue

    procedure = catalogue.make(name, parse_assignments(assignments))
    if dry_run:
        _predict(procedure, where, as_json)
    else:
        path = output_path(output, name)
        _measure(procedure, where, path, operator or settings.operator, as_json)


def _measure(
    procedure: ChipProcedure[Any], where: BenchChoice, path: Path, operator: str, as_json: bool
) -> None:
    from labctl.cli.progress import ProgressBar
    from labctl.engine import RunError, run

    failure: str | None = None
    with where.open() as station, ProgressBar() as progress:
        try:
            result = run(procedure, station, path, progress=progress, operator=operator)
        except RunError as error:
            result, failure = error.result, str(error)
    say(
        as_json,
        {
            "file": result.file,
            "status": result.status,
            "rows": result.rows,
            "summary": result.summary,
        },
        f"[bold]{result.file}[/bold]: {result.status}, {result.rows} rows",
        facts_table(brief(result.summary)),
    )
    if result.status != "complete":
        ended = f"{result.file}: the run ended as '{result.status}'"
        raise FailedError(failure or ended, said=True)


def _predict(procedure: ChipProcedure[Any], where: BenchChoice, as_json: bool) -> None:
    from labctl.cli.progress import ProgressBar
    from labctl.rehearsal import rehearse

    with ProgressBar() as progress:
        estimate = rehearse(procedure, where, progress=progress)
    say(as_json, {"estimate": estimate}, facts_table(plain(estimate)))


def parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """Return the parameters given as `key=value`.

    Raises
    ------
    click.UsageError
        If one has no `=`, or a key is given twice.
    """
    parameters: dict[str, str] = {}
    for assignment in assignments:
        key, found, value = assignment.partition("=")
        if not found or not key.strip():
            raise click.UsageError(f"parameter '{assignment}': expected KEY=VALUE")
        if key.strip() in parameters:
            raise click.UsageError(f"parameter '{key.strip()}' is given twice")
        parameters[key.strip()] = value.strip()
    return parameters
