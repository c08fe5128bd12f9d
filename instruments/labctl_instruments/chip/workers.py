"""Threads of the chip's own: they run compiled loops, which hold no interpreter lock."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from labctl_instruments.chip.kernels import IndexArray, Share

_WORTH_THREADS = 4096
"""Cells in one call from which threads pay."""
_SHARES_A_THREAD = 3
"""Shares a thread: fewer cost a wait for the last one."""


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
        """Do the work on cells in one go, or in shares (ranges of cells) where that pays.

        The caller takes shares itself, beside its helpers, so that it never waits for a thread that
        the machine gives no processor to; what a helper has begun is waited for.
        """
        if self.threads == 1 or len(cells) < _WORTH_THREADS:
            if len(cells):
                work((int(cells.min()), int(cells.max()) + 1, 0, len(cells)))
            return
        left = deque(_shares(cells, self.threads * _SHARES_A_THREAD))
        helpers = [self._pool.submit(_take, work, left) for _ in range(self.threads - 1)]
        _take(work, left)
        for helper in helpers:
            if not helper.cancel():
                helper.result()

    def on_parts(self, work: Callable[[slice], int], parts: Iterable[slice]) -> int:
        """Do the work on all parts; return the sum of its answers."""
        each = list(parts)
        in_turn = self.threads == 1 or len(each) < 2
        return sum(map(work, each) if in_turn else self._pool.map(work, each))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, thread_name_prefix="chip")


def _shares(cells: IndexArray, n_shares: int) -> list[Share]:
    """Return ranges of cells; where cells stand in order, a share need look at its own alone."""
    first, past = int(cells.min()), int(cells.max()) + 1
    edges = [first + (past - first) * k // n_shares for k in range(n_shares + 1)]
    in_order = bool((cells[1:] >= cells[:-1]).all())
    places = np.searchsorted(cells, edges).tolist() if in_order else []
    spans = itertools.pairwise(places) if in_order else itertools.repeat((0, len(cells)))
    return [(*each, *span) for each, span in zip(itertools.pairwise(edges), spans, strict=False)]


def _take(work: Callable[[Share], None], left: deque[Share]) -> None:
    """Do what is left, share by share."""
    while True:
        try:
            share = left.popleft()
        except IndexError:
            return
        work(share)
