"""What a run would do, told before it is started."""

from __future__ import annotations

from labctl_data.run_file import open_run
from tests.gui.patience import SECONDS, wait_until


def test_a_prediction_is_what_the_run_then_takes(session):
    values = {"cells": "0/0:2/0", "cycles": "1"}
    session.predict("IVSweep", values)
    wait_until(lambda: session.predictor.now.is_done, 60)

    session.start("IVSweep", values)
    assert session.settled(SECONDS)

    rows = open_run(session.queue.jobs[0].run_file).rows
    assert f" {rows} rows" in session.predictor.now.text
    assert "1.5 V" in session.predictor.now.text


def test_a_run_that_is_refused_cannot_be_predicted_and_says_why(session):
    session.predict("WriteVerify", {"cells": "7/0/0"})
    wait_until(lambda: session.predictor.now.is_done, 60)

    assert "cannot be rehearsed" in session.predictor.now.text
    assert "7" in session.predictor.now.text
