"""How soon a bench is at rest after its run was killed, by its own dialogue: 10 kills a bench."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "house"))

import kill_and_rest

KILLS = 10

if __name__ == "__main__":
    for bench in kill_and_rest.CELLS:
        kill_and_rest.main(KILLS, 1, bench)
