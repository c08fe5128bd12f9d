"""The bench at rest, whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.engine.boundary import Boundary
from labctl.engine.control import Control
from labctl.engine.signals import StopSignals
from labctl.guardian.orders import record_path
from labctl.guardian.watch import Watch, watch_over
from labctl_data.run_file import RunWriter
from labctl_instruments.errors import DeadLinkError, InstrumentError, WireError
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
def at_rest_if_it_fails(station: Station) -> Iterator[None]:
    """Rest the station if an instrument fails inside, whatever state it was found in."""
    try:
        yield
    except (InstrumentError, WireError):
        try_all(station.rest)
        raise


@contextmanager
def guarded(station: Station) -> Iterator[Station]:
    """Rest the station on every way out that Python can see, and by a guardian on the others.

    Inside, SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt; while the bench comes to rest
    they wait. A guardian that had to act writes its record among labctl's log files.

    Parameters
    ----------
    station : Station
        The bench; it is rested, not closed.
    """
    watch = watch_over(station, record_path(_log_file()))
    with StopSignals(patient=False) as signals, _at_rest_after(station, watch, signals):
        yield station


@contextmanager
def attended(
    station: Station, run: RunWriter, control: Control | None = None
) -> Iterator[Boundary]:
    """Guard work that asks at its pulse boundaries whether to go on, and is kept in a run file.

    Inside, SIGINT, SIGTERM, SIGHUP, `control` and a guardian that is lost end it at its next pulse
    boundary; a second signal raises KeyboardInterrupt.

    Parameters
    ----------
    station : Station
        The bench; it is at rest afterwards, and stays open.
    run : RunWriter
        The run file; pauses are told there, and a guardian that had to act writes its record
        beside it.
    control : Control, optional
        Pauses, resumes and aborts the work from another thread.

    Yields
    ------
    Boundary
        What the work is to ask.
    """
    watch = watch_over(station, record_path(run.path))
    with StopSignals() as signals, _at_rest_after(station, watch, signals):
        boundary = Boundary(station, run, control or Control())
        boundary.ends_when(lambda: signals.received)
        boundary.ends_when(lambda: "the guardian is lost" if watch.is_lost() else None)
        yield boundary


@contextmanager
def _at_rest_after(station: Station, watch: Watch, signals: StopSignals) -> Iterator[None]:
    """Watch over what is inside, then rest the station, and let no signal interrupt that."""
    at_rest = False
    try:
        watch.start()
        yield
    except DeadLinkError:
        watch.call_for_rest()  # meanwhile this process, too, tries what it can
        raise
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
