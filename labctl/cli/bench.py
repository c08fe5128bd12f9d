"""`labctl bench`: bench files."""

from __future__ import annotations

import click

from labctl.cli.options import VerbGroup
from labctl.cli.output import headed, json_option, say, table
from labctl.errors import FailedError


@click.group("bench", cls=VerbGroup)
def command() -> None:
    """Check a bench file and its instruments; bring a bench to rest."""


@command.command("check")
@click.argument("bench")
@click.option("--connect", is_flag=True, help="Also open each instrument and ask who it is.")
@json_option
def check(bench: str, connect: bool, as_json: bool) -> None:
    """Validate the bench file BENCH (a shipped name or a path); drive nothing.

    With --connect every instrument is opened and asked for its identity; outputs stay off.
    """
    from labctl_instruments.bench.checking import check_bench

    result = check_bench(bench, connect=connect)
    listing = table("instrument", "driver", "address", "answers")
    for each in result.instruments:
        answer = each.identity or each.problem or ("not asked" if not connect else "")
        listing.add_row(each.name, each.driver, each.address, answer)
    verdict = "valid" if result.ok else "not all instruments answer as they should"
    say(
        as_json,
        {"ok": result.ok, "bench": result.path, "instruments": list(result.instruments)},
        headed(result.path, f": {verdict}"),
        listing,
    )
    if not result.ok:
        problems = [f"{i.name}: {i.problem}" for i in result.instruments if i.problem]
        raise FailedError(f"bench {result.path}: {'; '.join(problems)}", said=True)


@command.command("rest")
@click.argument("bench")
@json_option
def rest(bench: str, as_json: bool) -> None:
    """Bring BENCH (a shipped name or a path) to rest, whoever is using it.

    Outputs go off and are seen to be off, then crosspoints open. Every instrument is tried for
    some seconds, whatever the others do. A run that is going on there will fail.
    """
    from labctl_instruments.bench.resting import rest_bench

    report = rest_bench(bench)
    listing = table("instrument", "address", "at rest")
    for each in report.instruments:
        listing.add_row(each.name, each.address, each.problem or f"after {each.seconds:.2f} s")
    facts = {"ok": report.ok, "bench": report.path, "seconds": report.seconds}
    verdict = "at rest" if report.ok else "not known to be at rest"
    say(
        as_json,
        {**facts, "instruments": list(report.instruments)},
        headed(report.path, f": {verdict}"),
        listing,
    )
    if not report.ok:
        problems = [f"{i.name}: {i.problem}" for i in report.instruments if i.problem]
        raise FailedError(f"bench {report.path}: {'; '.join(problems)}", said=True)
