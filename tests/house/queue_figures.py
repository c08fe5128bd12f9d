"""A thousand queued jobs, their writers killed; and how punctually jobs start.

Run as `python tests/house/queue_figures.py [JOBS] [STARTS]` with the source roots on PYTHONPATH.

Four processes add jobs to one queue at once, each saying what it has added, and are killed
(SIGKILL) at random instants, until so many have been said. All that was said must be there,
unchanged. Then jobs with a start time are made on a bench that is open and free, and the seconds
from that time to the start of their runs, by the run files, are printed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from kill_and_resume import environment

from labctl.queue import Job, JobQueue, JobRequest, run_queue
from labctl_data.run_file import open_run

_WRITER = """
import sys
from pathlib import Path
from labctl.queue import JobQueue, JobRequest
queue = JobQueue(Path(sys.argv[1]))
for number in range(10**6):
    note = f"{sys.argv[2]} {number}"
    job = queue.add(JobRequest(procedure="IVSweep", bench="b", parameters={"n": number}, note=note))
    print(job.id, note, flush=True)
"""


def added_under_fire(path: Path, jobs: int, rng: np.random.Generator) -> tuple[dict[int, str], int]:
    """Return id and note of at least `jobs` that were said to be added, and the kills."""
    said: dict[int, str] = {}
    kills = 0
    while len(said) < jobs:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", _WRITER, str(path), f"writer {kills + n}"],
                stdout=subprocess.PIPE,
                text=True,
                env=environment(),
            )
            for n in range(4)
        ]
        for writer in writers:
            assert writer.stdout is not None
            line = writer.stdout.readline()  # it has begun
            time.sleep(rng.uniform(0.1, 0.6))
            writer.kill()
            kills += 1
            for whole in (line + writer.stdout.read()).splitlines(keepends=True):
                if whole.endswith("\n"):
                    number, _, note = whole.strip().partition(" ")
                    said[int(number)] = note
            writer.wait()
            writer.stdout.close()
    return said, kills


def changed(path: Path, said: dict[int, str]) -> int:
    """Return how many of the jobs that were said to be added are not there as they were."""
    found = {job.id: job for job in JobQueue(path).jobs()}
    fine = (
        number in found
        and found[number].note == note
        and found[number].parameters == {"n": int(note.split()[-1])}
        for number, note in said.items()
    )
    return len(said) - sum(fine)


def lateness(folder: Path, starts: int, rng: np.random.Generator) -> list[float]:
    """Return how late jobs start that have a start time, in s."""
    queue = JobQueue(folder / "starts.sqlite")
    short = {"cells": "0/0/0", "cycles": 1, "step": "0.5V"}
    queue.add(JobRequest(procedure="IVSweep", bench="sim-board", parameters=short))  # warms up
    at = datetime.now(UTC) + timedelta(seconds=20)
    for _ in range(starts):
        at += timedelta(seconds=rng.uniform(2.5, 4.0))
        output = folder / f"{at.timestamp()}.h5"
        queue.add(
            JobRequest(
                procedure="IVSweep",
                bench="sim-board",
                parameters=short,
                start_at=at,
                output=output,
            )
        )
    made = run_queue(queue, bench="sim-board")
    return [
        (begun_at(job) - job.start_at).total_seconds() for job in made if job.start_at is not None
    ]


def begun_at(job: Job) -> datetime:
    """Return the wall time at which a job's run file says that its run started."""
    assert job.run_file is not None
    return datetime.fromisoformat(str(open_run(job.run_file).attributes["start"]))


def main(jobs: int, starts: int) -> int:
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        said, kills = added_under_fire(folder / "queue.sqlite", jobs, rng)
        bad = changed(folder / "queue.sqlite", said)
        sys.stdout.write(f"{len(said)} jobs, {kills} writers killed, {bad} lost or changed\n")
        late = lateness(folder, starts, rng)
        sys.stdout.write(
            f"{len(late)} starts, {max(late):.3f} s late at most, {np.median(late):.3f} s in the "
            f"median, {sum(each < 0 for each in late)} too early\n"
        )
    return bad + sum(not 0 <= each <= 1 for each in late)


if __name__ == "__main__":
    given = sys.argv[1:]
    n_jobs, n_starts = (*given, *("1000", "20")[len(given) :])
    sys.exit(main(int(n_jobs), int(n_starts)) > 0)
