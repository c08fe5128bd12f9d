"""A dry run knows what each job tells, and what a condition asks in vain."""

from __future__ import annotations

import pytest

from labctl.campaign.errors import PlanError
from labctl.campaign.loading import load_plan
from labctl.campaign.predicting import predict

PLAN = """
[jobs.loops]
procedure = "IVSweep"
parameters = { cells = "0/0/0", cycles = 1 }

[jobs.more]
procedure = "IVSweep"
parameters = { cells = "0/0/1", cycles = 1 }
after = ["loops"]
when = "loops.CONDITION"
"""


@pytest.mark.parametrize("condition", ["current_max < 1", "rows > 3", "state == 'done'"])
def test_a_condition_on_what_a_job_tells_is_rehearsed(plan_file, condition):
    plan = load_plan(plan_file(PLAN.replace("CONDITION", condition)), bench="sim-board", seed=1)

    assert len(predict(plan).jobs) == 2


def test_a_condition_on_what_no_job_tells_is_refused_with_what_there_is(plan_file):
    plan = load_plan(
        plan_file(PLAN.replace("CONDITION", "curent_max < 1")), bench="sim-board", seed=1
    )

    with pytest.raises(PlanError) as refused:
        predict(plan)
    said = str(refused.value)
    assert "[jobs.more]: when: 'loops' tells no 'curent_max'; it tells current_max" in said
