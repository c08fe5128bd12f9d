"""What this installation has, and what it lacks."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from labctl.configuration import configuration_path, load_configuration
from labctl_data.errors import LabctlError

QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
}
"""System libraries that Qt loads, with the Debian package of each."""
FEATURES = {
    "analysis": "Run.to_xarray",
    "torch": "training the shipped networks anew",
    "clients": "driving the virtual instruments with QCoDeS, tm_devices and keithley2600",
}
"""What each extra of a user's is for; the extra `test` is for labctl's own tests."""
ENOUGH_DISK = 1e9


@dataclass(frozen=True)
class Finding:
    """One thing looked for."""

    name: str
    """What was looked for."""
    ok: bool
    """Whether it is there and fit."""
    found: str
    """What was found."""
    remedy: str = ""
    """What to do where it is missing."""
    needed: bool = True
    """Whether labctl's main job needs it."""


def examine() -> tuple[Finding, ...]:
    """Look for everything labctl uses; change nothing and connect to nothing."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _interpreter,
        _packages,
        _backends,
        _settings,
        _images,
        _screen,
    )
    return tuple(finding for check in checks for finding in check())


def _interpreter() -> Iterator[Finding]:
    found = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.platform()}"
    yield Finding("interpreter", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _packages() -> Iterator[Finding]:
    try:
        requirements = metadata.requires("labctl") or []
        yield Finding("labctl", True, metadata.version("labctl"))
    except metadata.PackageNotFoundError:
        found = "a source tree that is not installed: its requirements are not checked"
        yield Finding("labctl", True, found)
        return
    yield from packages_of(requirements)


def packages_of(requirements: Iterable[str]) -> Iterator[Finding]:
    """Look for the packages that labctl's user needs; what only its tests need is left out.

    Parameters
    ----------
    requirements : iterable of str
        As the package's metadata has them: `xarray>=2024.6; extra == 'analysis'`.
    """
    for requirement in requirements:
        name = re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        if extra is None:
            yield _package(name, f"pip install {name}", needed=True)
        elif extra[1] in FEATURES:
            remedy = f"pip install 'labctl[{extra[1]}]', for {FEATURES[extra[1]]}"
            yield _package(name, remedy, needed=False)


def _package(name: str, remedy: str, *, needed: bool) -> Finding:
    try:
        return Finding(name, True, metadata.version(name), needed=needed)
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", remedy, needed)


def _backends() -> Iterator[Finding]:
    simulated = util.find_spec("pyvisa_labctl") is not None
    yield Finding("VISA @labctl", simulated, _presence(simulated), "reinstall labctl")
    real = util.find_spec("pyvisa_py") is not None
    yield Finding("VISA @py", real, _presence(real), "pip install pyvisa-py")


def _presence(there: bool) -> str:
    return "found" if there else "not found"


def _settings() -> Iterator[Finding]:
    path = configuration_path()
    try:
        settings = load_configuration()
    except LabctlError as error:
        yield Finding("configuration", False, str(error), "mend or move the file")
        return
    found = str(path) if path.exists() else f"none at {path}; defaults"
    yield Finding("configuration", True, f"{found}; bench {settings.bench}")
    yield _folder("data folder", settings.data_folder)


def _folder(name: str, path: Path) -> Finding:
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    fit = os.access(there, os.W_OK) and free > ENOUGH_DISK
    remedy = f"make {there} writable, with 1 GB free, or set data_folder"
    return Finding(name, fit, f"{path}, {free / 1e9:.0f} GB free", remedy)


def _images() -> Iterator[Finding]:
    folder = os.environ.get("LABCTL_DATASETS")
    path = Path(folder) / "mnist.npz" if folder else None
    there = path is not None and path.is_file()
    remedy = "set LABCTL_DATASETS to a folder with mnist.npz; else it is fetched when asked for"
    yield Finding("images mnist", there, str(path) if there else "not found", remedy, needed=False)


def _screen() -> Iterator[Finding]:
    if sys.platform != "linux":
        return
    missing = [package for library, package in QT_LIBRARIES.items() if not _loads(library)]
    found = f"missing {' '.join(missing)}" if missing else "all found"
    remedy = f"apt-get install {' '.join(missing)} (for the window)"
    yield Finding("Qt's libraries", not missing, found, remedy, needed=False)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
