"""The main job, end to end, on the simulated board: from a formed chip to recognised digits.

1. Characterise a PE of the chip on `sim-board` (device preset yao): five procedures, five files.
2. Fit a device model, write a chip file, put a twin behind the same bench, repeat the write-verify
   there, and say how far twin and original differ. The write-verify is also done on
   `sim-board-quiet`: no single relaxation rate shows both of the published pictures, so the report
   shows both presets, each with the picture it keeps.
3. Program the five-layer network, recognise handwritten digits, train the last layer in place.
4. Draw `report.html`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from labctl.bench_choice import BenchChoice
from labctl.chip_fitting import fit_to_file
from labctl.chips import compare
from labctl.engine import ProgressSink, run
from labctl.errors import FailedError, OutputExistsError
from labctl.inference import InferenceRequest, run_inference
from labctl.report import write_report
from labctl_data.statistics import TwoSampleTest
from labctl_instruments.station import Station
from labctl_procedures import catalogue
from labctl_procedures.network.images import mnist_at_hand

BENCH = "sim-board"
QUIET_BENCH = "sim-board-quiet"
ORIGINAL_SEED = 1
IMAGES = 2000
"""Test images of a demo that is not full, where the set has more."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo left behind and found."""

    report: Path
    """The page."""
    runs: tuple[Path, ...]
    """The run files."""
    chip: Path
    """The fitted chip file."""
    images: str
    """The image set."""
    accuracy_software: float
    """Of the float network, 0-1."""
    accuracy_quantized: float
    """With weights of 15 levels, computed in integers, 0-1."""
    accuracy_programmed: float
    """On the array as programmed, 0-1."""
    accuracy_trained: float
    """On the array after hybrid training, 0-1."""
    images_per_second: float
    """Inference alone, noise on, wall time."""
    ks: Mapping[str, TwoSampleTest]
    """How far twin and original differ, by statistic."""
    seconds: float
    """Wall time of all."""

    def facts(self) -> dict[str, Any]:
        """Return all of it by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass
class _Demo:
    """The folder of a demo, and what is in it so far."""

    folder: Path
    full: bool
    seed: int
    progress: ProgressSink
    operator: str
    runs: list[Path] = field(default_factory=list)

    def run(self, station: Station, name: str, file: str, **values: Any) -> Path:  # noqa: ANN401
        """Run one procedure into `file` and keep count of it."""
        path = self.folder / f"{file}.h5"
        procedure = catalogue.make(name, values)
        result = run(procedure, station, path, progress=self.progress, operator=self.operator)
        self.keep(path, result.status)
        return path

    def keep(self, path: Path, status: str) -> None:
        """Count a run as done; refuse to go on after one that is not."""
        if status != "complete":
            raise FailedError(f"demo: {path} ended as '{status}'")
        self.runs.append(path)


def run_demo(
    folder: Path, *, full: bool, seed: int | None, progress: ProgressSink, operator: str
) -> DemoResult:
    """Do the main job and report it.

    Parameters
    ----------
    folder : Path
        For everything that is written; must be new or empty.
    full : bool
        Write all PEs and recognise all test images.
    seed : int, optional
        Seed of the chip.
    progress : ProgressSink
        Is told how far each step has come.
    operator : str
        Name to keep in the files.

    Returns
    -------
    DemoResult

    Raises
    ------
    OutputExistsError
        If the folder is not empty.
    LabctlError
        If a step fails.
    """
    began = time.monotonic()
    _claim(folder)
    demo = _Demo(folder, full, ORIGINAL_SEED if seed is None else seed, progress, operator)
    with BenchChoice(BENCH, demo.seed).open() as station:
        original = _characterise(demo, station)
        chip, twin = _twin(demo)
        _quiet(demo)
        found = _recognise(demo, station)
    report = write_report(demo.runs, folder / "report.html", title="First light", chip=chip)
    return DemoResult(
        report=report,
        runs=tuple(demo.runs),
        chip=chip,
        ks=compare(original, twin),
        seconds=time.monotonic() - began,
        **found,
    )


def _claim(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputExistsError(f"{folder}: is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)


def _characterise(demo: _Demo, station: Station) -> Path:
    """Run the five procedures on a PE, the write-verify first: it wants cells as formed."""
    original = demo.run(station, "WriteVerify", "write-verify", cells=_cells(demo))
    demo.run(station, "ReadDisturb", "read-disturb")
    demo.run(station, "Retention", "retention")
    demo.run(station, "DifferentialMAC", "mac", levels=8)
    demo.run(station, "IVSweep", "iv", cells="0/0:8/0")
    return original


def _twin(demo: _Demo) -> tuple[Path, Path]:
    """Fit a chip file, and write the same levels on the twin that it makes."""
    chip = demo.folder / "chip.h5"
    demo.progress.start("fit", None)
    fit_to_file(demo.runs, chip)
    demo.progress.finish()
    with BenchChoice(BENCH, demo.seed + 1, chip).open() as station:
        return chip, demo.run(station, "WriteVerify", "write-verify-twin", cells=_cells(demo))


def _quiet(demo: _Demo) -> None:
    with BenchChoice(QUIET_BENCH, demo.seed).open() as station:
        demo.run(station, "WriteVerify", "write-verify-quiet", cells=_cells(demo))


def _cells(demo: _Demo) -> str:
    return ":/:/:" if demo.full else "0/:/:"


def _recognise(demo: _Demo, station: Station) -> dict[str, Any]:
    """Program the network on the chip that was characterised, run it, train it."""
    asked = InferenceRequest(
        "mcnn",
        "mnist" if mnist_at_hand() else "digits",
        count=None if demo.full else IMAGES,
        train=True,
        seed=demo.seed,
    )
    path = demo.folder / "inference.h5"
    facts = run_inference(asked, station, path, progress=demo.progress, operator=demo.operator)
    demo.keep(path, facts["status"])
    kept = ("software", "quantized", "programmed", "trained")
    return {
        "images": asked.images,
        "images_per_second": facts["images_per_second"],
        **{f"accuracy_{name}": facts[f"accuracy_{name}"] for name in kept},
    }
