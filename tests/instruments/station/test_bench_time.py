"""How time passes on a bench without a clock instrument."""

from __future__ import annotations

import os
import subprocess
import sys

from labctl_instruments.station.bench_time import WallTime

_TELL = "from labctl_instruments.station.bench_time import WallTime; print(WallTime().now())"


def test_wall_time_goes_on_in_another_process_where_it_was_in_this_one():
    before = WallTime().now()

    told = subprocess.run(
        [sys.executable, "-c", _TELL],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
    )

    assert before <= float(told.stdout) <= WallTime().now()
