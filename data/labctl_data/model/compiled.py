"""How equations are compiled: numba, cached on disk, free of the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba
from numba.extending import register_jitable

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop over arrays at its first call, and keep it on disk.

    Division by zero gives inf and indices are not checked: the caller checks. Compiled functions
    allocate nothing: arrays come from the caller, and numba then counts no references, which in
    loops over tables of records costs more than the arithmetic (measured: 280 against 107 ns a
    pulse). No `parallel=True`: threads are the caller's, who splits the work so that the answer
    does not depend on their number.
    """
    dispatcher: Callable[P, R] = numba.njit(cache=True, **_OPTIONS)(function)
    return dispatcher


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function` compile into the loops that call it; called from Python it is plain Python."""
    registered: Callable[P, R] = register_jitable(forceinline=True, **_OPTIONS)(function)
    return registered


def fused(function: Callable[P, R]) -> Callable[P, R]:
    """As `inlined`, and a product may be rounded together with the sum it goes into."""
    options = {**_OPTIONS, "forceinline": True, "fastmath": {"contract"}}
    registered: Callable[P, R] = register_jitable(**options)(function)
    return registered
