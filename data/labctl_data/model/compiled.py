"""How equations are compiled: numba, cached on disk, free of the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
}


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` at its first call; division by zero gives inf, indices are not checked.

    Compiled functions allocate nothing: arrays come from the caller, and numba then counts no
    references, which in loops over tables of records costs more than the arithmetic (measured: 280
    against 107 ns a pulse). No `parallel=True`: threads are the caller's, who splits the work so
    that the answer does not depend on their number.
    """
    dispatcher: Callable[P, R] = numba.njit(**_OPTIONS)(function)
    return dispatcher


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` into its callers: for insides of loops that must become vector code.

    A product and the sum it goes into may be rounded once instead of twice.
    """
    options = {**_OPTIONS, "forceinline": True, "fastmath": {"contract"}}
    dispatcher: Callable[P, R] = numba.njit(**options)(function)
    return dispatcher
