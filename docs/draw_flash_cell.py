"""Draw docs/pictures/flash-cell.png: currents, pulses, tuning and retention of a flash cell.

python docs/draw_flash_cell.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labctl_data.cells import Geometry
from labctl_data.model import FloatingGateModel, preset
from labctl_data.model.floating_gate_tuning import conductance, threshold
from labctl_data.pulse import PulseKind
from labctl_instruments.chip import Chip

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "benchmarks"))
import flash_tuning  # noqa: E402  (the benchmark's own loop)

CELL = preset("flash-180nm")
INK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
DAY = 86400.0


def chip_of(model: FloatingGateModel, n: int) -> tuple[Chip, np.ndarray]:
    """Return a chip of n cells, and their indices."""
    return Chip(model, Geometry(1, 1, n), seed=1), np.arange(n)


def currents(axes: Axes) -> None:
    """Draw the current against the word line for four thresholds, at two temperatures."""
    still = CELL.without_noise().without_variation()
    chip, cells = chip_of(still, 4)
    levels = np.array([1e-9, 1e-8, 1e-7, 1e-6])
    chip.imprint(cells, levels)
    gates = np.arange(2.1, 2.91, 0.02)
    for cell, ink in zip(cells, INK, strict=True):
        amperes = [
            chip.wiring.drive(
                0, np.where(cells == cell, 0.2, 0.0), [0.0], [gate], 0.0, 0.0
            ).bit_lines
            for gate in gates
        ]
        volts = float(threshold(CELL, levels[cell]))
        at = np.array([each[cell] for each in amperes])
        axes.semilogy(gates, at, color=ink, label=f"threshold {volts:.2f} V")
    axes.axvline(CELL.read_gate, color="0.6", lw=0.8, ls=":")
    axes.set(xlabel="word line (V)", ylabel="current at 0.2 V (A)", ylim=(1e-14, 1e-3))
    axes.set_title("Read below threshold, word line at 2.5 V", fontsize=10)
    axes.legend(fontsize=8, frameon=False)


def trains(axes: Axes) -> None:
    """Draw the threshold of the median cell in trains of equal pulses."""
    still = CELL.without_noise().without_variation()
    pulses = np.arange(301)
    shapes = (
        (PulseKind.RESET, 4.3, 1.5),
        (PulseKind.RESET, 4.5, 1.5),
        (PulseKind.SET, 3.3, 6.0),
        (PulseKind.SET, 3.5, 6.0),
    )
    for (kind, volts, gate), ink in zip(shapes, INK, strict=True):
        chip, cells = chip_of(still, 1)
        chip.imprint(cells, conductance(CELL, 2.55 if kind == PulseKind.RESET else 2.85))
        found = [float(threshold(CELL, chip.conductances(cells, 0.0))[0])]
        for _ in pulses[1:]:
            chip.pulse(cells, kind, volts, 10e-6, gate, 0.0)
            found.append(float(threshold(CELL, chip.conductances(cells, 0.0))[0]))
        name = "program" if kind == PulseKind.RESET else "erase"
        axes.plot(pulses, found, color=ink, label=f"{name}, {volts:g} V, word line {gate:g} V")
    axes.set(xlabel="10-µs pulses", ylabel="threshold (V)", ylim=(2.48, 2.96))
    axes.set_title("Trains of equal pulses", fontsize=10)
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="upper center")


def tuning(axes: Axes) -> None:
    """Draw the mean error against pulses in tuning by the model, and what is published."""
    for seed in (1, 2, 3):
        errors = flash_tuning.tune(seed, 100, 35)
        means = [100 * each.mean() for each in errors.values()]
        label = "chips of the simulated bench" if seed == 1 else None
        axes.loglog(list(errors), means, "o-", color=INK[0], ms=3, lw=1, label=label)
    axes.plot([10, 35], [3, 0.3], "s", color=INK[1], ms=8, label="published, 100 cells")
    axes.set(xlabel="write pulses", ylabel="mean error (%)", ylim=(0.1, 1e4))
    axes.set_title("Tuning by the model", fontsize=10)
    axes.legend(fontsize=8, frameon=False)


def retention(axes: Axes) -> None:
    """Draw what 256 programmed cells conduct in a bake, read at room temperature."""
    times = np.geomspace(1.0, 3e8, 60)
    for celsius, ink in zip((25, 85, 125, 150), INK, strict=True):
        chip, cells = chip_of(CELL, 256)
        chip.imprint(cells, conductance(CELL, CELL.neutral_threshold + 0.13))
        chip.pulse(cells, PulseKind.RESET, 4.8, 10e-6, 1.5, 0.0)
        first = chip.conductances(cells, 0.0)
        found = []
        for at in times:
            chip.set_temperature(celsius + 273.15, 0.0 if at == times[0] else at)
            chip.set_temperature(298.15, at)
            found.append(chip.conductances(cells, at) / first)
            chip.set_temperature(celsius + 273.15, at)
        middle = np.median(found, axis=1)
        low, high = np.percentile(found, [10, 90], axis=1)
        axes.fill_between(times / DAY, low, high, color=ink, alpha=0.2, lw=0)
        axes.semilogx(times / DAY, middle, color=ink, label=f"{celsius} °C")
    axes.set(xlabel="days", ylabel="conductance over the first", ylim=(0.8, 2.5))
    axes.set_title("Retention of cells at 2.75 V: median, 80 %", fontsize=10)
    axes.legend(fontsize=8, frameon=False)


def main() -> None:
    """Draw the picture."""
    mpl.use("agg")
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    panels = (currents, trains, tuning, retention)
    for axes, draw in zip(figure.subplots(2, 2).flat, panels, strict=True):
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "pictures" / "flash-cell.png", dpi=100)


if __name__ == "__main__":
    main()
