"""A simulated bench made from one that is open: its file, with another chip."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl_data.errors import LabctlError
from labctl_instruments.bench.writing import toml_lines
from labctl_instruments.station import BenchInfo

_PATHS = ("file",)
"""Keys of [virtual] that name files, relative to the bench file."""
_NAMED_STATES = ("formed", "fresh")
_TABLE = re.compile(r"^\s*\[")
_IDENTITY = re.compile(r"^\s*\[\s*identity\s*\]")
_CHIP = re.compile(r"^\s*chip\s*=")
_SEED = re.compile(r" seed \d+$")
_VIRTUAL = re.compile(r"^\s*\[\[?\s*virtual\s*[.\]]")


class SimulationError(LabctlError):
    """A bench cannot be varied: it is real, or its file names a neighbour."""


@dataclass(frozen=True)
class Variation:
    """What is to be different; clock, faults and all else stay as the bench file has them."""

    seed: int = 1
    """Seed of the chip."""
    preset: str = ""
    """Device model; empty keeps the bench file's model or chip file."""
    state: str = "formed"
    """`formed` or `fresh`."""
    noise: bool = True
    """Whether reads are noisy."""


def varied(bench: BenchInfo, variation: Variation) -> str:
    """Return the text of a bench file like that of `bench`, with another simulated chip.

    Raises
    ------
    SimulationError
        If the bench is real, or its file names a chip file by a relative path.
    """
    facts = tomllib.loads(bench.text)
    virtual = facts.get("virtual")
    if not isinstance(virtual, dict):
        raise SimulationError(f"bench {bench.name}: it is real, and cannot be varied")
    named = facts.get("identity", {}).get("chip_file")
    if named is not None and not Path(named).is_absolute():
        raise SimulationError(
            f"bench {bench.name}: [identity] names '{named}' relative to its folder; "
            "name it by its whole path"
        )
    for key in _PATHS:
        if key in virtual:
            virtual[key] = str(bench.path.parent / virtual[key])
    if variation.preset:
        virtual.pop("file", None)
        virtual["preset"] = variation.preset
    virtual |= {"seed": variation.seed, "state": variation.state, "noise": variation.noise}
    name = _SEED.sub("", variation.preset or bench.identity.chip)
    kept = _renamed(_without_virtual(bench.text), f"{name} seed {variation.seed}")
    return "\n".join([*kept, *toml_lines(virtual, "virtual")]) + "\n"


def write_varied(bench: BenchInfo, variation: Variation, folder: Path) -> Path:
    """Write the file of a varied bench into `folder`, checked, and return its path.

    Raises
    ------
    LabctlError
        If the bench cannot be varied, or what was asked for makes no bench.
    """
    from labctl_instruments import load_bench

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{bench.name.removesuffix('-varied')}-varied.toml"
    path.write_text(varied(bench, variation), encoding="utf-8")
    load_bench(path)
    return path


def variation_of(bench: BenchInfo) -> Variation:
    """Return how the simulation of a bench is set now."""
    virtual: dict[str, Any] = tomllib.loads(bench.text).get("virtual", {})
    state = virtual.get("state", "formed")
    return Variation(
        seed=bench.seed or 0,
        state=state if state in _NAMED_STATES else "formed",
        noise=virtual.get("noise", True),
    )


def _renamed(lines: list[str], chip: str) -> list[str]:
    """Return the lines of a bench file with another name of the chip: it is another one."""
    inside = False
    made: list[str] = []
    for line in lines:
        if _TABLE.match(line):
            inside = bool(_IDENTITY.match(line))
        is_name = inside and _CHIP.match(line)
        made += toml_lines({"chip": chip}) if is_name else [line]
    return made


def _without_virtual(text: str) -> list[str]:
    """Return the lines of a bench file without the tables of its simulation."""
    kept, inside = [], False
    for line in text.splitlines():
        if _TABLE.match(line):
            inside = bool(_VIRTUAL.match(line))
        if not inside:
            kept.append(line)
    return kept
