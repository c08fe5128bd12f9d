"""What the house tests leave behind is ended with them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_guardian_stays() -> Iterator[None]:
    """End guardians whose served bench is gone: for ten minutes they would look for it."""
    yield
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            guards = b"labctl.guardian.process" in (process / "cmdline").read_bytes()
            if guards and b"PYTEST_CURRENT_TEST=tests/house/" in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
