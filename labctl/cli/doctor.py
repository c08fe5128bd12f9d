"""`labctl doctor`: what is installed, found and missing."""

from __future__ import annotations

import click

from labctl.cli.output import json_option, say, table
from labctl.errors import FailedError

_MARKS = {True: ("ok", "green"), False: ("missing", "red")}


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Say what is installed, found and missing; change nothing."""
    from rich.text import Text

    from labctl.doctor import examine

    findings = examine()
    ok = all(each.ok for each in findings if each.needed)
    listing = table("", "what", "found", "if it is missing")
    for each in findings:
        mark = _MARKS[each.ok] if each.needed or each.ok else ("absent", "yellow")
        listing.add_row(Text(*mark), each.name, each.found, "" if each.ok else each.remedy)
    say(as_json, {"ok": ok, "findings": list(findings)}, listing)
    if not ok:
        missing = ", ".join(each.name for each in findings if each.needed and not each.ok)
        raise FailedError(f"missing: {missing}", said=True)
