"""The picture of a network on the array, drawn as soon as its run file tells where it lies."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from labctl_data.errors import LabctlError
from labctl_gui.state.progress import ProgressMeter

log = logging.getLogger(__name__)


def mapping_png(path: Path) -> bytes | None:
    """Return where the layers of a run of Inference lie, as a PNG; None where it does not tell.

    Raises
    ------
    RunFileError
        If the file is no run file, or is damaged.
    """
    from labctl.inference_file import mapping_of
    from labctl.report.draw_mapping import mapping_png as drawn  # with Matplotlib: 0.5 s
    from labctl_data.run_file import open_run

    mapping = mapping_of(open_run(path))
    return None if mapping is None else drawn(*mapping)


class MappingWatch:
    """A progress sink that draws the mapping, on a thread of its own, when the first step begins.

    A network is mapped, and the mapping stored, before its first cell is written.

    Parameters
    ----------
    meter : ProgressMeter
        Is told everything.
    path : Path
        The run file.
    take : callable
        Is given the picture, on the drawing thread.
    """

    def __init__(self, meter: ProgressMeter, path: Path, take: Callable[[bytes], None]) -> None:
        self._meter, self._path, self._take = meter, path, take
        self._thread: threading.Thread | None = None

    def start(self, label: str, total: int) -> None:
        """Begin a piece of work; with the first one, draw."""
        self._meter.start(label, total)
        if self._thread is None and self._path.exists():
            self._thread = threading.Thread(target=self._draw, name="mapping", daemon=True)
            self._thread.start()

    def advance(self, n: int) -> None:
        """Count `n` more parts as done."""
        self._meter.advance(n)

    def finish(self) -> None:
        """End the piece of work."""
        self._meter.finish()

    def _draw(self) -> None:
        try:
            png = mapping_png(self._path)
        except (LabctlError, OSError):
            log.warning("the mapping of %s could not be drawn", self._path, exc_info=True)
            return
        if png is not None:
            self._take(png)
