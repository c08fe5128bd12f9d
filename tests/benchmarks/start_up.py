"""Print how long the command line takes to answer: whole processes, the best and median of ten."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = (["--help"], ["run", "--help"], ["procedures"], ["procedures", "WriteVerify"])


def seconds(arguments: list[str]) -> list[float]:
    """Return the wall seconds of ten runs of ``python -m labctl`` with these arguments."""
    taken = []
    for _ in range(10):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "labctl", *arguments], check=True, stdout=subprocess.DEVNULL
        )
        taken.append(time.perf_counter() - began)
    return taken


if __name__ == "__main__":
    for arguments in COMMANDS:
        taken = seconds(arguments)
        words = " ".join(["labctl", *arguments])
        print(f"{words:32} best {min(taken):.3f} s, median {statistics.median(taken):.3f} s")
