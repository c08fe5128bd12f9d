"""How the facts about a run become HDF5 attributes, and facts again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import h5py
import numpy as np

JSON_NAMES = "json_attributes"
"""Attribute that names, in a JSON list, the attributes whose text is JSON."""
STAMP_BYTES = 40


def write_attributes(target: h5py.Group | h5py.Dataset, facts: Mapping[str, Any]) -> None:
    """Write facts as attributes in types that can be read while the file grows.

    Text becomes fixed-length UTF-8, numbers stay numbers, anything else is JSON text; None is
    left out.
    """
    coded = [name for name, value in facts.items() if _needs_json(value)]
    for name, value in facts.items():
        if value is not None:
            write_attribute(target, name, to_json(value) if name in coded else value)
    write_attribute(target, JSON_NAMES, json.dumps(sorted(coded)))


def read_attributes(source: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Return the facts that `write_attributes` wrote; attributes of others as they are."""
    raw = {name: _plain(source.attrs[name]) for name in source.attrs}
    coded = json.loads(raw.pop(JSON_NAMES, "[]"))
    return {name: json.loads(value) if name in coded else value for name, value in raw.items()}


def write_attribute(target: Any, name: str, value: Any) -> None:  # noqa: ANN401
    """Create one attribute; text gets just the room it needs."""
    if isinstance(value, str):
        create_text(target, name, value, len(value.encode()))
    else:
        target.attrs.create(name, value)


def create_text(target: Any, name: str, text: str, size: int) -> None:  # noqa: ANN401
    """Create a text attribute of `size` bytes that `modify_text` can rewrite later."""
    dtype = h5py.string_dtype("utf-8", max(size, 1))
    target.attrs.create(name, np.array(text.encode(), dtype=dtype), dtype=dtype)


def modify_text(target: Any, name: str, text: str) -> None:  # noqa: ANN401
    """Rewrite a text attribute in place: the one change that SWMR allows."""
    dtype = target.attrs.get_id(name).dtype
    target.attrs.modify(name, np.array(text.encode(), dtype=dtype))


def to_json(value: object) -> str:
    """Return `value` as JSON text; arrays become lists, paths text."""
    return json.dumps(value, default=_jsonable, ensure_ascii=False)


def stamp(wall: float) -> str:
    """Return a wall time, in s since 1970, as ISO 8601 text in UTC."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")


def _needs_json(value: object) -> bool:
    return value is not None and not (
        isinstance(value, (str, int, float, np.number))
        and not isinstance(value, (bool, np.bool_, Enum))
    )


def _jsonable(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path | datetime):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as a fact about a run")


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, bytes | np.bytes_):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value
