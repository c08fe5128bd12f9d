"""A queue and jobs that take no time."""

from __future__ import annotations

import pytest

from labctl.queue import JobQueue, JobRequest


@pytest.fixture
def queue(tmp_path):
    return JobQueue(tmp_path / "queue.sqlite")


@pytest.fixture
def sweep(tmp_path):
    """Return a function that asks for a short I-V loop."""

    def request(name="run", **changes):
        facts = {
            "procedure": "IVSweep",
            "bench": "sim-board",
            "parameters": {"cells": "0/0/0", "cycles": 1, "step": "0.5V"},
            "output": tmp_path / f"{name}.h5",
        }
        return JobRequest(**{**facts, **changes})

    return request
