"""The bench at rest, whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labctl.engine.signals import StopSignals
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
def guarded(station: Station) -> Iterator[Station]:
    """Rest the station on every way out that Python can see.

    Inside, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt; while the bench comes to rest
    they wait.

    Parameters
    ----------
    station : Station
        The bench; it is rested, not closed.
    """
    with StopSignals(patient=False) as signals:
        try:
            yield station
        finally:
            with signals.held():
                station.rest()
