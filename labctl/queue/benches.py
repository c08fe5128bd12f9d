"""The benches that a runner holds open from one job to the next."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary

from labctl.bench_choice import BenchChoice

if TYPE_CHECKING:
    from labctl_instruments.station import Station

log = logging.getLogger(__name__)


class OpenBenches:
    """Open each bench once, so that a simulated chip lives from one job to the next.

    Parameters
    ----------
    given : mapping of BenchChoice to Station, optional
        Stations that are open already and stay open at the end.
    """

    def __init__(self, given: dict[BenchChoice, Station] | None = None) -> None:
        self._given = dict(given or {})
        self._opened: dict[BenchChoice, Station] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._opened:
            _, station = self._opened.popitem()
            station.__exit__(kind, error, trace)

    def station(self, choice: BenchChoice) -> Station:
        """Return the station of a bench, opened now if it is not open.

        Raises
        ------
        LabctlError
            If it cannot be opened.
        """
        if choice in self._given:
            return self._given[choice]
        if choice not in self._opened:
            self._opened[choice] = choice.open()
        return self._opened[choice]

    def is_open(self, choice: BenchChoice) -> bool:
        """Return whether a bench is held here."""
        return choice in self._given or choice in self._opened

    def let_go(self, choice: BenchChoice) -> None:
        """Close a bench after a failure, so that the next job connects anew.

        A simulated chip that lives in this process stays: it would be gone.
        """
        station = self._opened.get(choice)
        if station is None or not _outlives(station):
            return
        del self._opened[choice]
        try:
            station.close()
        except Exception as error:  # noqa: BLE001  (the boundary: it was broken before)
            log.warning("%s: while closing: %s", choice.bench, error)


def note_begun(station: Station, path: Path) -> None:
    """Remember that the run at `path` is one of the chip behind `station`."""
    _begun.setdefault(station, set()).add(path)


def holds_chip_of(station: Station, path: Path) -> bool:
    """Return whether the run at `path` was begun on the very chip behind `station`."""
    return path in _begun.get(station, ())


_begun: WeakKeyDictionary[Station, set[Path]] = WeakKeyDictionary()


def _outlives(station: Station) -> bool:
    """Return whether the chip is there without this process: a real or served one has no seed."""
    return station.bench.seed is None
