"""Kill a run on a served bench at random instants; see in the bench's dialogue when it is at rest.

`python tests/house/kill_and_rest.py [KILLS] [SEED] [BENCH]` with the source roots on PYTHONPATH;
200 kills of `sim-board` take some 15 minutes on 2 cores, of `sim-smu` 20.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from dialogue import PULSING, Rest, is_on, read_log, rest_of

from labctl.guardian.orders import record_path
from labctl_data.run_file import open_run

WITNESS = Path(__file__).parent / "witness.py"
CELLS = {"sim-board": "0/:/:", "sim-smu": "0/0:16/:"}
FIRST_KILL, LAST_KILL = 0.0, 0.8
"""Seconds after the first message that can pulse, between which a run is killed."""


@dataclass(frozen=True)
class Ending:
    """One run that was ended from outside."""

    at: float
    """Wall time of the signal, in s."""
    rest: Rest
    was_on: bool
    """Whether an output was on at the signal."""
    status: str
    """Of the run file."""

    @property
    def seconds(self) -> float:
        """Wall time from the signal to outputs off and crosspoints open, in s."""
        return self.rest.at - self.at


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}


@contextmanager
def witnessed(bench: str, folder: Path, *, clients: int = 8) -> Iterator[tuple[Path, Path]]:
    """Serve a bench in a process of its own; yield a bench file that reaches it, and its log."""
    path, log = folder / "served.toml", folder / "dialogue.jsonl"
    server = subprocess.Popen(
        [sys.executable, str(WITNESS), bench, str(path), str(log), str(clients)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert server.stdout is not None
    try:
        assert json.loads(server.stdout.readline())["ready"]
        yield path, log
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def begin(bench: Path, path: Path, cells: str) -> subprocess.Popen[bytes]:
    words = ["run", "WriteVerify", "--bench", str(bench), "-o", str(path)]
    words += ["-p", f"cells={cells}", "-p", "assignment=all", "-p", "after="]
    with said_by(path).open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "labctl", *words],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment(),
        )


def said_by(path: Path) -> Path:
    """Return where a run that was begun into `path` logs to."""
    return path.with_suffix(".log")


def await_first_pulse(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the bench has been told to pulse."""
    with log.open(encoding="latin-1") as lines:
        while not any(word in line for line in lines for word in PULSING):
            assert process.poll() is None, "the run ended before its first pulse"
            time.sleep(5e-3)


def end_with(
    process: subprocess.Popen[bytes], number: int, path: Path, log: Path, *, patience: float = 30.0
) -> Ending:
    """Send a signal, and wait until the guardian has seen the bench at rest twice."""
    at = time.time()
    process.send_signal(number)
    record = record_path(path)
    while not (record.exists() and "seen again" in record.read_text(encoding="utf-8")):
        assert time.time() < at + patience, f"no rest {patience} s after signal {number}"
        time.sleep(5e-3)
    process.wait()
    entries = read_log(log)
    before = [entry for entry in entries if entry[0] <= at]
    assert not is_on(entries), "something is still on"
    return Ending(at, rest_of(entries), is_on(before), str(open_run(path).status))


def main(kills: int, seed: int, bench: str) -> int:
    rng = np.random.default_rng(seed)
    seconds, bad = [], 0
    with tempfile.TemporaryDirectory() as home:
        for number in range(kills):
            ending = kill_once(bench, Path(home) / str(number), rng)
            rest = ending.rest
            fine = rest.seen and not rest.pulses_after and ending.seconds <= 1.0
            bad += not (fine and ending.status == "interrupted")
            seconds.append(ending.seconds)
            told = "well" if fine else f"{rest}"
            say(f"kill {number}: on {ending.was_on}, at rest after {ending.seconds:.3f} s; {told}")
    median, worst = np.median(seconds), max(seconds)
    say(f"{bench}: {kills} kills, {bad} not as they should be")
    say(f"outputs off and crosspoints open: median {median:.3f} s, worst {worst:.3f} s")
    return bad


def kill_once(bench: str, folder: Path, rng: np.random.Generator) -> Ending:
    folder.mkdir()
    with witnessed(bench, folder) as (served, log):
        path = folder / "run.h5"
        process = begin(served, path, CELLS[bench])
        await_first_pulse(process, log)
        time.sleep(rng.uniform(FIRST_KILL, LAST_KILL))
        return end_with(process, signal.SIGKILL, path, log)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    given = sys.argv[1:]
    n_kills, seed_given, bench_given = (*given, *("10", "1", "sim-board")[len(given) :])
    sys.exit(main(int(n_kills), int(seed_given), bench_given) > 0)
