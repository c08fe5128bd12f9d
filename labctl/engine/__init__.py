"""The run engine: one procedure, one station, one run file, and the bench at rest afterwards."""

from labctl.engine.control import Control
from labctl.engine.ending import RunError, RunResult
from labctl.engine.progress import NoProgress, ProgressSink
from labctl.engine.rest import attended, guarded
from labctl.engine.resuming import resume
from labctl.engine.runner import run
from labctl.engine.signals import StopSignals

__all__ = [
    "Control",
    "NoProgress",
    "ProgressSink",
    "RunError",
    "RunResult",
    "StopSignals",
    "attended",
    "guarded",
    "resume",
    "run",
]
