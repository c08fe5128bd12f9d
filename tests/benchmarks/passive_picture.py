"""Write a picture of ten grey levels into a passive 20 x 20 crossbar, cell by cell.

The published chip shows such a face, written with V/2 bias to 5 % nominal accuracy, white 96.6 kohm
and black 7.0 kohm (Bavandpour et al., IEDM 2018). Here the same is asked of ``sim-passive``: what
a cell has when its own write ends, what the writes of the others leave of that, what V/3 changes,
and what transistors would.

    python tests/benchmarks/passive_picture.py [SEED] [-o PICTURE.png]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_data.pulse import PulseKind

FloatArray = npt.NDArray[np.float64]

WHITE, BLACK = 1.0 / 96.6e3, 1.0 / 7.0e3
LEVELS = 10
NOMINAL = 0.05
FIRST, STEP, HIGHEST = 0.9, 0.03, 1.9
"""Amplitudes of a tuning ramp, in V: up by a step while the cell has still to go the same way,
back to the first where it has gone too far (Alibart et al., Nanotechnology 23, 075201 (2012))."""
WIDTH = 1e-6
MOST_PULSES = 300
PASSES = 3


@dataclass(frozen=True, eq=False)
class Written:
    """What became of a picture."""

    name: str
    """How it was written."""
    own: FloatArray
    """What each cell had when its own first write ended, in S."""
    passes: list[FloatArray]
    """What all cells had after each pass, in S."""
    pulses: list[int]
    """Pulses of each pass."""


def face() -> FloatArray:
    """Return the targets of a smiling face of ten grey levels, shape (20, 20), in S."""
    y, x = np.mgrid[0:20, 0:20] - 9.5
    radius = np.hypot(x, y)
    grey = np.where(radius < 9.3, 0.25 + 0.03 * (x - y), 0.0)
    grey = np.where(np.abs(radius - 8.8) < 0.75, 1.0, grey)
    for side in (-3.5, 3.5):
        grey = np.where(np.hypot(x - side, y + 2.5) < 1.6, 0.9, grey)
    smile = (np.abs(np.hypot(x, y - 0.0) - 5.5) < 0.9) & (y > 1.5)
    grey = np.where(smile, 0.75, grey)
    levels = np.round(np.clip(grey, 0.0, 1.0) * (LEVELS - 1)) / (LEVELS - 1)
    return np.asarray(WHITE + levels * (BLACK - WHITE))


def tune(station: Any, cell: Cells, target: float) -> tuple[float, int]:
    """Bring one cell within the nominal accuracy; return what it has then (S), and the pulses."""
    found = float(station.read(cell, averages=4)[0])
    amplitude, last = FIRST, None
    for pulses in range(MOST_PULSES):
        if abs(found / target - 1.0) <= NOMINAL:
            return found, pulses
        kind = PulseKind.SET if found < target else PulseKind.RESET
        amplitude = min(amplitude + STEP, HIGHEST) if kind is last else FIRST
        last = kind
        station.pulse(cell, kind, amplitude, WIDTH, 4.0)
        found = float(station.read(cell, averages=4)[0])
    return found, MOST_PULSES


def write(name: str, text: str, targets: FloatArray, seed: int) -> Written:
    """Write the picture cell by cell, several times over, on a bench of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.toml"
        path.write_text(text, encoding="utf-8")
        with li.open_bench(path, seed=seed) as station:
            cells = Cells.from_text("0/:/:", station.geometry)
            own, passes, pulses = np.empty(len(cells)), [], []
            for number in range(PASSES):
                ended = [
                    tune(station, cells[k : k + 1], float(targets.flat[k]))
                    for k in range(len(cells))
                ]
                if number == 0:
                    own[:] = [g for g, _ in ended]
                pulses.append(sum(given for _, given in ended))
                passes.append(station.read(cells, averages=64))
    return Written(name, own, passes, pulses)


def benches() -> dict[str, str]:
    """Return the bench files compared: two schemes, and the same cells with transistors."""
    text = (files(li) / "benches" / "sim-passive.toml").read_text(encoding="utf-8")
    passive = text[text.index("[passive]") : text.index("[envelope]")]
    return {
        "V/2": text,
        "V/3": text.replace('write = "half"', 'write = "third"'),
        "transistors": text.replace(passive, ""),
    }


def within(found: FloatArray, targets: FloatArray) -> str:
    """Return how near cells are to their targets, in words."""
    error = np.abs(found / targets.ravel() - 1.0)
    inside = np.mean(error <= NOMINAL)
    return f"{inside:6.1%} within 5 %, mean error {error.mean():.2%}, worst {error.max():.1%}"


def draw(results: list[Written], targets: FloatArray, path: Path) -> None:
    """Draw the target, the pictures after one pass and after the last, and their errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.2), layout="constrained")
    axes = figure.subplots(2, 4)
    greys = {"cmap": "gray_r", "vmin": WHITE, "vmax": BLACK}
    axes[0, 0].imshow(targets, **greys)
    axes[0, 0].set_title("asked for")
    axes[1, 0].hist(
        [100 * (one.passes[0] / targets.ravel() - 1.0) for one in results],
        bins=np.linspace(-20, 20, 41).tolist(),
        histtype="step",
        label=[one.name for one in results],
    )
    axes[1, 0].axvspan(-5, 5, color="0.92")
    axes[1, 0].set(xlabel="error after one pass (%)", ylabel="cells")
    axes[1, 0].legend(loc="upper left", fontsize=8, frameon=False)
    for column, one in enumerate(results, 1):
        axes[0, column].imshow(one.passes[0].reshape(20, 20), **greys)
        axes[0, column].set_title(f"{one.name}, one pass")
        error = 100 * (one.passes[0] / targets.ravel() - 1.0).reshape(20, 20)
        axes[1, column].imshow(error, cmap="RdBu", vmin=-20, vmax=20)
        axes[1, column].set_title("error (%)")
    figure.colorbar(axes[1, -1].images[0], ax=axes[1, :], shrink=0.8)
    for axis in [axes[0, 0], *axes[0, 1:], *axes[1, 1:]]:
        axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=110)


def main() -> None:
    """Write, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    parser.add_argument("-o", dest="picture", type=Path)
    arguments = parser.parse_args()
    targets = face()
    results = []
    for name, text in benches().items():
        one = write(name, text, targets, arguments.seed)
        results.append(one)
        print(f"{name}: own write   {within(one.own, targets)}")
        for number, (found, pulses) in enumerate(zip(one.passes, one.pulses, strict=True), 1):
            told = f"{pulses / targets.size:.1f} pulses a cell"
            print(f"{name}: after pass {number} {within(found, targets)}; {told}")
    if arguments.picture is not None:
        draw(results, targets, arguments.picture)


if __name__ == "__main__":
    main()
