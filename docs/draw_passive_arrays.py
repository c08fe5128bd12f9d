"""Draw docs/pictures/passive-arrays.png: sneak currents, lossy wires, half-selects.

    python docs/draw_passive_arrays.py

All three panels are simulated cells of the preset ``ucsb-passive``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labctl_data.array_bias import PassiveBias, ReadScheme
from labctl_data.cells import Geometry
from labctl_data.model import preset
from labctl_instruments.chip import Chip
from labctl_instruments.chip.crossbar import CellLaw, Wires, bias, solve
from labctl_instruments.chip.passive import PassiveCells

HERE = Path(__file__).parent
INK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
LOW, HIGH = 1.0 / 96.6e3, 1.0 / 7.0e3


def sneak(axes: Axes) -> None:
    """Draw what a read of a white cell among black ones gives, over the array's size."""
    sizes = (2, 4, 8, 12, 16, 20, 24, 32)
    reads: tuple[ReadScheme, ...] = ("floating", "grounded")
    for scheme, ink in zip(reads, INK, strict=False):
        found = []
        for size in sizes:
            model = preset("ucsb-passive").without_noise()
            chip = Chip(model, Geometry(1, size, size), seed=1, passive=True, wire_resistance=1.0)
            chip.imprint(np.arange(size * size), HIGH)
            last = size * size - 1
            chip.imprint([last], LOW)
            cells = PassiveCells(chip, PassiveBias(read=scheme))
            found.append(cells.currents([last], 0.2, 1, 0.0)[0] / 0.2 / LOW)
        axes.plot(sizes, found, "o-", color=ink, label=f"others {scheme}")
    axes.axhline(1.0, color="0.6", lw=1)
    axes.set(xlabel="rows and columns", ylabel="read / true", title="96.6 kohm among 7.0 kohm")
    axes.legend(frameon=False)


def lost(axes: Axes) -> None:
    """Draw the part of a write voltage that each cell of a larger array gets through its wires."""
    size, volts = 64, 1.4
    cells = np.full((size, size), HIGH)
    wires, law = Wires.alike(1.0), CellLaw(preset("ucsb-passive").curvature)
    seen = np.empty((8, 8))
    at = np.linspace(0, size - 1, 8).astype(int)
    for i, row in enumerate(at):
        for j, column in enumerate(at):
            lines = bias((size, size), (int(row), int(column)), volts, "half")
            nodes = solve(cells, *lines, wires, law=law)
            across = nodes.bit_nodes[row, column] - nodes.source_nodes[row, column]
            seen[i, j] = 100.0 * across / volts
    image = axes.imshow(seen, cmap="viridis", extent=(-0.5, size - 0.5, size - 0.5, -0.5))
    axes.set(xlabel="column", ylabel="row", title="% of 1.4 V at the cell, V/2, 1 ohm a segment")
    axes.figure.colorbar(image, ax=axes, shrink=0.85)


def disturb(axes: Axes) -> None:
    """Draw how far half-selected cells have come after many pulses meant for a neighbour."""
    for write, where, ink in (
        ("half", "on its lines, V/2", INK[0]),
        ("third", "anywhere, V/3", INK[1]),
    ):
        model = preset("ucsb-passive").without_noise()
        chip = Chip(model, Geometry(1, 40, 40), seed=2, passive=True)
        index = np.arange(1600)
        chip.imprint(index, HIGH)
        scheme = PassiveBias(write="half" if write == "half" else "third")
        cells, given = PassiveCells(chip, scheme), np.arange(0, 1001, 50)
        middle, worst = [1.0], [1.0]
        beside = np.setdiff1d(np.arange(20 * 40, 21 * 40), [20 * 40 + 20])
        for start in given[:-1]:
            for pulse in range(50):
                cells.pulse([20 * 40 + 20], 1, 1.6, 1e-6, 0.0, 1e-5 * (start + pulse))
            part = chip.conductances(beside, 1.0) / HIGH
            middle.append(float(np.median(part)))
            worst.append(float(part.min()))
        axes.plot(given, middle, color=ink, label=f"{where}: median")
        axes.plot(given, worst, "--", color=ink, label=f"{where}: worst of 39")
    axes.set(
        xlabel="pulses of 1.6 V at one cell", ylabel="conductance / first", title="half-selected"
    )
    axes.legend(frameon=False, fontsize=8)


def main() -> None:
    """Draw all three."""
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    for axes, panel in zip(figure.subplots(1, 3), (sneak, lost, disturb), strict=True):
        panel(axes)
    figure.savefig(HERE / "pictures" / "passive-arrays.png", dpi=110)


if __name__ == "__main__":
    main()
