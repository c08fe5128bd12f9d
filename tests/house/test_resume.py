"""Write-verify on a served bench, killed and gone on with."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from kill_and_resume import chip_counts, differences, kill_until_complete, served


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_run_killed_again_and_again_ends_whole_and_no_cell_is_pulsed_twice(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(5)

    with served("sim-board", tmp_path) as bench:
        killed = kill_until_complete(bench, tmp_path / "run.h5", rng, most=3)
        wrong = differences(killed, chip_counts(bench))

    assert killed.kills > 0
    assert wrong == []
