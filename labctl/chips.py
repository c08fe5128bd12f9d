"""Chips as facts: what a chip file says, and how far two chips differ."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labctl.bench_choice import BenchChoice
from labctl.errors import FailedError, ReportError
from labctl.measured import FloatArray, statistics
from labctl.twin import judge
from labctl_data.chip_file import ChipFile, FittedParameter, read_chip
from labctl_data.errors import NotAChipFileError
from labctl_data.exporting import exporter
from labctl_data.model import SoftBoundModel, StuckClass
from labctl_data.run_file import Run, open_run
from labctl_data.statistics import TwoSampleTest, two_sample_test
from labctl_procedures.quantities import format_quantity

BENCH = "sim-board"
"""Behind which a chip file is put to be compared."""
SEED = 1
_PREFIXED = ("S", "V", "A", "s")
"""Units that take a prefix; those of rates and powers are left in SI."""
WRITTEN = {"cells": "0/:/:", "after": "1d, 1d"}
"""What is written there, and when it is read: one PE, twice after a day."""


def export_chip(file: Path, simulator: str, output: Path) -> None:
    """Write the statistics of a chip file as a module for another simulator.

    Raises
    ------
    LabctlError
        If the file is no chip file, its model is no soft-bound one, or no exporter is called so.
    """
    write = exporter(simulator)
    model = read_chip(file).model
    if not isinstance(model, SoftBoundModel):
        raise FailedError(f"{file}: asked to export a soft-bound model, found '{model.name}'")
    output.write_text(write(model), encoding="utf-8")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a device model, as a table shows it."""

    name: str
    """Name in the model."""
    value: Any
    """Value, SI: a number, or a list by conductance bin."""
    unit: str
    """SI unit; `1` for a pure number."""
    uncertainty: Any
    """Standard error, of the value's shape; NaN where none is known."""
    identifiable: bool
    """Whether the runs told; else the value is carried from `source`."""
    source: str
    """Where the value comes from."""

    @classmethod
    def of(cls, fitted: FittedParameter) -> Parameter:
        """Return a parameter of a chip file."""
        return cls(
            fitted.name,
            fitted.value,
            fitted.unit,
            fitted.uncertainty,
            fitted.identifiable,
            fitted.source,
        )

    @property
    def texts(self) -> list[str]:
        """Name, value, uncertainty, verdict and source, for a person."""
        verdict = "yes" if self.identifiable else "no"
        value, error = _text(self.value, self.unit), _text(self.uncertainty, self.unit)
        return [self.name, value, error, verdict, self.source]


@dataclass(frozen=True)
class ParameterPair:
    """One parameter of two device models."""

    a: Parameter
    """Of the first."""
    b: Parameter
    """Of the second."""

    @property
    def texts(self) -> list[str]:
        """Name, and both values with their uncertainties, for a person."""
        return [*self.a.texts[:3], *self.b.texts[1:3]]


@dataclass(frozen=True)
class ChipFacts:
    """What a chip file says."""

    model: str
    """Name of the device model."""
    parameters: tuple[Parameter, ...]
    """Its parameters."""
    quality: Mapping[str, Any]
    """How well the model fits the runs."""
    cells: Mapping[str, Any]
    """How many cells are kept, and how many of them are stuck and how; empty without cells."""
    provenance: Mapping[str, Any]
    """Who wrote it, when, from what."""


def describe(file: Path) -> ChipFacts:
    """Return what a chip file says.

    Raises
    ------
    ChipFileError
        If it cannot be read.
    """
    chip = read_chip(file)
    return ChipFacts(
        chip.model.name,
        tuple(Parameter.of(each) for each in chip.parameters),
        chip.quality,
        _cells(chip),
        chip.provenance,
    )


