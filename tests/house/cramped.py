"""A run on a disk of few bytes: `python cramped.py BENCH FOLDER BYTES`.

The disk is a memory file system over FOLDER, which `unshare -Urm` lets anybody mount for himself.
Says as one line of JSON how the run ended, what is stored, and what its instruments were told last.
"""

import json
import subprocess
import sys
from pathlib import Path

from inject_faults import Witness, rack_of

from labctl.engine import RunError, run
from labctl_data.run_file import open_run
from labctl_instruments import open_bench
from labctl_procedures import catalogue


def main(bench: str, folder: str, size: int) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    path = Path(folder) / "run.h5"
    values = {"cells": "0/0:32/:", "assignment": "all", "after": ""}
    problem, rows = "", 0
    with open_bench(bench, seed=1) as station:
        witness = rack_of(station).log = Witness()
        try:
            run(catalogue.make("WriteVerify", values), station, path)
        except RunError as error:
            problem, rows = str(error), error.result.rows
    stored = open_run(path)
    told = {
        "problem": problem,
        "rows": rows,
        "stored": stored.rows,
        "status": str(stored.status),
        "pulses": int((stored.record("kind") >= 0).sum()),
        "ledger": len(stored.ledger["row"]),
        "entries": witness.entries[-60:],
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
