"""How equations are compiled: numba, cached on disk, free of the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
from numba.extending import overload, register_jitable

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
    dispatcher = numba.njit(cache=True, **_OPTIONS)(function)
    _stamp(dispatcher, Path(function.__code__.co_filename).parent)
    made: Callable[P, R] = dispatcher
    return made


def _stamp(dispatcher: Any, folder: Path) -> None:  # noqa: ANN401  (a private class of numba)
    """Let code kept on disk go stale with any source of its folder or of the equations'.

    numba itself looks at the file of the loop alone, and would keep loops with old equations in
    them. A numba whose caches are made otherwise is left as it is.
    """
    index: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(index, "_source_stamp"):
        sources = (_sources(Path(__file__).parent), _sources(folder))
        index._source_stamp = (index._source_stamp, sources)  # noqa: SLF001  (there is no other way)


@cache
def _sources(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, time and size of the modules in a folder."""
    found = sorted((path.name, path.stat()) for path in folder.glob("*.py"))
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function` compile into the loops that call it; called from Python it is plain Python."""
    registered: Callable[P, R] = register_jitable(forceinline=True, **_OPTIONS)(function)
    return registered


def fused(function: Callable[P, R]) -> Callable[P, R]:
    """As `inlined`, and a product may be rounded together with the sum it goes into."""
    options = {**_OPTIONS, "forceinline": True, "fastmath": {"contract"}}
    registered: Callable[P, R] = register_jitable(**options)(function)
    return registered


def chosen_by_type(
    stands_for: Callable[..., Any], choose: Callable[[Any], Callable[..., Any]]
) -> None:
    """Let compiled code that calls one function call another, chosen by its first argument's type.

    `choose` gets numba's type of that argument; what it returns compiles into the caller.
    """

    def chosen(*types: Any) -> Callable[..., Any]:  # noqa: ANN401  (types of numba)
        return choose(types[0])

    options: Any = {**_OPTIONS, "forceinline": True}
    overload(stands_for, jit_options=options, strict=False)(chosen)