def held_out_distances(quality: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what the quality of a fit says of cells it did not see, by statistic.

    Each is what `TwoSampleTest.facts` gives: of a twin that repeated the runs, and of imported
    tables by time.
    """
    found = dict(quality.get("held_out", {}).get("ks", {}))
    for name, note in quality.items():
        if isinstance(note, Mapping):
            found |= {f"{name}, {at}": facts for at, facts in note.get("held_out_ks", {}).items()}
    return found


def other_facts(quality: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rest of the quality of a fit."""
    return {
        name: {k: v for k, v in note.items() if k != "held_out_ks"}
        if isinstance(note, Mapping)
        else note
        for name, note in quality.items()
        if name != "held_out"
    }


def compare(a: Path, b: Path) -> dict[str, TwoSampleTest]:
    """Compare two chips by their files.

    Beside a run file a chip file repeats that run, with another seed. Two chip files are put behind
    a simulated bench and written to 32 levels; both with one seed, so that a chip compared with
    itself is 0 away.

    Parameters
    ----------
    a, b : Path
        Chip files, or run files of one procedure, or one of each.

    Returns
    -------
    dict of TwoSampleTest
        The Kolmogorov-Smirnov distance of each statistic that both have.

    Raises
    ------
    ReportError
        If the files have no statistic in common.
    """
    runs = [run for run in (_run(a), _run(b)) if run]
    if len(runs) == 1:
        chip = b if runs[0].path == a else a
        distances = {each.statistic: each.test for each in judge(runs, chip)}
    else:
        samples = [statistics(run) for run in runs] or [_simulated(a), _simulated(b)]
        distances = compare_samples(*samples)
    if not distances:
        raise ReportError(f"{a} and {b}: no statistic in common to compare")
    return distances


def compare_samples(
    a: Mapping[str, FloatArray], b: Mapping[str, FloatArray]
) -> dict[str, TwoSampleTest]:
    """Return the distance of each statistic that both chips have."""
    return {name: two_sample_test(a[name], b[name]) for name in a if name in b}


def side_by_side(a: Path, b: Path) -> tuple[ParameterPair, ...]:
    """Return the parameters of two chips; none where one of the files is a run file."""
    try:
        first, second = (describe(file).parameters for file in (a, b))
    except NotAChipFileError:
        return ()
    others = {each.name: each for each in second}
    return tuple(ParameterPair(each, others[each.name]) for each in first if each.name in others)


def _run(file: Path) -> Run | None:
    """Return a run file's run; None for a chip file."""
    try:
        read_chip(file)
    except NotAChipFileError:
        return open_run(file)
    return None


def _simulated(chip: Path) -> dict[str, FloatArray]:
    """Return the statistics of a write-verify of one PE on a twin made from a chip file."""
    from labctl.engine import run
    from labctl_procedures import catalogue

    with tempfile.TemporaryDirectory(prefix="labctl-") as folder:
        path = Path(folder) / "write-verify.h5"
        with BenchChoice(BENCH, SEED, chip.resolve()).open() as station:
            result = run(catalogue.make("WriteVerify", WRITTEN), station, path)
        if result.status != "complete":
            raise FailedError(f"{chip}: its write-verify ended as '{result.status}'")
        return statistics(open_run(path))


def _cells(chip: ChipFile) -> dict[str, Any]:
    if chip.cells is None:
        return {}
    stuck = chip.cells.stuck
    kinds = {kind.name.lower().replace("_", " "): kind for kind in StuckClass if kind}
    counts = {name: int(np.sum(stuck == kind)) for name, kind in kinds.items()}
    return {"cells": int(stuck.size), **{name: n for name, n in counts.items() if n}}


def _text(value: Any, unit: str) -> str:  # noqa: ANN401  (a number or an array)
    values = np.atleast_1d(np.asarray(value, np.float64))
    values = values[np.isfinite(values)]
    if values.size == 0:
        return ""
    ends = sorted({float(values.min()), float(values.max())})
    return " to ".join(_quantity(end, unit) for end in ends)


def _quantity(value: float, unit: str) -> str:
    """Write a value with a prefix where its unit is one that takes it."""
    if unit in _PREFIXED:
        return format_quantity(value, unit, digits=4)
    return f"{value:.4g}" + ("" if unit == "1" else f" {unit}")
