"""Measure the simulated chip alone: pulses and reads, line-level drives, MACs. Run it as a script.

`python tests/benchmarks/chip_speed.py [THREADS]`. A MAC figure is images a second of the three
conversion layers of Yao's network (the paper: 676 x 16, 121 x 192 and 240 conversions a
bit): C1 676 vectors x 9 inputs x 16 lines, C3 121 x 8 blocks x 9 x 24, FC 12 blocks x 16 x 20.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from labctl_data.cells import Geometry
from labctl_data.mac_plan import MacPlan
from labctl_data.model import preset
from labctl_instruments.chip import Chip

GEOMETRY = Geometry(8, 128, 16)
CELLS = np.arange(GEOMETRY.n_cells)
LAYERS = {"C1": (676, 1, 9, 16), "C3": (121, 8, 9, 24), "FC": (1, 12, 16, 20)}
"""Vectors an image, blocks, inputs of a block, lines of a block."""
IMAGES = 100


def best(work: Callable[[], object], repeat: int = 7) -> tuple[float, float]:
    """Return the shortest wall time and the shortest processor time of `work`, in s."""
    work()
    wall, busy = [], []
    for _ in range(repeat):
        started, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - started)
        busy.append(time.process_time() - used)
    return min(wall), min(busy)


def measure_cells(chip: Chip) -> None:
    """Print cells a second of pulse, read, and pulse + verify."""
    cells = len(CELLS)

    def pulse() -> None:
        chip.pulse(CELLS, 0, 2.0, 50e-9, 1.8, 1.0)

    def verify() -> None:
        chip.currents(CELLS, 0.2, 1, 1.000001)

    def both() -> None:
        pulse()
        verify()

    for name, work in (("pulse", pulse), ("read", verify), ("pulse + verify", both)):
        wall, busy = best(work, 50)
        print(
            f"{name:16s} {cells / wall / 1e6:6.1f} M/s, {busy / cells * 1e9:5.0f} ns of processor"
        )


def measure_lines(chip: Chip) -> None:
    """Print the time of one SMU's instant."""
    bit, source, word = np.zeros(16), np.zeros(128), np.zeros(128)
    bit[3], word[7] = 0.2, 4.7
    floating = np.where(bit == 0.0, np.nan, bit)
    for name, lines in (("drive", bit), ("drive, 15 float", floating)):
        wall, _ = best(lambda lines=lines: chip.wiring.drive(0, lines, source, word, 1e-6, 1.0), 50)
        print(f"{name:16s} {wall * 1e6:6.1f} us")


def measure_macs(chip: Chip, name: str, vectors: dict[str, np.ndarray]) -> None:
    """Print images a second, all layers together, and the time of each."""
    wall = busy = 0.0
    parts = []
    for layer, (_, blocks, width, lines) in LAYERS.items():
        plan = MacPlan(
            np.tile(np.arange(width), (blocks, 1)),
            np.tile(np.arange(lines) // 2, (blocks, 1)),
            np.tile(np.where(np.arange(lines) % 2, -1, 1), (blocks, 1)),
            adc_full_scale=width * 2.8e-6,
        )
        rows = np.arange(blocks * lines).reshape(blocks, lines)
        codes = np.ascontiguousarray(vectors[layer])
        spent = best(lambda c=codes, r=rows, p=plan: chip.mac(c, r, p, 1.0))
        wall, busy = wall + spent[0], busy + spent[1]
        parts.append(f"{layer} {spent[1] / IMAGES * 1e6:.0f}")
    print(
        f"{name:16s} {IMAGES / wall:6.0f} images/s; processor us an image: {', '.join(parts)}, "
        f"which is {IMAGES / busy:.0f} images/s a free core"
    )


def random_vectors(density: float) -> dict[str, np.ndarray]:
    """Return random codes of which a part `density` is not zero."""
    rng = np.random.default_rng(0)
    vectors = {}
    for layer, (count, blocks, width, _) in LAYERS.items():
        codes = rng.integers(0, 256, (count * IMAGES, blocks * width))
        vectors[layer] = np.where(rng.random(codes.shape) < density, codes, 0).astype(np.uint8)
    return vectors


def mnist_vectors(path: Path) -> dict[str, np.ndarray]:
    """Return what the layers see of MNIST images through random weights (ReLU, pooling)."""
    rng = np.random.default_rng(0)
    with np.load(path, allow_pickle=False) as archive:
        images = archive["x_test"][:IMAGES]
    first = _windows(images, 3).reshape(-1, 9)
    pooled = _codes(np.maximum(first @ rng.standard_normal((9, 8)), 0.0))
    pooled = pooled.reshape(IMAGES, 13, 2, 13, 2, 8).max(axis=(2, 4))
    second = np.stack([_windows(pooled[..., c], 3).reshape(-1, 9) for c in range(8)], axis=1)
    second = second.reshape(-1, 72)
    features = np.zeros((IMAGES, 12, 12, 12), np.uint8)
    sums = _codes(np.maximum(second @ rng.standard_normal((72, 12)), 0.0))
    features[:, :11, :11] = sums.reshape(IMAGES, 11, 11, 12)
    third = features.reshape(IMAGES, 4, 3, 4, 3, 12).max(axis=(2, 4)).reshape(IMAGES, 192)
    return {"C1": first, "C3": second, "FC": third}


def _windows(images: np.ndarray, size: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))


def _codes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(255 * values / np.percentile(values, 99.5)), 0, 255).astype(np.uint8)


def main() -> None:
    """Print everything."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else None
    chip = Chip(preset("yao"), GEOMETRY, seed=1, threads=threads)
    levels = 1e-6 * np.linspace(2, 20, 8)
    measure_cells(chip)
    measure_lines(chip)
    chip.imprint(CELLS, np.random.default_rng(1).choice(levels, len(CELLS)))
    for density in (1.0, 0.5, 0.12):
        measure_macs(chip, f"{density:.0%} not zero", random_vectors(density))
    mnist = Path(os.environ.get("LABCTL_DATASETS", ".")) / "mnist.npz"
    if mnist.exists():
        measure_macs(chip, "MNIST", mnist_vectors(mnist))


if __name__ == "__main__":
    main()
