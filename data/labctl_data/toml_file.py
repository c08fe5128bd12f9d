"""What is wrong with a TOML file that people write, in words that name table and key."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails


def tell(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """Return (table, problem) of one validation error of a file that `model` describes."""
    if not details["loc"]:  # of the file as a whole
        return "", details["msg"].removeprefix("Value error, ")
    *tables, key = (_in_one_line(str(part)) for part in details["loc"] if part != "[key]")
    table = ".".join(tables)
    if details["type"] == "extra_forbidden":
        return table, f"unknown key '{key}'{_alike(model, tables, key)}"
    if details["type"] == "missing":
        return table, f"key '{key}' is missing"
    message = details["msg"][0].lower() + details["msg"][1:]
    return table, f"{key} = {details['input']!r}: {message}"


def _in_one_line(name: str) -> str:
    """Return a name with what cannot be printed, such as line ends, escaped as in TOML."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in name
    )


def _alike(model: type[BaseModel], tables: list[str], key: str) -> str:
    found: type[BaseModel] | None = model
    for table in tables:
        found = _table_model(found, table)
    known = list(found.model_fields) if found is not None else []
    close = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean '{close[0]}'?)" if close else f"; known are {', '.join(known)}"


def _table_model(model: type[BaseModel] | None, table: str) -> type[BaseModel] | None:
    """Return the model of a table within `model`; named entries of a table are of one kind."""
    if model is None or table not in model.model_fields:
        return model
    annotation: Any = model.model_fields[table].annotation
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
