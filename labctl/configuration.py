"""What the user has set once: default bench, operator, data folder."""

from __future__ import annotations

import getpass
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from labctl.errors import ConfigurationError, OutputExistsError

FILE_NAME = "labctl.toml"
_KEYS = ("bench", "operator", "data_folder")


def _default_operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in a bare container
        return "unknown"


def _default_data_folder() -> Path:
    import platformdirs  # here, because `labctl --help` must not wait for it

    return Path(platformdirs.user_data_dir("labctl", appauthor=False))


@dataclass(frozen=True)
class Configuration:
    """The user's settings; every one can be overridden on the command line."""

    bench: str = "sim-board"
    """Name or path of the bench used where no `--bench` is given."""
    operator: str = field(default_factory=_default_operator)
    """Name written into every run file."""
    data_folder: Path = field(default_factory=_default_data_folder)
    """Folder of the files that are written where no `-o` is given."""


def configuration_path() -> Path:
    """Return where the user's configuration file is looked for."""
    import platformdirs

    return Path(platformdirs.user_config_dir("labctl", appauthor=False)) / FILE_NAME


def load_configuration(path: Path | None = None) -> Configuration:
    """Read the user's configuration; a missing file means the defaults.

    Parameters
    ----------
    path : Path, optional
        The TOML file; by default `configuration_path()`.

    Raises
    ------
    ConfigurationError
        If the file is no TOML, has an unknown key, or a value that is not text.
    """
    path = path or configuration_path()
    if not path.exists():
        return Configuration()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not a TOML file ({error})") from error
    return _from_table(table, path)


def _from_table(table: Mapping[str, object], path: Path) -> Configuration:
    texts: dict[str, str] = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise ConfigurationError(f"{path}: unknown key '{key}'; known: {', '.join(_KEYS)}")
        if not isinstance(value, str):
            raise ConfigurationError(f"{path}: '{key}' must be text, found {value!r}")
        texts[key] = value
    defaults = Configuration()
    folder = texts.get("data_folder")
    return Configuration(
        bench=texts.get("bench", defaults.bench),
        operator=texts.get("operator", defaults.operator),
        data_folder=Path(folder).expanduser() if folder else defaults.data_folder,
    )


def dated_path(folder: Path, name: str, suffix: str, now: datetime) -> Path:
    """Return a path in `folder` that does not exist yet, named by date, time and `name`."""
    stem = f"{now:%Y-%m-%d_%H%M%S}_{name}"
    path = folder / f"{stem}{suffix}"
    number = 2
    while path.exists():
        path = folder / f"{stem}_{number}{suffix}"
        number += 1
    return path


def output_path(asked: Path | None, name: str, suffix: str = ".h5") -> Path:
    """Return where a file is to be written: as asked, else dated in the user's data folder.

    Raises
    ------
    OutputExistsError
        If the file asked for exists, or its folder does not.
    """
    if asked is None:
        folder = load_configuration().data_folder
        folder.mkdir(parents=True, exist_ok=True)
        return dated_path(folder, name, suffix, datetime.now().astimezone())
    return refuse_existing(asked)


def refuse_existing(path: Path) -> Path:
    """Return `path` if it can be created; refuse it where something is there already."""
    if path.exists():
        raise OutputExistsError(f"{path}: exists already; name another file or move it away")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path}: the folder {path.parent} does not exist")
    return path
