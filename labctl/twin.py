"""A twin judged: the runs of a chip, repeated on what was fitted to it, and held against them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labctl.bench_choice import BenchChoice
from labctl.errors import FailedError
from labctl.measured import FloatArray, statistics
from labctl_data.run_file import Run, open_run
from labctl_data.statistics import TwoSampleTest, two_sample_test

if TYPE_CHECKING:
    from labctl.engine import ProgressSink
    from labctl_instruments.station import Station

REPEATED = ("IVSweep", "WriteVerify", "PulseMap", "ReadDisturb", "Retention")
"""Procedures that a twin repeats: all that move its cells, in the order of the runs."""
LEAST_VALUES = 50
"""Values a side below which a distance says nothing: chance alone makes 0.27 of 50."""
_LOST = r"(?m)^\s*(preset|file|state|stuck|chip_file)\s*=.*$"
"""What a bench file says of its own chip, which is not the twin's."""
_OF_CELLS = ("cells", "seed")
"""Parameters in which runs may differ whose cells are judged together."""


@dataclass(frozen=True)
class Judged:
    """One statistic of a chip and of its twin."""

    statistic: str
    """Which."""
    runs: tuple[str, ...]
    """Names of the run files that it is of."""
    test: TwoSampleTest
    """How far the two are apart."""

    @property
    def name(self) -> str:
        """The statistic and its runs, as keys and tables name them."""
        return f"{self.statistic} ({', '.join(self.runs)})"


def judge(
    runs: Sequence[Run],
    chip: Path,
    *,
    judging: Callable[[Run], Run] = lambda run: run,
    progress: ProgressSink | None = None,
) -> tuple[Judged, ...]:
    """Repeat runs on a twin and return how far the two are apart, statistic by statistic.

    Runs of one procedure with the same parameters but the cells are judged together.

    Parameters
    ----------
    runs : sequence of Run
        Of the original, in the order in which they were made.
    chip : Path
        Chip file of the twin.
    judging : callable, optional
        Chooses the cells that count, of a run of either.
    progress : ProgressSink, optional
        Is told how far each run has come.

    Raises
    ------
    FailedError
        If a run does not say on what bench it was made, or its repetition fails.
    """
    found: dict[str, list[tuple[str, Mapping[str, FloatArray], Mapping[str, FloatArray]]]] = {}
    with tempfile.TemporaryDirectory(prefix="labctl-") as folder:
        for run, twin in repeated(runs, chip, Path(folder), progress=progress):
            samples = statistics(judging(run)), statistics(judging(twin))
            found.setdefault(kind_of(run), []).append((run.path.name, *samples))
    return tuple(each for group in found.values() for each in _judged(group))


def repeated(
    runs: Sequence[Run], chip: Path, folder: Path, *, progress: ProgressSink | None = None
) -> Iterator[tuple[Run, Run]]:
    """Repeat runs on one twin, in their order; yield each with its repetition in `folder`."""
    from labctl.engine import run as perform
    from labctl_procedures.catalogue import make

    repeatable = [run for run in runs if run.procedure in REPEATED]
    if not repeatable:
        return
    with _bench(repeatable[0], chip, folder) as station:
        for number, run in enumerate(repeatable):
            path = folder / f"{number}-{run.path.name}"
            result = perform(make(run.procedure, run.parameters), station, path, progress=progress)
            if result.status != "complete":
                raise FailedError(f"{chip}: repeating {run.path} ended as '{result.status}'")
            yield run, open_run(path)


def kind_of(run: Run) -> str:
    """Return what runs have in common that did the same, if on other cells."""
    same = {name: value for name, value in run.parameters.items() if name not in _OF_CELLS}
    return f"{run.procedure} {sorted(same.items())}"


@contextmanager
def _bench(run: Run, chip: Path, folder: Path) -> Iterator[Station]:
    """Open a simulated bench like the run's own, with the twin behind it."""
    from labctl.rehearsal import simulated_like

    text = str(run.attributes.get("bench_toml") or "")
    if not text:
        raise FailedError(f"{run.path}: asked to repeat a run, found no bench file kept in it")
    state = "fresh" if re.search(r'(?m)^\s*state\s*=\s*"fresh"', text) else "formed"
    text = re.sub(_LOST, "", text)
    text = text.replace("[virtual]", f'[virtual]\npreset = "yao"\nstate = "{state}"')
    bench = folder / f"{run.bench or 'bench'}.toml"
    bench.write_text(text, encoding="utf-8")
    # Another seed: the twin is to be like the chip, not the same draws again.
    where = BenchChoice(str(bench), (run.seed or 0) + 1, chip.resolve())
    with simulated_like(where, folder).open() as station:
        yield station


def _judged(
    group: Sequence[tuple[str, Mapping[str, FloatArray], Mapping[str, FloatArray]]],
) -> Iterator[Judged]:
    files = tuple(name for name, _, _ in group)
    shared = [s for s in group[0][1] if all(s in a and s in b for _, a, b in group)]
    for statistic in shared:
        original = np.concatenate([a[statistic] for _, a, _ in group])
        twin = np.concatenate([b[statistic] for _, _, b in group])
        if min(len(original), len(twin)) >= LEAST_VALUES:
            yield Judged(statistic, files, two_sample_test(original, twin))
