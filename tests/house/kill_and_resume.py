"""Kill write-verify runs at random instants, and go on with them.

Run as `python tests/house/kill_and_resume.py [KILLS] [SEED]`.

The bench is served by a process of its own, whose chip outlives the runs. Each run is killed
(SIGKILL), resumed, perhaps killed again, until it is complete; then its rows and its ledger are
compared with the pulses that the chip has counted. Every other run is on a chip whose reads have no
noise, served afresh: a read more or less changes nothing there, and the run must come to what one
comes to that nobody kills. Prints one line a run, and what went wrong.
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
from labctl_instruments.bench.loading import find_bench

CELLS = "0/0:64/:"
N_CELLS = 1024
FIRST_KILL, LAST_KILL = 0.0, 1.2
"""Seconds after the first message that can pulse, between which a run is killed."""
VERIFY, FRESH = 1, 2
MOST_LOST = 64
"""Rows of finished messages that a kill may cost."""
QUIET = "noise = false\n"
SEED = 11
"""Of the assignment of levels, where runs are compared."""


@dataclass(frozen=True)
class Killed:
    """A run that was killed some times and is complete now."""

    run: Run
    kills: int
    flushed: tuple[int, ...]
    """Rows in the file after each kill."""
    lost: tuple[int, ...]
    """Rows of finished messages that each kill cost: those that waited for the next flush."""


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


def kill_until_complete(
    bench: Path, path: Path, rng: np.random.Generator, *, most: int, seed: int | None = None
) -> Killed:
    """Run, kill at most `most` times at random instants, resume; return the complete run."""
    words = ["WriteVerify", "--bench", str(bench), "-p", f"cells={CELLS}", "-o", str(path)]
    words += ["-p", f"seed={rng.integers(10**6) if seed is None else seed}"]
    flushed: list[int] = []
    missing: list[int] = [0]
    in_flight: list[int] = []
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
            lost = np.maximum(np.diff(missing) - in_flight, 0)
            return Killed(open_run(path), len(flushed), tuple(flushed), tuple(lost.tolist()))
        stored = open_run(path)
        if stored.status == "complete":  # the kill came while the bench was brought to rest
            lost = np.maximum(np.diff(missing) - in_flight, 0)
            return Killed(stored, len(flushed), tuple(flushed), tuple(lost.tolist()))
        assert stored.status == "interrupted", stored.status
        flushed.append(stored.rows)
        messages = stored.ledger["message"]
        missing.append(len(messages) - int((stored.record("kind") >= 0).sum()))
        in_flight.append(int((messages == messages[-1]).sum()) if len(messages) else 0)
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
        "rows lost that had been measured": sum(n for n in killed.lost if n > MOST_LOST),
        "rows lost after a flush": sum(a > b for a, b in pairwise((*killed.flushed, run.rows))),
        "cells not in the summary": run.summary["cells"] != N_CELLS,
        "maps": len(run.map("conductance")[0]) != 2,
    }
    return [f"{what}: {count}" for what, count in wrong.items() if count]


def unlike(run: Run, whole: Run) -> list[str]:
    """Return in what a run that was killed differs from one that was not, reads without noise.

    Rows that a kill cost are missing; all that are there must be the same.
    """
    wrong: list[str] = []
    for stage in (VERIFY, FRESH):
        one, other = (_by_pulse(each, stage) for each in (run, whole))
        wrong += [f"{what} of {key}" for key in one for what in one[key] ^ other.get(key, set())]
        lacking = len(other) - len(one)
        if lacking and stage == FRESH:
            wrong.append(f"{lacking} cells without a fresh read")
    return wrong


def _by_pulse(run: Run, stage: int) -> dict[tuple[int, ...], set[tuple[float, float]]]:
    """Return kind and conductance by row, column and number of the pulse."""
    records = run.records()
    at = records["stage"] == stage
    keys = np.stack([records[name][at] for name in ("row", "column", "pulses")], axis=-1)
    values = np.stack([records[name][at] for name in ("kind", "conductance")], axis=-1)
    return {
        tuple(key): {tuple(value)}
        for key, value in zip(keys.tolist(), values.tolist(), strict=True)
    }


def chip_counts(bench: Path) -> np.ndarray[Any, Any]:
    from labctl_instruments import open_bench

    with open_bench(bench) as station:
        geometry = station.geometry
        every = Cells.from_index(np.arange(geometry.n_cells), geometry)
        counts = station.pulse_counts(every)
        assert counts is not None
        return counts.astype(int).reshape(geometry.shape)


class Series:
    """Runs that are killed, and what came of them.

    Parameters
    ----------
    home : Path
        A folder for their files.
    rng : Generator
        Of the instants.
    """

    def __init__(self, home: Path, rng: np.random.Generator) -> None:
        self._home, self._rng = home, rng
        self.kills = self.runs = self.bad = self.settled = self.lost = 0
        text = find_bench("sim-board").read_text(encoding="utf-8") + QUIET
        self._quiet = home / "quiet.toml"
        self._quiet.write_text(text, encoding="utf-8")
        folder = home / "whole"
        folder.mkdir()
        with served(str(self._quiet), folder) as bench:
            whole = folder / "whole.h5"
            self._whole = kill_until_complete(bench, whole, rng, most=0, seed=SEED).run

    def kill_noisy(self, bench: Path, most: int) -> None:
        """Kill one run on a bench that goes on from run to run."""
        path = self._home / f"{self.runs}.h5"
        killed = kill_until_complete(bench, path, self._rng, most=most)
        self._tell(killed, differences(killed, chip_counts(bench)))

    def kill_quiet(self, most: int) -> None:
        """Kill one run on a chip of its own, without noise; compare it with one that was not."""
        folder = self._home / f"quiet-{self.runs}"
        folder.mkdir()
        with served(str(self._quiet), folder) as bench:
            path = folder / "run.h5"
            killed = kill_until_complete(bench, path, self._rng, most=most, seed=SEED)
            wrong = differences(killed, chip_counts(bench))
        self._tell(killed, [*wrong, *unlike(killed.run, self._whole)[:3]])

    def _tell(self, killed: Killed, wrong: list[str]) -> None:
        kinds = [event.kind for event in killed.run.events]
        self.settled += kinds.count("undelivered")
        self.kills += killed.kills
        self.bad += bool(wrong)
        self.lost = max(self.lost, *killed.lost, 0)
        say(f"run {self.runs}: {killed.kills} kills, {killed.run.rows} rows; {wrong or 'all well'}")
        self.runs += 1


def main(kills: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as home:
        series = Series(Path(home), np.random.default_rng(seed))
        with served("sim-board", Path(home)) as bench:
            while series.kills < kills:
                most = min(4, kills - series.kills)
                if series.runs % 2:
                    series.kill_quiet(most)
                else:
                    series.kill_noisy(bench, most)
    say(
        f"{series.kills} kills in {series.runs} runs; {series.bad} runs not as they should be; "
        f"{series.settled} last messages had never arrived; "
        f"at most {series.lost} measured rows lost by a kill"
    )
    return series.bad


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [10, 1][len(numbers) :])) > 0)
