"""Kill a campaign again and again, and go on with it.

Run as `python tests/house/kill_campaigns.py [KILLS] [SEED]`; some 8 s a kill.

The bench is served by a process of its own, whose chip outlives the campaign. Each time the
campaign is killed (SIGKILL) at a random instant and resumed. At the end every job is done, each
point of each plan was measured once, and no cell got a pulse that the run files do not tell of, by
the chip's own counters.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from kill_and_resume import FRESH, chip_counts, environment, labctl, served

from labctl.campaign.home import CampaignHome
from labctl_data.cells import Cells
from labctl_data.run_file import open_run

PLAN = """
[jobs.write]
procedure = "WriteVerify"
parameters = { levels = 32, after = "" }
sweep = { cells = ["0/0:32/:", "0/32:64/:", "0/64:96/:"] }

[jobs.keep]
procedure = "Retention"
interleave = true
parameters = { levels = 8, first = "1s", duration = "1h", per_decade = 2 }
sweep = { cells = ["0/96:112/:", "0/112:128/:"] }
"""
CELLS_OF_A_WRITE, CELLS_OF_A_LOOK = 512, 256
FIRST_KILL, LAST_KILL = 1.5, 6.0
"""Seconds after its start, between which the campaign is killed."""


def carry_out_with_kills(bench: Path, folder: Path, rng: np.random.Generator, *, most: int) -> int:
    """Carry the plan out in `folder`, killed up to `most` times; return how often it was."""
    plan = folder / "plan.toml"
    plan.write_text(PLAN, encoding="utf-8")
    words = ["run", str(plan), "--bench", str(bench)]
    kills = 0
    while True:
        process = subprocess.Popen(
            labctl("campaign", *words, "--folder", str(folder / "home"), "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        if kills < most:
            time.sleep(rng.uniform(FIRST_KILL, LAST_KILL))
            if process.poll() is None:
                process.kill()
                kills += 1
        out, err = process.communicate()
        if process.returncode == 0:
            return kills
        assert process.returncode == -9, f"{out}{err}"
        if (folder / "home" / "journal.jsonl").exists():
            words = ["resume", str(plan)]


def wrong_with(home: CampaignHome, before: np.ndarray, after: np.ndarray) -> list[str]:
    """Return what is wrong with a campaign, the chip's counters (pe, row, col) being given."""
    written = np.zeros(after.shape, int)
    found: list[str] = []
    for job in home.queue.jobs():
        if job.state.value != "done" or job.run_file is None:
            found.append(f"job {job.id} is {job.state}: {job.error}")
            continue
        run = open_run(job.run_file)
        found += _measured_twice(run, f"job {job.id}")
        lost = [segment.undelivered for segment in run.segments if segment.undelivered is not None]
        table = run.ledger
        given = ~np.isin(table["message"], lost)
        cells = Cells.of(np.stack([table[name] for name in ("pe", "row", "column")], axis=-1))
        np.add.at(written, tuple(cells.addresses[given].T), table["count"][given])
    unlike = int((after.astype(int) - before.astype(int) != written).sum())
    return [*found, *([f"{unlike} cells with other pulses than the ledgers'"] if unlike else [])]


def _measured_twice(run: object, job: str) -> list[str]:
    records = run.records()  # type: ignore[attr-defined]
    if "stage" in records:
        fresh = records["stage"] == FRESH
        addresses = np.stack([records[name][fresh] for name in ("row", "column")], axis=-1)
        times = np.unique(addresses, axis=0, return_counts=True)[1]
        whole = len(times) == CELLS_OF_A_WRITE and (times == 1).all()
        return [] if whole else [f"{job}: cells judged twice or never"]
    rows, points = run.rows, len(run.points)  # type: ignore[attr-defined]
    return [] if rows <= points * CELLS_OF_A_LOOK and not rows % CELLS_OF_A_LOOK else [job]


def main(kills: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name, served("sim-board", Path(name)) as bench:
        folder = Path(name)
        before = chip_counts(bench)
        done = carry_out_with_kills(bench, folder, rng, most=kills)
        found = wrong_with(CampaignHome(folder / "home"), before, chip_counts(bench))
        sys.stdout.write(f"{done} kills, {json.dumps(found)} wrong\n")
    return len(found)


if __name__ == "__main__":
    given = sys.argv[1:]
    n_kills, seed_given = (*given, *("10", "1")[len(given) :])
    sys.exit(main(int(n_kills), int(seed_given)) > 0)
