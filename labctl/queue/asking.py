"""Questions that a run asks at every pulse and that take too long for that."""

from __future__ import annotations

import time
from collections.abc import Callable

_ASK_SECONDS = 0.5
"""How often a question is really asked, in s of wall time."""


class Asker:
    """Ask a slow question now and then, until the answer is yes.

    Parameters
    ----------
    question : callable
        The question.
    """

    def __init__(self, question: Callable[[], bool]) -> None:
        self._question = question
        self._last = time.monotonic()
        self.answer = False
        """The last answer."""

    def __call__(self) -> bool:
        """Return the answer, which may be half a second old."""
        if not self.answer and time.monotonic() - self._last > _ASK_SECONDS:
            self._last = time.monotonic()
            self.answer = self._question()
        return self.answer
