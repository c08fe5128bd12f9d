"""The reader: run files that are looked at, or compared with, read beside the bench."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from labctl_data.errors import LabctlError
from labctl_gui.state.opened import OpenedRun, open_run_file

log = logging.getLogger(__name__)


class Reader:
    """Reads run files, each on a thread of its own."""

    def __init__(self) -> None:
        self.opened: OpenedRun | None = None
        """The run that is shown in place of the live bench; None for the bench."""
        self._compared: OpenedRun | None = None

    def open(self, path: Path) -> None:
        """Show a run file in place of the live bench, once it is read."""

        def read() -> None:
            opened = _opened_or_logged(path)
            if opened is not None:
                self.opened = opened

        _begin(read)

    def show_live(self) -> None:
        """Show the live bench again."""
        self.opened = None

    def compare(self, *newest_first: Path) -> None:
        """Read the first of these run files that tells conductances, to compare with."""

        def read() -> None:
            self._compared = _first_with_map(newest_first)

        _begin(read)

    def take_compared(self) -> OpenedRun | None:
        """Return, once, the run that was read to be compared with."""
        compared, self._compared = self._compared, None
        return compared


def _begin(read: Callable[[], None]) -> None:
    threading.Thread(target=read, name="reader", daemon=True).start()


def _first_with_map(paths: Sequence[Path]) -> OpenedRun | None:
    """Return the first run that tells conductances of cells; that none does is logged."""
    for path in paths:
        opened = _opened_or_logged(path)
        if opened is not None and opened.chip_map is not None:
            return opened
    log.error("nothing to compare with: %s tells no conductances", ", ".join(map(str, paths)))
    return None


def _opened_or_logged(path: Path) -> OpenedRun | None:
    """Return a run file, read; what is wrong with it is logged."""
    try:
        return open_run_file(path)
    except (LabctlError, OSError) as error:
        log.error("opening %s: %s", path, error)  # noqa: TRY400  (its one line says it all)
        return None
