"""Kill a network's run at random instants, and go on with it until it is complete.

Run as `python tests/house/kill_network.py [RUNS] [SEED]`.

The bench is served by a process of its own, with 2 % of its cells stuck, so that training has much
to write. Each run (programmed, asked, trained, asked) is killed (SIGKILL) up to five times. Then
every pulse that the chip has counted must be in its ledger and in its facts, and no image may have
been asked for twice. Prints one line a run.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from kill_and_resume import environment, labctl, served

from labctl_data.run_file import open_run
from labctl_instruments import open_bench

MOST_KILLS = 5
LATEST = 12.0
"""Seconds after its file is opened within which a run is killed."""
IMAGES = 50


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    bad = sum(not one(number, chance) for number in range(runs))
    sys.exit(f"{bad} of {runs} runs went wrong" if bad else 0)


def one(number: int, chance: random.Random) -> bool:
    with tempfile.TemporaryDirectory() as folder, served("sim-board-stuck", Path(folder)) as bench:
        path = Path(folder) / "net.h5"
        words = f"infer mcnn --count {IMAGES} --train --fraction 1 --json -o {path} --bench {bench}"
        kills = 0
        while not ended(words, path, chance.uniform(0, LATEST) if kills < MOST_KILLS else None):
            kills += 1
            if path.exists():
                words = f"infer --resume {path} --json"
        run = open_run(path)
        with open_bench(bench) as station:
            cells = station.geometry.n_cells
            counted = int(station.pulse_counts(all_cells(station)).sum())
        told = run.summary["programming_pulses"] + run.summary["training_pulses"]
        ledger = int(run.ledger["count"].sum())
        rows, status = run.rows, run.status
    right = told == counted <= ledger and rows == 2 * IMAGES and status == "complete"
    print(  # noqa: T201
        f"run {number}: {kills} kills, {status}, {rows} rows, chip counted {counted} "
        f"pulses in {cells} cells, facts {told}, ledger at most {ledger}: "
        f"{'right' if right else 'WRONG'}",
        flush=True,
    )
    return right


def ended(words: str, path: Path, kill_after: float | None) -> bool:
    """Run labctl, kill it so many seconds after it opened its file, and tell whether it ended."""
    began = time.time()
    process = subprocess.Popen(
        labctl(*words.split()), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    while process.poll() is None and not (path.exists() and path.stat().st_mtime > began):
        time.sleep(0.05)
    try:
        said, complained = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        time.sleep(0.5)  # the guardian brings the bench to rest
        return False
    if process.returncode:
        print(complained.decode()[-300:], flush=True)  # noqa: T201
        return False
    return bool(json.loads(said)["file"])


def all_cells(station):
    from labctl_data.cells import Cells

    return Cells.from_index(np.arange(station.geometry.n_cells), station.geometry)


if __name__ == "__main__":
    main()
