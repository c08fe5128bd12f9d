"""Where a run comes from: procedure, bench, chip, person, programs."""

from __future__ import annotations

import getpass
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from labctl_instruments.station import Station
from labctl_procedures.procedure import ChipProcedure

PACKAGES = ("labctl", "numpy", "scipy", "numba", "h5py", "PyMeasure", "PyVISA", "pyvisa-py")
"""The packages whose versions can change what a run finds."""


def attributes_of(
    procedure: ChipProcedure[Any], station: Station, operator: str | None
) -> dict[str, Any]:
    """Return the facts that a run file keeps about its making."""
    return {
        "procedure": type(procedure).__name__,
        "parameters": procedure.parameter_values(),
        **station_attributes(station, operator),
    }


def station_attributes(station: Station, operator: str | None) -> dict[str, Any]:
    """Return the facts about bench, chip, person and programs."""
    bench = station.bench
    return {
        "bench": bench.name,
        "bench_file": str(bench.path),
        "bench_kind": bench.kind,
        "bench_toml": bench.text,
        "wafer": bench.identity.wafer,
        "die": bench.identity.die,
        "chip": bench.identity.chip,
        "geometry": list(bench.geometry.shape),
        "chip_file": None if bench.chip_file is None else str(bench.chip_file),
        "stuck_file": None if bench.stuck_file is None else str(bench.stuck_file),
        "seed": bench.seed,
        "operator": operator or _user(),
        "packages": packages(),
        "source": source_state(),
    }


@cache
def packages() -> dict[str, str]:
    """Return the versions of Python and of the packages that matter; absent ones are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def source_state() -> str:
    """Return the commit of the source tree labctl runs from, `+` added where it was changed.

    An installed labctl has no tree, and says `installed`.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return "installed"
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return commit + ("+" if changed else "")


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=5
    )
    return done.stdout.strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user data base
        return ""
