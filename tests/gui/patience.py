"""How long the window's tests wait for what must happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SECONDS = 120
"""Only a test that fails waits so long: kernels may have to be compiled, and others be busy."""


def wait_until(reached: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Return once it is so; fail after `seconds` s."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "what was waited for did not happen"
        threading.Event().wait(0.002)
