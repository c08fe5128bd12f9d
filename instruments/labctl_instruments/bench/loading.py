"""From the name or path of a bench to its validated file."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from labctl_data.toml_file import tell
from labctl_instruments.bench.consistency import contradictions
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.errors import BenchError

_NO_PATHS = (("state", "formed"), ("state", "fresh"))
"""Values of keys that name a file otherwise."""


def shipped_benches() -> tuple[str, ...]:
    """Return the names of the benches that come with labctl."""
    return tuple(sorted(path.stem for path in _shipped_folder().glob("*.toml")))


def find_bench(bench: str | Path) -> Path:
    """Return the path of a bench file, given that path or the name of a shipped bench.

    Raises
    ------
    BenchError
        If there is no such file and no such name.
    """
    shipped = _shipped_folder() / f"{bench}.toml"
    if isinstance(bench, str) and shipped.is_file():
        return shipped
    path = Path(bench)
    if path.is_file():
        return path.resolve()
    names = ", ".join(shipped_benches())
    raise BenchError(path, "", f"no such bench file, and no shipped bench; shipped are {names}")


def load_bench(bench: str | Path) -> BenchFile:
    """Read and validate a bench file.

    Parameters
    ----------
    bench : str or Path
        Name of a shipped bench, or path of a TOML file.

    Returns
    -------
    BenchFile

    Raises
    ------
    BenchError
        If the file is missing, no TOML, or says something unknown or contradictory; the message
        names the file, the table and the first thing that is wrong.
    """
    path = find_bench(bench)
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(path, "", f"cannot be read: {error}") from error
    return parse_bench(document, path=path, text=text)


def parse_bench(document: dict[str, Any], *, path: Path, text: str) -> BenchFile:
    """Validate a bench file's parsed TOML; see `load_bench`."""
    try:
        bench = BenchFile.model_validate(_rooted(document, path.parent)).sourced(path, text)
    except ValidationError as error:
        raise BenchError(path, *tell(error.errors()[0], BenchFile)) from error
    for table, problem in contradictions(bench):
        raise BenchError(path, table, problem)
    return bench


def _shipped_folder() -> Path:
    return Path(str(resources.files("labctl_instruments") / "benches"))


def _rooted(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the document with its paths counted from the bench file's folder."""
    rooted = dict(document)
    for table, key in (("identity", "chip_file"), ("virtual", "file"), ("virtual", "state")):
        said = rooted.get(table)
        if not isinstance(said, dict):
            continue
        value = said.get(key)
        if isinstance(value, str) and (key, value) not in _NO_PATHS:
            rooted[table] = said | {key: str(folder / value)}
    return rooted
