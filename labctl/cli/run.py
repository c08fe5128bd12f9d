"""`labctl run`: one procedure on a bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.bench_choice import BenchChoice
from labctl.cli.options import (
    bench_options,
    existing_file,
    is_given,
    output_option,
    refuse_beside_resume,
)
from labctl.cli.output import facts_table, headed, json_option, plain, say
from labctl.configuration import load_configuration, output_path
from labctl.errors import FailedError
from labctl.facts import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labctl.engine import ProgressSink, RunResult
    from labctl_instruments.station import Station
    from labctl_procedures.procedure import ChipProcedure


@click.command("run")
@click.argument("name", required=False)
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
@click.option(
    "--resume",
    type=existing_file,
    metavar="FILE",
    help="Go on with the run stored in FILE, on the bench that holds its chip.",
)
@click.option("--dry-run", is_flag=True, help="Predict time, pulses, voltage and size; do nothing.")
@json_option
def command(
    name: str | None,
    where: BenchChoice,
    assignments: tuple[str, ...],
    output: Path | None,
    operator: str | None,
    resume: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run the procedure NAME on a bench and store what it measures.

    \b
    labctl run WriteVerify --bench sim-board -p levels=32
    labctl run Retention --bench my-bench.toml -p duration=10min -o night.h5
    labctl run --resume night.h5

    With --resume, procedure, parameters, bench and seed are the file's; what is stored is not
    measured again, and no pulse is given twice. --bench says where its bench file is now.
    """  # noqa: D301  (click reads the \b)
    if resume is not None:
        refuse_beside_resume()
        _go_on(resume, where.bench if is_given("bench") else None, as_json)
        return
    if name is None:
        raise click.UsageError("missing argument 'NAME': name a procedure, or --resume FILE")
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
    from labctl.engine import run

    with where.open() as station, ProgressBar() as progress:
        ended = _ended(lambda: run(procedure, station, path, progress=progress, operator=operator))
    _tell(*ended, as_json)


def _go_on(path: Path, bench: str | None, as_json: bool) -> None:
    from labctl.cli.progress import ProgressBar
    from labctl.engine import resume
    from labctl.inference_file import PROCEDURE as INFERENCE
    from labctl.resumption import bench_of
    from labctl_data.run_file import open_run

    run = open_run(path)
    where = bench_of(run, bench)
    go_on = _resume_network if run.procedure == INFERENCE else resume
    with where.open() as station, ProgressBar() as progress:
        ended = _ended(lambda: go_on(path, station, progress=progress))
    _tell(*ended, as_json)


def _resume_network(path: Path, station: Station, *, progress: ProgressSink) -> RunResult:
    """Go on with a run of `labctl infer`."""
    from labctl.engine import RunResult
    from labctl.inference import resume_inference
    from labctl_data.run_file import open_run

    facts = resume_inference(path, station, progress=progress)
    return RunResult(path, facts["status"], open_run(path).rows, facts)


def _ended(perform: Callable[[], RunResult]) -> tuple[RunResult, str | None]:
    """Return what a run left behind, and why it failed if it did."""
    from labctl.engine import RunError

    try:
        return perform(), None
    except RunError as error:
        return error.result, str(error)


def _tell(result: RunResult, failure: str | None, as_json: bool) -> None:
    say(
        as_json,
        {
            "file": result.file,
            "status": result.status,
            "rows": result.rows,
            "summary": result.summary,
        },
        headed(result.file, f": {result.status}, {result.rows} rows"),
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
