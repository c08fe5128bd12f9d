"""What is to go wrong on a served bench: a file of faults, or a fraction of all answers."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from labctl_data.toml_file import tell
from labctl_instruments.bench.consistency import fault_problems
from labctl_instruments.bench.schema import BenchFile
from labctl_instruments.bench.table import Table
from labctl_instruments.bench.virtual_tables import FaultTable
from labctl_instruments.errors import BenchError

SPOILING = ("timeout", "garbage", "truncated", "late")
"""The faults among which those of a fraction of all answers are divided, in equal parts."""


class FaultFile(Table):
    """A file of faults: tables `[[faults]]` with the keys of a bench file's."""

    faults: list[FaultTable]


def fault_plan(bench: BenchFile, text: str, *, seed: int) -> tuple[FaultTable, ...]:
    """Return the faults that `text` asks for.

    Parameters
    ----------
    bench : BenchFile
        The bench that they befall.
    text : str
        A fraction of the answers of every instrument (`0.01`), or the path of a TOML file with
        tables `[[faults]]`.
    seed : int
        Seed of the chances, where a fraction is given.

    Raises
    ------
    BenchError
        If the fraction is not between 0 and 1, or the file cannot be read, or contradicts the
        bench.
    """
    try:
        rate = float(text)
    except ValueError:
        return _read(bench, Path(text))
    if not 0.0 < rate <= 1.0:
        raise BenchError(bench.path, "", f"faults = {text}: expected a fraction above 0, up to 1")
    return tuple(_everywhere(bench, rate, seed))


def _everywhere(bench: BenchFile, rate: float, seed: int) -> Iterator[FaultTable]:
    """Yield faults that spoil about `rate` of all answers, of each address once."""
    names = {table.address.upper(): name for name, table in bench.instruments.items()}
    share = 1.0 - (1.0 - rate) ** (1.0 / len(SPOILING))
    for name in names.values():
        for kind in SPOILING:
            yield FaultTable(instrument=name, kind=kind, probability=share, seed=seed)


def _read(bench: BenchFile, path: Path) -> tuple[FaultTable, ...]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        faults = FaultFile.model_validate(document).faults
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(path, "", f"cannot be read: {error}") from error
    except ValidationError as error:
        raise BenchError(path, *tell(error.errors()[0], FaultFile)) from error
    for fault in faults:
        for problem in fault_problems(bench, fault):
            raise BenchError(path, "faults", problem)
    return tuple(faults)
