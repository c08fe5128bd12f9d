"""The bench at rest, whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.engine.signals import StopSignals
from labctl.guardian.orders import record_path
from labctl.guardian.watch import watch_over
from labctl_instruments.station import Station

log = logging.getLogger(__name__)


def try_all(*steps: Callable[[], object]) -> tuple[Exception, ...]:
    """Run every step whatever the others do, and return what went wrong, in order."""
    faults: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as fault:  # noqa: BLE001  (the boundary: the next step must still run)
            log.warning("while ending: %s: %s", type(fault).__name__, fault)
            faults.append(fault)
    return tuple(faults)


@contextmanager
def guarded(station: Station, *, beside: Path | None = None) -> Iterator[Station]:
    """Rest the station on every way out that Python can see, and by a guardian on the others.

    Inside, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt; while the bench comes to rest
    they wait.

    Parameters
    ----------
    station : Station
        The bench; it is rested, not closed.
    beside : Path, optional
        A file of this work; a guardian that had to act writes its record beside it. Without one,
        among labctl's log files.
    """
    watch = watch_over(station, record_path(beside or _log_file()))
    with StopSignals(patient=False) as signals:
        at_rest = False
        try:
            watch.start()
            yield station
        finally:
            with signals.held():
                try:
                    station.rest()
                    at_rest = True
                finally:
                    watch.finish(at_rest=at_rest)


def _log_file() -> Path:
    from platformdirs import user_log_path

    return user_log_path("labctl", ensure_exists=True) / "guarded"
