"""Write-verify on a served bench, killed and gone on with."""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parent / "kill_and_resume.py"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_run_killed_again_and_again_ends_whole_and_no_cell_is_pulsed_twice(
    tmp_path: Path,
) -> None:
    spec = importlib.util.spec_from_file_location("kill_and_resume", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = sys.modules["kill_and_resume"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    rng = np.random.default_rng(5)

    with script.served("sim-board", tmp_path) as bench:
        killed = script.kill_until_complete(bench, tmp_path / "run.h5", rng, most=3)
        wrong = script.differences(killed, script.chip_counts(bench))

    assert killed.kills > 0
    assert wrong == []
