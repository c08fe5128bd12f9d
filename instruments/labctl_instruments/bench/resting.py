"""Bring a bench to rest by its file alone: for a guardian, and for a person at the keyboard.

Nothing is prepared, measured or pulsed. What drives lines is put off and asked whether it is;
only then do the relays open. Instruments are reached side by side: one that does not answer
keeps no other waiting.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from labctl_instruments.bench.drivers import driver_named
from labctl_instruments.bench.loading import load_bench
from labctl_instruments.bench.opening import Access, access_to, adapter_of
from labctl_instruments.bench.schema import BenchFile, InstrumentTable

if TYPE_CHECKING:
    from pymeasure.adapters import VISAAdapter

    from labctl_instruments.drivers.bench_instrument import BenchInstrument

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Time in which an instrument is tried again, in s: one that takes a single connection is free
only once the instrument itself has noticed that the last one is gone."""
_PAUSE = 0.05
_TIMEOUT_MS = 1500

Named = tuple[str, InstrumentTable]


@dataclass(frozen=True)
class InstrumentRest:
    """One instrument that was to come to rest."""

    name: str
    """Name in the bench file."""
    address: str
    """VISA resource string."""
    seconds: float = 0.0
    """Wall time from the beginning until it was seen at rest, or given up, in s."""
    problem: str = ""
    """Why it is not known to be at rest; empty where it is."""


@dataclass(frozen=True)
class RestReport:
    """What became of a bench that was to come to rest."""

    bench: str
    """Name of the bench."""
    path: Path
    """Its file."""
    seconds: float
    """Wall time it took, in s."""
    instruments: tuple[InstrumentRest, ...]
    """Every instrument that can drive or join lines, in the order of coming to rest."""

    @property
    def ok(self) -> bool:
        """Whether every instrument was seen at rest."""
        return not any(each.problem for each in self.instruments)


def outlives_process(file: BenchFile) -> bool:
    """Return whether a bench's instruments are there for another process too, and after this one.

    Those of a simulated bench in this process end with it.
    """
    return file.virtual is None


def rest_bench(bench: str | Path, *, patience: float = PATIENCE) -> RestReport:
    """Bring a bench to rest: outputs off, seen to be off, then crosspoints open, seen to be open.

    Parameters
    ----------
    bench : str or Path
        Name of a shipped bench, or path of a bench file.
    patience : float
        Time in which an instrument is tried again, in s.

    Returns
    -------
    RestReport
        What is wrong with an instrument is in it, and keeps no other from being put to rest.

    Raises
    ------
    BenchError
        If the bench file is wrong.
    """
    return rest_instruments(load_bench(bench), patience=patience)


def rest_instruments(file: BenchFile, *, patience: float = PATIENCE) -> RestReport:
    """Bring the instruments of a validated bench file to rest; see `rest_bench`."""
    began = time.monotonic()
    warm_up(file)
    access = access_to(file)
    driving: list[Named] = []
    joining: list[Named] = []
    for named in file.instruments.items():
        if named[1].role != "clock":
            (joining if named[1].role == "matrix" else driving).append(named)
    try:
        found = [*_rest_all(driving, access, patience), *_rest_all(joining, access, patience)]
    finally:
        _close(access)
    return RestReport(file.name, file.path, time.monotonic() - began, tuple(found))


def warm_up(file: BenchFile) -> None:
    """Import all that coming to rest needs, and find the VISA library; reach no instrument."""
    for table in file.instruments.values():
        if table.role != "clock":
            driver_named(table.driver)
    if file.virtual is None:
        import pyvisa

        pyvisa.ResourceManager(access_to(file).library)


def _rest_all(named: Sequence[Named], access: Access, patience: float) -> list[InstrumentRest]:
    """Bring instruments to rest side by side, channels of one connection one after the other."""
    groups: dict[str, list[Named]] = {}
    for each in named:
        groups.setdefault(each[1].address.upper(), []).append(each)
    if not groups:
        return []
    began = time.monotonic()
    pool = ThreadPoolExecutor(len(groups))
    tasks = [
        (group, pool.submit(_insist, group, access, began, patience)) for group in groups.values()
    ]
    wait([task for _, task in tasks], timeout=patience + 1)
    pool.shutdown(wait=False)
    found = []
    for group, task in tasks:
        late = [_listed(each, f"not at rest after {patience:g} s") for each in group]
        found.extend(task.result() if task.done() else late)
    return found


def _insist(
    group: Sequence[Named], access: Access, began: float, patience: float
) -> list[InstrumentRest]:
    """Try one connection again and again until all on it is at rest, or patience ends."""
    while True:
        found = _attempt(group, access)
        past = time.monotonic() - began
        if past > patience or not any(each.problem for each in found):
            return [replace(each, seconds=past) for each in found]
        time.sleep(_PAUSE)


def _attempt(group: Sequence[Named], access: Access) -> list[InstrumentRest]:
    """Try once; a connection that served stays open until all is done."""
    try:
        adapter = adapter_of(group[0][1], access)
        adapter.connection.timeout = _TIMEOUT_MS
    except Exception as error:  # noqa: BLE001  (the boundary: reported, and tried again)
        return [_listed(each, _told(error)) for each in group]
    try:
        return [_rest_one(each, _made(each, adapter)) for each in group]
    except Exception as error:  # noqa: BLE001  (the boundary: reported, and tried again)
        access.opened.remove(adapter)
        adapter.close()
        return [_listed(each, _told(error)) for each in group]


def _made(named: Named, adapter: VISAAdapter) -> BenchInstrument:
    name, table = named
    channel = (table.channel,) if table.channel else ()
    driver: Callable[..., BenchInstrument] = driver_named(table.driver)
    return driver(adapter, name, *channel)


def _rest_one(named: Named, instrument: BenchInstrument) -> InstrumentRest:
    instrument.output_off()
    still_on = instrument.outputs_on()
    shown = ", ".join(still_on[:4]) + (", ..." if len(still_on) > 4 else "")
    return _listed(named, f"still on: {shown}" if still_on else "")


def _listed(named: Named, problem: str) -> InstrumentRest:
    name, table = named
    return InstrumentRest(name, table.address, problem=problem)


def _told(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _close(access: Access) -> None:
    for end in (*(adapter.close for adapter in access.opened), *access.on_close):
        try:
            end()
        except Exception:  # the boundary: the bench is at rest, that is what counts here
            log.exception("closing after rest")
