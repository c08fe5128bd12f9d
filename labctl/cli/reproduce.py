"""`labctl reproduce`: the published systems, published beside obtained."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.options import NewFile, Whole
from labctl.cli.output import headed, json_option, plain, say, table
from labctl.configuration import refuse_existing

if TYPE_CHECKING:
    from labctl.reproduce.registry import Findings


@click.command("reproduce")
@click.argument("name", required=False)
@click.option(
    "--seeds",
    type=Whole(min=1),
    metavar="N",
    help="Chips: seeds 1, 2, ...; default: the entry's own.",
)
@click.option("--bench", metavar="BENCH", help="Bench to do it on; default: the entry's own.")
@click.option("--images", metavar="SET", help="Image set; default: that of the published figures.")
@click.option("--count", type=Whole(min=1), metavar="N", help="Test images to use; default: all.")
@click.option(
    "-o",
    "--output",
    type=NewFile(".html"),
    help="Page to write (.html) with figures and provenance; must not exist.",
)
@json_option
def command(
    name: str | None,
    seeds: int | None,
    bench: str | None,
    images: str | None,
    count: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Do the published system NAME again and print published beside obtained.

    \b
    labctl reproduce
    labctl reproduce mcnn --seeds 3 -o mcnn.html

    Without NAME, list what there is.
    """  # noqa: D301  (click reads the \b)
    from labctl.reproduce.registry import ENTRIES

    if name is None:
        entries = [{"name": each, "what": line} for each, line in ENTRIES.items()]
        made = table("name", "what")
        for each, line in ENTRIES.items():
            made.add_row(each, line)
        say(as_json, {"entries": entries, "rows": []}, made)
        return
    if output is not None:
        refuse_existing(output)
    from labctl.cli.progress import ProgressBar
    from labctl.reproduce.performing import Asked, perform

    began = time.monotonic()
    with ProgressBar() as progress:
        findings, facts = perform(Asked(name, bench, seeds, images, count), progress)
    facts["seconds"] = round(time.monotonic() - began, 1)
    if output is not None:
        from labctl.reproduce.page import page_of

        now = datetime.now().astimezone()
        output.write_text(page_of(name, findings, facts, now), encoding="utf-8")
    _tell(name, findings, {**facts, "file": output}, as_json)


def _tell(name: str, findings: Findings, facts: dict[str, Any], as_json: bool) -> None:
    from labctl.reproduce.page import interval, shown

    made = table("", "published", "", "obtained", "95 % interval")
    for row in findings.rows:
        made.add_row(
            row.name, shown(row, row.published), row.source, shown(row, row.obtained), interval(row)
        )
    head = f": {facts['trials']} chips on {facts['bench']}, {facts['count']} images"
    told = {"name": name, "rows": [plain(row) for row in findings.rows], **facts}
    say(as_json, {**told, "notes": list(findings.notes)}, headed(name, head), made, *findings.notes)
