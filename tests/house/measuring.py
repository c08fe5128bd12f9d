"""A long run in a process of its own: `python measuring.py BENCH PATH`.

Says how many rows it has stored after each block of them; when it ends by itself, says as one line
of JSON how, and what its instruments were told last.
"""

import json
import sys

from labctl.engine import run
from labctl_instruments import open_bench
from labctl_instruments.virtual import rack
from labctl_procedures import catalogue
from labctl_procedures.procedure import Rows

LAST = 40


def main(bench: str, path: str) -> None:
    cells = "0/:/:" if bench == "sim-board" else "0/0:4/:"
    procedure = catalogue.make("WriteVerify", {"cells": cells, "assignment": "all", "after": ""})
    stored = 0

    def count(rows: Rows) -> None:
        nonlocal stored
        stored += len(rows["Row"])
        say(stored)

    with open_bench(bench, seed=1) as station:
        result = run(procedure, station, path, on_rows=count)
        (found,) = rack._racks.values()
        told = [
            (entry.address, entry.message.decode("latin-1"))
            for entry in list(found.log)[-LAST:]
            if entry.direction.value == ">"
        ]
        say(json.dumps({"status": result.status, "rows": result.rows, "told": told}))


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
