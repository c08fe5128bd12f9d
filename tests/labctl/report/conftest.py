"""Run files with known contents, written as the engine writes them, without a bench."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labctl.inference_file import COLUMNS as INFERENCE_COLUMNS
from labctl_data.run_file import Column, RunWriter

FACTS = {
    "bench": "sim-board",
    "bench_kind": "board",
    "bench_toml": '[virtual]\npreset = "yao"\n',
    "wafer": "simulated",
    "die": "x0y0",
    "chip": "<b>bold</b>",
    "seed": 1,
    "operator": "tester",
    "packages": {"numpy": "2"},
}
ADDRESS = (
    Column.from_pymeasure("PE", "i2"),
    Column.from_pymeasure("Row", "i2"),
    Column.from_pymeasure("Column", "i2"),
)
LEVELS, CELLS = 32, 2048
HALF_PITCH = 9e-6 / 31


def _addresses(n: int) -> dict[str, np.ndarray]:
    index = np.arange(n)
    return {"pe": np.zeros(n, int), "row": index // 16, "column": index % 16}


def write_verify(
    path: Path,
    *,
    seed: int = 0,
    shift: float = 0.0,
    chip_file: str | None = None,
    preset: str = "yao",
    window: float = 0.1e-6,
) -> Path:
    """Write 2,048 cells at 32 levels; one in 16 of each level moves `shift` from fresh to map."""
    rng = np.random.default_rng(seed)
    targets = np.tile(np.linspace(2e-6, 20e-6, LEVELS), CELLS // LEVELS)
    fresh = targets + rng.uniform(-0.1e-6, 0.1e-6, CELLS)
    later = fresh + np.where(np.arange(CELLS) // LEVELS % 16 == 0, shift, 0.0)
    pulses = rng.poisson(np.interp(targets, [2e-6, 20e-6], [250, 15]))
    columns = (
        *ADDRESS,
        Column.from_pymeasure("Target (S)"),
        Column.from_pymeasure("Stage", "u1"),
        Column.from_pymeasure("Pulses", "u4"),
        Column.from_pymeasure("Conductance (S)"),
    )
    parameters = {"levels": LEVELS, "window": window}
    facts = FACTS | {"procedure": "WriteVerify", "parameters": parameters}
    facts |= {"chip_file": chip_file, "bench_toml": f'[virtual]\npreset = "{preset}"\n'}
    rows = {**_addresses(CELLS), "target": targets}
    with RunWriter.create(path, columns=columns, attributes=facts) as run:
        run.append({**rows, "time": 1.0, "stage": 2, "pulses": pulses, "conductance": fresh})
        run.append({**rows, "time": 1.1, "stage": 3, "pulses": 0, "conductance": fresh})
        run.append({**rows, "time": 601.0, "stage": 3, "pulses": 0, "conductance": later})
        failed = {
            "cell": "0/3/4",
            "target": 5e-6,
            "conductance": 4e-6,
            "pulses": 1000,
            "reason": "pulse limit",
        }
        run.finish("complete", {"converged": 0.9995, "failed": [failed]})
    return path


def watched(path: Path, procedure: str) -> Path:
    """Watch 64 cells at 8 levels at four looks; each look is 10 nS above the one before."""
    n, looks = 64, 4
    targets = np.repeat(np.linspace(2e-6, 20e-6, 8), n // 8)
    columns = (
        *ADDRESS,
        Column.from_pymeasure("Target (S)"),
        Column.from_pymeasure("Elapsed (s)"),
        Column.from_pymeasure("Reads", "u8"),
        Column.from_pymeasure("Conductance (S)"),
    )
    facts = FACTS | {"procedure": procedure, "parameters": {"stress_voltage": 0.2}}
    with RunWriter.create(path, columns=columns, attributes=facts) as run:
        for look in range(looks):
            rows = {**_addresses(n), "time": 10.0**look, "elapsed": 10.0**look, "target": targets}
            reads = 0 if look == 0 else 10**look
            run.append({**rows, "reads": reads, "conductance": targets + look * 1e-8})
    return path


def loops(path: Path) -> Path:
    """Sweep two cells twice: 40 uA/V, linear."""
    columns = (
        *ADDRESS,
        Column.from_pymeasure("Cycle", "u2"),
        Column.from_pymeasure("Voltage (V)"),
        Column.from_pymeasure("Current (A)"),
    )
    voltages = np.concatenate([np.linspace(0, 1.5, 31), np.linspace(0, -1.2, 25)])
    with RunWriter.create(
        path, columns=columns, attributes=FACTS | {"procedure": "IVSweep", "parameters": {}}
    ) as run:
        for cell in range(2):
            for cycle in range(2):
                run.append(
                    {
                        "time": 0.0,
                        "pe": 0,
                        "row": 0,
                        "column": cell,
                        "cycle": cycle,
                        "voltage": voltages,
                        "current": 40e-6 * voltages,
                    }
                )
    return path


def sums(path: Path) -> Path:
    """Multiply 100 vectors with 8 pairs: measured is expected and 5 codes."""
    columns = (
        *ADDRESS,
        Column.from_pymeasure("Measured", "i4"),
        Column.from_pymeasure("Reference", "i4"),
        Column.from_pymeasure("Expected"),
    )
    expected = np.random.default_rng(0).integers(-9000, 9000, 800)
    facts = FACTS | {"procedure": "DifferentialMAC", "parameters": {}}
    with RunWriter.create(path, columns=columns, attributes=facts) as run:
        run.append(
            {
                "time": 0.0,
                "pe": 0,
                "row": np.tile(np.arange(0, 16, 2), 100),
                "column": -1,
                "measured": expected + 5,
                "reference": expected,
                "expected": expected,
            }
        )
    return path


def inference(path: Path) -> Path:
    """Recognise 200 images: 190 rightly as programmed, 196 after training."""
    labels = np.arange(200) % 10
    facts = FACTS | {
        "procedure": "Inference",
        "parameters": {"model": "mcnn", "images": "digits"},
    }
    summary = {
        "count": 200,
        "accuracy_software": 0.99,
        "accuracy_quantized": 0.985,
        "accuracy_programmed": 0.95,
        "accuracy_trained": 0.98,
        "images_per_second": 4321.0,
    }
    with RunWriter.create(path, columns=INFERENCE_COLUMNS, attributes=facts) as run:
        for stage, wrong in ((0, 10), (1, 4)):
            predicted = np.where(np.arange(200) < wrong, (labels + 1) % 10, labels)
            rows = {"image": np.arange(200), "label": labels, "predicted": predicted}
            run.append({"time": float(stage), "stage": stage, **rows})
        run.finish("complete", summary)
    return path


@pytest.fixture(scope="session")
def write_levels():
    """Return `write_verify`, for run files of a test's own."""
    return write_verify


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> dict[str, Path]:
    """Run files by name; the twin stands on a chip file."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        "levels": write_verify(folder / "levels.h5", shift=1e-6),
        "twin": write_verify(folder / "twin.h5", seed=1, shift=1e-6, chip_file="chip.h5"),
        "disturb": watched(folder / "disturb.h5", "ReadDisturb"),
        "retention": watched(folder / "retention.h5", "Retention"),
        "iv": loops(folder / "iv.h5"),
        "mac": sums(folder / "mac.h5"),
        "inference": inference(folder / "inference.h5"),
    }
