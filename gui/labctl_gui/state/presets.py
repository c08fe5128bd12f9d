"""Presets: forms that an operator has filled before, by name, kept in a file."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)


class Presets:
    """Named sets of parameters of each procedure.

    Parameters
    ----------
    path : Path
        A JSON file; made when the first preset is saved.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = _read(path)

    def names(self, procedure: str) -> tuple[str, ...]:
        """Return the names of a procedure's presets, in order."""
        return tuple(sorted(self._kept.get(procedure, {})))

    def values(self, procedure: str, name: str) -> Mapping[str, str]:
        """Return what was typed; empty where there is no such preset."""
        return dict(self._kept.get(procedure, {}).get(name, {}))

    def save(self, procedure: str, name: str, values: Mapping[str, str]) -> None:
        """Keep what is typed under `name`, in the place of what was there."""
        self._kept.setdefault(procedure, {})[name] = dict(values)
        self._write()

    def remove(self, procedure: str, name: str) -> None:
        """Forget a preset."""
        self._kept.get(procedure, {}).pop(name, None)
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._kept, indent=1), encoding="utf-8")


def _read(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Return what a file holds; nothing where it is missing or is not one of presets."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(procedure): {
                str(name): {str(key): str(text) for key, text in values.items()}
                for name, values in presets.items()
            }
            for procedure, presets in kept.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        log.error("presets %s: not read (%s)", path, error)  # noqa: TRY400  (one line)
        return {}
