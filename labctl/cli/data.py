"""`labctl data`: run files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.options import NewFile, VerbGroup, existing_file, output_option
from labctl.cli.output import facts_table, headed, json_option, say, table
from labctl.configuration import load_configuration, refuse_existing
from labctl.errors import FailedError
from labctl.facts import brief

if TYPE_CHECKING:
    from labctl_data.run_file import ValidationReport


_SECONDS = len("2026-11-22T06:35:38")
"""Of a time, what a list shows."""


@click.group("data", cls=VerbGroup)
def command() -> None:
    """List, show, validate, recover, import and export run files."""


@command.command("list")
@click.argument("folder", required=False, type=click.Path(exists=True, path_type=Path))
@json_option
def list_runs(folder: Path | None, as_json: bool) -> None:
    """List the run files of FOLDER; by default your data folder."""
    from labctl.run_files import find_runs

    where = folder or load_configuration().data_folder
    found = find_runs(where)
    listing = table("file", "procedure", "status", "rows", "started", "chip")
    for each in found:
        listing.add_row(
            each.file.relative_to(where).as_posix(),
            each.procedure,
            each.status,
            str(each.rows),
            each.started[:_SECONDS].replace("T", " "),
            each.chip,
        )
    count = f": {len(found)} run files" if found else ": no run files"
    say(
        as_json,
        {"folder": where, "runs": list(found)},
        headed(where, count),
        *([listing] if found else []),
    )


@command.command("show")
@click.argument("file", type=existing_file)
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show what the run FILE holds: status, rows, parameters, columns, provenance."""
    from labctl.run_files import describe_run

    facts = describe_run(file)
    say(as_json, facts, headed(file), facts_table(_glance(facts)), facts_table(_origin(facts)))


def _glance(facts: Mapping[str, Any]) -> dict[str, object]:
    """Return what a person asks of a run first; the whole is in the JSON."""
    columns = (f"{c['name']} ({c['unit']})" if c["unit"] else c["name"] for c in facts["columns"])
    events = [
        f"{event['time']:.6g} s {event['kind']}: {event['text']}" for event in facts["events"]
    ]
    told = {**facts, "columns": list(columns), "events": events, "summary": brief(facts["summary"])}
    return {name: told[name] for name in told if name not in ("file", "attributes")}


def _origin(facts: Mapping[str, Any]) -> dict[str, object]:
    """Return where a run comes from, without the text of its bench file."""
    return {name: fact for name, fact in facts["attributes"].items() if name != "bench_toml"}


@command.command("validate")
@click.argument("files", nargs=-1, required=True, type=existing_file)
@json_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Check run and chip FILES, each in its own process: whole, bounded, nothing hidden."""
    from labctl_data.run_file import validate as validate_file

    reports = {str(file): validate_file(file) for file in files}
    bad = [file for file, report in reports.items() if report.problems]
    facts = {
        "ok": not bad,
        "files": {file: list(report.problems) for file, report in reports.items()},
        "kinds": {file: report.kind for file, report in reports.items()},
    }
    say(as_json, facts, *(f"{file}: {_verdict(file, report)}" for file, report in reports.items()))
    if bad:
        raise FailedError(f"{len(bad)} of {len(files)} files are not valid", said=True)


def _verdict(file: str, report: ValidationReport) -> str:
    problems = (problem.removeprefix(f"{file}: ") for problem in report.problems)
    return "; ".join(problems) or f"ok, a {report.kind} file"


@command.command("recover")
@click.argument("files", nargs=-1, required=True, type=existing_file)
@json_option
def recover(files: tuple[Path, ...], as_json: bool) -> None:
    """Make run FILES of killed programs whole: nothing flushed is lost, status `interrupted`.

    What a guardian did when the program died becomes an event of the run.
    """
    from labctl.guardian.record import recover_run

    reports = {str(file): recover_run(file) for file in files}
    listing = table("file", "status", "rows")
    for file, report in reports.items():
        listing.add_row(file, report.status, str(report.rows))
    say(as_json, {"files": reports}, listing)


@command.command("import")
@click.argument("mapping", type=existing_file)
@click.option(
    "--tables",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that the tables lie in; by default the mapping's own.",
)
@output_option
@json_option
def import_(mapping: Path, tables: Path | None, output: Path | None, as_json: bool) -> None:
    """Import a measured table of another program, as the file MAPPING describes it.

    MAPPING is TOML: what was measured, where the table is, which column means what, in which unit.
    The run file that comes of it is fitted, shown and exported like any other.
    """
    from labctl.configuration import output_path
    from labctl_data.importing import import_table

    report = import_table(mapping, output_path(output, "import"), folder=tables)
    facts = asdict(report)
    say(as_json, facts, headed(report.file), facts_table(facts))


@command.command("export")
@click.argument("file", type=existing_file)
@click.option(
    "-o",
    "--output",
    required=True,
    type=NewFile(".csv"),
    help="The .csv to write; must not exist.",
)
@json_option
def export(file: Path, output: Path, as_json: bool) -> None:
    """Write the records of the run FILE as CSV, with a header of names and units."""
    from labctl.run_files import export_csv

    rows = export_csv(file, refuse_existing(output))
    say(as_json, {"file": output, "rows": rows}, headed(output, f": {rows} rows"))
