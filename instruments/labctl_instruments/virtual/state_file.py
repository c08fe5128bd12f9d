"""A simulated chip's state on disk: one process's own, saved as it goes and at the end."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from labctl_data.chip_file import CellState
from labctl_data.errors import LabctlError
from labctl_data.file_lock import try_lock
from labctl_instruments.errors import RackError

log = logging.getLogger(__name__)

SAVE_SECONDS = 5.0
"""Wall time between two saves while something happens, in s: what a kill of the process costs."""


class StateHold:
    """Hold a state file, until closed or dead: two processes cannot carry on one chip.

    The operating system's lock on a file beside it, which stays and means nothing.

    Parameters
    ----------
    path : Path
        The state file; it need not be there yet.

    Raises
    ------
    RackError
        If another bench, of this process or another, has it open, or nothing can be written there.
    """

    def __init__(self, path: Path) -> None:
        beside = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            problem = f"no lock can be made beside it ({error.strerror})"
            raise RackError(f"{path}: {problem}") from error
        if not try_lock(descriptor):
            os.close(descriptor)
            raise RackError(
                f"{path}: another bench, here or in another process, carries on this chip already"
            )
        self._release = weakref.finalize(self, os.close, descriptor)

    def close(self) -> None:
        """Let it go."""
        self._release()


class StateKeeper:
    """Saves a chip's state while messages arrive, and once more at the end.

    Each save replaces the file as a whole: whoever dies within one leaves the last.

    Parameters
    ----------
    hold : StateHold
        Of the state file; it is let go at the end.
    take : callable
        Returns the state now, consistently: it takes the rack's turn. None once the rack is gone.
    write : callable
        Writes a state.
    every : float
        Wall time between two saves, in s.
    """

    def __init__(
        self,
        hold: StateHold,
        take: Callable[[], CellState | None],
        write: Callable[[CellState], None],
        *,
        every: float = SAVE_SECONDS,
    ) -> None:
        self._hold, self._take, self._write, self._every = hold, take, write, every
        self._writing = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._save_steadily, daemon=True).start()

    def close(self) -> None:
        """Save the chip as it is, and let the file go."""
        if self._ended.is_set():
            return
        self._ended.set()
        try:
            with self._writing:
                state = self._take()
                if state is not None:
                    self._write(state)
        finally:
            self._hold.close()

    def _save_steadily(self) -> None:
        saved: float | None = None
        while not self._ended.wait(self._every):
            state = self._take()
            if state is None:
                return
            if state.facts["exchanges"] == saved:
                continue
            with self._writing:
                if self._ended.is_set():
                    return
                try:
                    self._write(state)
                    saved = state.facts["exchanges"]
                except LabctlError as error:  # tried again; the end of the bench says it aloud
                    log.warning("the chip's state is not saved: %s", error)
