"""Progress on stderr: a bar with an estimate on a terminal, one line a step elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from labctl_procedures.quantities import format_quantity


class ProgressBar:
    """A progress sink on stderr, used as a context manager.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to draw; by default stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=False,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._label = ""
        self._done = 0
        self._total: int | None = None
        self._started = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, label: str, total: int | None) -> None:
        """Begin a step called `label` of `total` parts (None where that is not known)."""
        self._label, self._done, self._started = label, 0, time.monotonic()
        self._total = total
        self._task = self._bars.add_task(label, total=total)

    def advance(self, n: int = 1) -> None:
        """Count `n` more parts as done."""
        self._done += n
        if self._task is not None:
            self._bars.advance(self._task, n)

    def finish(self) -> None:
        """End the step."""
        if self._task is None:
            return
        self._bars.update(self._task, total=max(self._done, 1), completed=max(self._done, 1))
        self._bars.stop_task(self._task)
        self._task = None
        if not self._console.is_terminal:
            seconds = time.monotonic() - self._started
            took = format_quantity(seconds, "s", digits=3)
            whole = self._total in (None, self._done)
            done = "done" if whole else f"{self._done} of {self._total}"
            self._console.print(f"{self._label}: {done} in {took}")
