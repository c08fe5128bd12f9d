"""Small benches of both kinds, opened, and closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import labctl_instruments as li
from tests.conformance.benches import TEXTS

Open = Callable[..., Any]


@pytest.fixture(params=list(TEXTS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_small(tmp_path: Path) -> Iterator[Open]:
    """Open a small bench of a kind, with keys of its [virtual] table; all are rested and closed."""
    opened = []

    def open_one(kind: str, **virtual: Any) -> Any:
        keys = {"preset": "yao", "seed": 7} | virtual
        table = "\n".join(f"{key} = {_toml(value)}" for key, value in keys.items())
        path = tmp_path / f"small-{kind}-{len(opened)}.toml"
        path.write_text(f"{TEXTS[kind]}\n[virtual]\n{table}\n", encoding="utf-8")
        opened.append(li.open_bench(path))
        return opened[-1]

    yield open_one
    for station in opened:
        station.rest()
        station.close()


@pytest.fixture
def station(kind: str, open_small: Open) -> Any:
    """A small bench with all its noise."""
    return open_small(kind)


@pytest.fixture
def quiet(kind: str, open_small: Open) -> Any:
    """A small bench whose reads are without noise and whose pulses are all alike."""
    return open_small(kind, noise=False, spread=False)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else f'"{value}"'
