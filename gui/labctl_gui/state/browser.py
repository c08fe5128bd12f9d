"""The data browser: what the catalogue finds, asked for by a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from labctl_data.catalogue import Catalogue, Entry
from labctl_gui.state.chips import KnownChip, chips_of
from labctl_gui.state.worker import BenchWorker, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What a search has found."""

    number: int = 0
    """Changes with each search."""
    folder: Path | None = None
    """Where was searched; None before the first search."""
    entries: tuple[Entry, ...] = field(default_factory=tuple)
    """The runs, newest first."""
    chips: tuple[KnownChip, ...] = ()
    """The chips of all runs in the folder, found or not."""


class Browser:
    """Looks through a folder of run files, without making anybody wait.

    Parameters
    ----------
    folder : Path, optional
        The folder; by default the user's data folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.found = Found()
        self.report: Path | None = None
        self._folder = folder
        self._text = ""
        nothing = Task("resting", lambda: None, _ignore)
        self._clerk = BenchWorker(idle=nothing, last=nothing)

    def search(self, text: str) -> None:
        """Look at the folder again, and for the runs in which every word of `text` occurs."""
        self._text = text
        self._clerk.clear()
        self._submit("searching runs", self._search)

    def look_into(self, folder: Path) -> None:
        """Browse another folder."""
        self._folder = folder
        self.search(self._text)

    def describe(self, file: Path, *, tags: Iterable[str], note: str) -> None:
        """Write tags and a note beside a run."""
        kept = tuple(tags)

        def written() -> None:
            catalogue = self._catalogue()
            catalogue.tag(file, kept)
            catalogue.note(file, note)
            self._search()

        self._submit("writing a note", written, lasting=True)

    def write_report(self, files: Iterable[Path]) -> None:
        """Draw a page from runs, beside them."""
        runs = tuple(files)

        def written() -> None:
            from labctl.configuration import dated_path
            from labctl.report import write_report

            folder = self._catalogue().folder
            path = dated_path(folder, "report", ".html", datetime.now().astimezone())
            self.report = write_report(runs, path)
            log.info("report of %d runs: %s", len(runs), path)

        self._submit("writing a report", written, lasting=True)

    def settled(self, timeout: float) -> bool:
        """Wait until nothing more is to do, at most `timeout` s; return whether so."""
        return self._clerk.settled(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """End the thread; return whether it did within `timeout` s."""
        return self._clerk.end(timeout)

    def _search(self) -> None:
        catalogue = self._catalogue()
        catalogue.refresh()
        entries = catalogue.search(self._text)
        chips = chips_of(catalogue.entries())
        self.found = Found(self.found.number + 1, catalogue.folder, entries, chips)

    def _catalogue(self) -> Catalogue:
        if self._folder is None:
            from labctl.configuration import load_configuration

            self._folder = load_configuration().data_folder
        self._folder.mkdir(parents=True, exist_ok=True)
        return Catalogue(self._folder)

    def _submit(self, name: str, act: Callable[[], None], *, lasting: bool = False) -> None:
        self._clerk.submit(Task(name, act, _ignore, lasting))


def _ignore(error: Exception) -> None:
    """Do nothing: the worker has logged it."""
