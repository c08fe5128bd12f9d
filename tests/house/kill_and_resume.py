"""Kill write-verify runs at random instants, and go on with them.

Run as `python tests/house/kill_and_resume.py [KILLS] [SEED]`.

The bench is served by a process of its own, whose chip outlives the runs. Each run is killed
(SIGKILL), resumed, perhaps killed again, until it is complete; then its rows and its ledger are
compared with the pulses that the chip has counted. Prints one line a run, and what went wrong.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from labctl_data.cells import Cells
from labctl_data.run_file import Run, layout, open_run

CELLS = "0/0:64/:"
N_CELLS = 1024
FIRST_KILL, LAST_KILL = 0.0, 1.2
"""Seconds after the first message that can pulse, between which a run is killed."""
FRESH = 2


@dataclass(frozen=True)
class Killed:
    """A run that was killed some times and is complete now."""

    run: Run
    kills: int
    flushed: tuple[int, ...]
    """Rows in the file after each kill."""


def labctl(*words: str) -> list[str]:
    return [sys.executable, "-m", "labctl", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}


@contextmanager
def served(bench: str, folder: Path) -> Iterator[Path]:
    """Serve a bench in a process of its own; yield a bench file that reaches it."""
    path = folder / "served.toml"
    server = subprocess.Popen(
        labctl("serve", "--bench", bench, "--write-bench", str(path)),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert server.stdout is not None
        assert json.loads(server.stdout.readline())["ready"]
        yield path
    finally:
        server.terminate()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def begin(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        labctl("run", *words, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def kill_after_first_pulse(process: subprocess.Popen[str], path: Path, delay: float) -> bool:
    """Kill the run `delay` seconds after its ledger is begun; False if it ended before."""
    ledger = layout.ledger_path(path)
    while not ledger.exists():
        if process.poll() is not None:
            return False
        time.sleep(1e-3)
    time.sleep(delay)
    is_alive = process.poll() is None
    process.kill()
    return is_alive


def kill_until_complete(bench: Path, path: Path, rng: np.random.Generator, *, most: int) -> Killed:
    """Run, kill at most `most` times at random instants, resume; return the complete run."""
    words = ["WriteVerify", "--bench", str(bench), "-p", f"cells={CELLS}", "-o", str(path)]
    words += ["-p", f"seed={rng.integers(10**6)}"]
    flushed: list[int] = []
    while True:
        process = begin(*words)
        if len(flushed) < most:
            delay = rng.uniform(FIRST_KILL, LAST_KILL)
            was_killed = kill_after_first_pulse(process, path, delay)
        else:
            was_killed = False
        out, err = process.communicate()
        if not was_killed:
            if process.returncode:
                raise AssertionError(f"{words} ended with {process.returncode}: {out}{err}")
            return Killed(open_run(path), len(flushed), tuple(flushed))
        stored = open_run(path)
        if stored.status == "complete":  # the kill came while the bench was brought to rest
            return Killed(stored, len(flushed), tuple(flushed))
        assert stored.status == "interrupted", stored.status
        flushed.append(stored.rows)
        words = ["--resume", str(path)]


def differences(killed: Killed, counts: np.ndarray[Any, Any]) -> list[str]:
    """Return what is wrong with a run, the chip's counters (pe, row, col) being `counts` now."""
    run = killed.run
    records, geometry = run.records(), run.attributes["geometry"]
    address = tuple(records[name].astype(int) for name in ("pe", "row", "column"))
    fresh = records["stage"] == FRESH
    judged = np.zeros(geometry, int)
    np.add.at(judged, tuple(part[fresh] for part in address), 1)
    told = np.zeros(geometry, int)
    told[tuple(part[fresh] for part in address)] = records["pulses"][fresh]

    ledger = run.ledger
    lost = [segment.undelivered for segment in run.segments if segment.undelivered is not None]
    delivered = ~np.isin(ledger["message"], lost)
    written = np.zeros(geometry, int)
    cells = Cells.of(np.stack([ledger[name] for name in ("pe", "row", "column")], axis=-1))
    np.add.at(written, tuple(cells.addresses[delivered].T), ledger["count"][delivered])

    _, began = run.map("pulse_count")
    received = counts - began[0].astype(int)
    wrong = {
        "status": run.status != "complete",
        "cells judged twice or never": int((judged[judged > 0] != 1).sum())
        + (np.count_nonzero(judged) != N_CELLS),
        "cells whose counter is not the ledger's": int((received != written).sum()),
        "cells whose counter is not the rows'": int((received != told).sum()),
        "rows lost after a flush": sum(a > b for a, b in pairwise((*killed.flushed, run.rows))),
        "cells not in the summary": run.summary["cells"] != N_CELLS,
        "maps": len(run.map("conductance")[0]) != 2,
    }
    return [f"{what}: {count}" for what, count in wrong.items() if count]


def chip_counts(bench: Path) -> np.ndarray[Any, Any]:
    from labctl_instruments import open_bench

    with open_bench(bench) as station:
        geometry = station.geometry
        every = Cells.from_index(np.arange(geometry.n_cells), geometry)
        counts = station.pulse_counts(every)
        assert counts is not None
        return counts.astype(int).reshape(geometry.shape)


def main(kills: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    done = runs = failed = settled = 0
    with tempfile.TemporaryDirectory() as home, served("sim-board", Path(home)) as bench:
        while done < kills:
            path = Path(home) / f"{runs}.h5"
            killed = kill_until_complete(bench, path, rng, most=min(4, kills - done))
            wrong = differences(killed, chip_counts(bench))
            kinds = [event.kind for event in killed.run.events]
            settled += kinds.count("undelivered")
            say(f"run {runs}: {killed.kills} kills, {killed.run.rows} rows; {wrong or 'all well'}")
            done, runs, failed = done + killed.kills, runs + 1, failed + bool(wrong)
    say(
        f"{done} kills in {runs} runs; {failed} runs not as they should be; "
        f"{settled} last messages had never arrived"
    )
    return failed


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [10, 1][len(numbers) :])) > 0)
