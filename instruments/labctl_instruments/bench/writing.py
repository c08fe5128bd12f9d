"""Write a bench file for instruments that answer elsewhere: a bench that is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.errors import BenchError


def write_reaching(bench: BenchFile, addresses: Mapping[str, str], path: Path) -> None:
    """Write a bench file like `bench`, its instruments at `addresses`, with no [virtual] table.

    Parameters
    ----------
    bench : BenchFile
        The bench that is served.
    addresses : mapping of str to str
        VISA resource string of each instrument, by name.
    path : Path
        The file; nothing may be there.

    Raises
    ------
    BenchError
        If the file is there already, or cannot be written.
    """
    facts = bench.model_dump(mode="json", exclude={"virtual"}, exclude_defaults=True)
    for name, address in addresses.items():
        facts["instruments"][name]["address"] = address
    facts["description"] = f"Served by labctl from {bench.path.name}. {bench.description}".strip()
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in toml_lines(facts))
    except OSError as error:
        raise BenchError(path, "", f"cannot be written: {error.strerror}") from error


def toml_lines(facts: Mapping[str, object], table: str = "") -> Iterator[str]:
    """Yield the lines of TOML that say `facts`: texts, numbers, tables and lists of tables."""
    plain = {key: value for key, value in facts.items() if not isinstance(value, Mapping | list)}
    if plain and table:
        yield ""
        yield f"[{table}]"
    yield from _pairs(plain)
    for key, value in facts.items():
        inner = f"{table}.{_key(key)}" if table else _key(key)
        if isinstance(value, Mapping):
            yield from toml_lines(value, inner)
        for each in value if isinstance(value, list) else ():
            yield ""
            yield f"[[{inner}]]"
            yield from _pairs(each)


def _pairs(facts: Mapping[str, object]) -> Iterator[str]:
    for key, value in facts.items():
        yield f"{_key(key)} = {_value(value)}"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _value(value: object) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return _text(str(value))


def _text(text: str) -> str:
    """Return a basic string: JSON's escapes are TOML's; all but ASCII is escaped."""
    return json.dumps(text).replace("\x7f", "\\u007f")
