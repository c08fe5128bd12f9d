"""Whatever goes wrong at an instrument within a run, the bench comes to rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from inject_faults import FAULT_KINDS, strike_each

ROUNDS = 1


def test_a_bench_is_at_rest_after_every_kind_of_fault(tmp_path: Path) -> None:
    struck = list(strike_each(ROUNDS * len(FAULT_KINDS), np.random.default_rng(2), tmp_path))

    assert {each.kind for each in struck} == set(FAULT_KINDS)
    assert any(each.status == "failed" for each in struck)
    for each in struck:
        assert not each.still_on
        assert each.seen
        assert each.pulses_after == 0
        assert each.status in ("complete", "failed")
