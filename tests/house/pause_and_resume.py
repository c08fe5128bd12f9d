"""Pause runs at random pulse boundaries, and compare their data with those of an unpaused run.

Run as `python tests/house/pause_and_resume.py [PAUSES] [SEED]` with the source roots on PYTHONPATH;
500 pauses take some two minutes. Prints one line a bench and policy.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from labctl.engine import Control, run
from labctl.engine.control import DuringPause
from labctl_data.run_file import Run, open_run
from labctl_instruments import open_bench
from labctl_procedures import WriteVerify

PAUSES_A_RUN = 25
CELLS = {"sim-board": "0/0:4/:", "sim-smu": "0/0/0:3"}
CASES: tuple[tuple[str, DuringPause], ...] = (
    ("sim-board", "rest"),
    ("sim-board", "hold"),
    ("sim-smu", "hold"),
)
"""Not `sim-smu` at rest: its relays take bench time, in which the cells relax a little further."""
PATIENCE = 60.0


def written(bench: str, path: Path, control: Control, pauses: frozenset[int]) -> Run:
    """Write cells on a fresh seeded bench; pause after the blocks of rows numbered so."""
    blocks = iter(range(10**9))

    def count(_: object) -> None:
        if next(blocks) in pauses:
            control.pause()

    with open_bench(bench, seed=5) as station:
        procedure = WriteVerify(cells=CELLS[bench], levels=4, after="1 min")
        run(procedure, station, path, control=control, on_rows=count)
    return open_run(path)


def blocks_of(run: Run) -> int:
    """Return a number of blocks of rows that the run surely had."""
    return len(np.unique(run.record("time")))


def paused(bench: str, path: Path, policy: DuringPause, pauses: frozenset[int]) -> tuple[Run, int]:
    """Return a run that was paused, and how often."""
    control, ended = Control(during_pause=policy), threading.Event()

    def let_go() -> None:
        while not ended.is_set():
            if control.await_waiting(0.05):
                control.resume()

    thread = threading.Thread(target=let_go)
    thread.start()
    try:
        stored = written(bench, path, control, pauses)
    finally:
        ended.set()
        thread.join(PATIENCE)
    return stored, sum(event.kind == "paused" for event in stored.events)


def differing(one: Run, other: Run) -> list[str]:
    """Return the columns and maps in which two runs differ."""
    wrong = [
        name
        for name, values in one.records().items()
        if not np.array_equal(values, other.record(name), equal_nan=values.dtype.kind == "f")
    ]
    for name in one.maps:
        if not np.array_equal(one.map(name)[1], other.map(name)[1], equal_nan=True):
            wrong.append(f"map {name}")
    return wrong


def compare(
    bench: str, policy: DuringPause, most: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Pause runs `most` times in all; return how often, and how many runs differ."""
    done = bad = runs = 0
    with tempfile.TemporaryDirectory() as home:
        plain = written(bench, Path(home) / "plain.h5", Control(), frozenset())
        while done < most:
            few = min(PAUSES_A_RUN, most - done)
            chosen = rng.choice(np.arange(1, blocks_of(plain) - 1), few, replace=False)
            path = Path(home) / f"{runs}.h5"
            stored, pauses = paused(bench, path, policy, frozenset(chosen.tolist()))
            wrong = differing(plain, stored)
            if wrong:
                say(f"{bench}, {policy}: run {runs}: {', '.join(wrong)} differ")
            done, runs, bad = done + pauses, runs + 1, bad + bool(wrong)
    say(f"{bench}, {policy}: {done} pauses in {runs} runs, {bad} runs differ")
    return done, bad


def main(pauses: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    found = [compare(*case, -(-pauses // len(CASES)), rng) for case in CASES]
    total, bad = (sum(each) for each in zip(*found, strict=True))
    say(f"{total} pauses; {bad} runs differ from the one that was not paused")
    return bad


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [40, 1][len(numbers) :])) > 0)
