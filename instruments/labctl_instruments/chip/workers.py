"""Threads of the chip's own: they run compiled loops, which hold no interpreter lock."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from labctl_instruments.chip.kernels import IndexArray, Share

_WORTH_THREADS = 4096
"""Cells in one call from which threads pay."""


class Workers:
    """Some threads, made when there is something to share.

    Parameters
    ----------
    threads : int, optional
        How many; all processors by default.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or os.cpu_count() or 1

    def on_cells(self, work: Callable[[Share], None], cells: IndexArray) -> None:
        """Do the work on cells in one go, or in shares (ranges of cells) where that pays."""
        if self.threads == 1 or len(cells) < _WORTH_THREADS:
            if len(cells):
                work((int(cells.min()), int(cells.max()) + 1))
            return
        first, past = int(cells.min()), int(cells.max()) + 1
        edges = [first + (past - first) * k // self.threads for k in range(self.threads + 1)]
        list(self._pool.map(work, itertools.pairwise(edges)))

    def on_parts(self, work: Callable[[slice], int], parts: Iterable[slice]) -> int:
        """Do the work on all parts; return the sum of its answers."""
        each = list(parts)
        in_turn = self.threads == 1 or len(each) < 2
        return sum(map(work, each) if in_turn else self._pool.map(work, each))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="chip")
