"""Draw docs/pictures/physical-reference.png: shapes of the fast model beside JART VCM v1b.

    python docs/draw_physical_reference.py

Prints the figures that the page gives.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from scipy.optimize import brentq

from labctl_data.cells import Geometry
from labctl_data.model import preset, vectors
from labctl_data.model.jart_trajectory import conductance, hold, ramp, switching_time
from labctl_data.model.jart_vcm import jart_v1b
from labctl_data.model.parameter import FloatArray
from labctl_data.pulse import PulseKind
from labctl_instruments.chip import Chip

HERE = Path(__file__).parent
CELL = jart_v1b()
YAO = preset("yao").without_variation().without_noise()
INK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
OFF, SET_TO, RESET_FROM, RESET_TO = 0.008e26, 1e26, 2e26, 0.1e26
LEVEL = 200e-6
"""Conductance of the cells that are RESET, in S."""


def loops(axes: Axes) -> list[str]:
    """Draw the current of one loop of each model, each in its own voltages."""
    for limit, ink in ((200e-6, INK[0]), (50e-6, INK[2])):
        path = ramp(CELL, OFF, ([0, 1, 2, 3.3, 4.6], [0, 1, 0, -1.3, 0]), compliance=limit)
        label = f"JART v1b, limited to {limit * 1e6:g} µA"
        axes.semilogy(path.voltage, np.abs(path.current) * 1e6, color=ink, label=label)
    chip = Chip(YAO, Geometry(1, 1, 1), seed=1)
    chip.imprint([0], 2e-6)
    up, down = np.arange(0, 1.6, 0.02), np.arange(0, 1.5, 0.02)
    volts = np.concatenate([up, up[::-1], -down, -down[::-1]])
    amperes = np.concatenate(
        [
            chip.sweep(0, leg, dwell=0.02, gate=gate, compliance=1e-3, time=at)[0]
            for leg, gate, at in ((volts[: 2 * up.size], 1.8, 0), (volts[2 * up.size :], 4.7, 9))
        ]
    )
    axes.semilogy(volts, np.abs(amperes) * 1e6, color=INK[1], label="soft-bound `yao`")
    axes.set(xlabel="voltage (V)", ylabel="|current| (µA)", ylim=(0.3, 700))
    axes.set_title("Loops at 1 V/s", fontsize=10)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return []


def soft_bound_time(kind: PulseKind, volts: float, ends: tuple[float, float]) -> float:
    """Return the width of one pulse whose mean motion takes `yao` between conductances, in s."""
    gate = 1.8 if kind == PulseKind.SET else 4.7

    def miss(logarithm: float) -> float:
        step, _ = vectors.pulse_step(
            YAO, ends[0], kind, amplitude=volts, width=10**logarithm, gate=gate
        )
        return abs(float(step)) - abs(ends[1] - ends[0])

    return float(10 ** brentq(miss, -15.0, 12.0))


def times(axes: Axes) -> list[str]:
    """Draw how long switching takes at a held voltage."""
    found: dict[str, tuple[FloatArray, FloatArray]] = {}
    up, down = np.arange(0.4, 1.21, 0.05), np.arange(0.6, 1.81, 0.05)
    found["JART SET"] = up, np.array([switching_time(CELL, v, OFF, SET_TO) for v in up])
    found["JART RESET"] = (
        down,
        np.array([switching_time(CELL, -v, RESET_FROM, RESET_TO) for v in down]),
    )
    volts = np.arange(1.2, 2.31, 0.1)
    for name, kind, ends in (
        ("`yao` SET", PulseKind.SET, (4e-6, 10e-6)),
        ("`yao` RESET", PulseKind.RESET, (18e-6, 14e-6)),
    ):
        found[name] = volts, np.array([soft_bound_time(kind, v, ends) for v in volts])
    lines = []
    for (name, (at, seconds)), ink in zip(found.items(), INK, strict=True):
        axes.semilogy(at, seconds, color=ink, label=name)
        slopes = -np.gradient(np.log10(seconds), at)
        lines.append(
            f"{name}: {seconds[0]:.2e} s at {at[0]:.2f} V, {seconds[-1]:.2e} s at {at[-1]:.2f} V, "
            f"{slopes[1]:.1f} to {slopes[-2]:.1f} decades a volt"
        )
    axes.set(xlabel="|voltage| (V)", ylabel="time to switch (s)", ylim=(1e-11, 1e3))
    axes.set_title("Kinetics: exponential in voltage", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    return lines


def resets(axes: Axes) -> list[str]:
    """Draw what a RESET pulse leaves of a cell, by voltage, for some widths."""
    volts, widths = np.arange(0.2, 1.81, 0.05), np.array([1e-8, 1e-6, 1e-4])
    start = brentq(lambda n: float(conductance(CELL, n)) - LEVEL, OFF, RESET_FROM)
    left = np.array([
        conductance(CELL, hold(CELL, start, -v, widths).vacancies) for v in volts
    ])  # fmt: skip
    lines = []
    for column, (width, ink) in enumerate(zip(widths, INK, strict=False)):
        g = left[:, column]
        axes.semilogy(volts, g * 1e6, color=ink, label=f"JART, {width:.0e} s")
        inside = (g < 0.8 * LEVEL) & (g > 12e-6)
        slope = np.polyfit(volts[inside], np.log(g[inside]), 1)[0]
        miss = np.log(g[inside]) - np.polyval(np.polyfit(volts[inside], np.log(g[inside]), 1),
                                              volts[inside])  # fmt: skip
        lines.append(
            f"RESET of {width:.0e} s: G falls e times a {-1e3 / slope:.0f} mV from "
            f"{0.8 * LEVEL * 1e6:g} to 12 uS, {np.std(miss):.0%} off a straight line"
        )
    at = [np.interp(-np.log(50e-6), -np.log(left[:, column]), volts) for column in range(3)]
    shifts = -1e3 * np.diff(at) / np.diff(np.log10(widths))
    lines.append(
        f"the RESET that ends at 50 uS takes {shifts[0]:.0f} to {shifts[1]:.0f} mV less a decade"
    )
    law, _ = vectors.bounds(YAO, PulseKind.RESET, amplitude=volts + 0.8, gate=6.0)
    axes.semilogy(volts, law * 1e6, "--", color="0.5", label="`yao`, lower bound at V + 0.8 V")
    axes.set(xlabel="|RESET voltage| (V)", ylabel="conductance after one pulse (µS)")
    axes.set_title("RESET: where one pulse ends", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    return lines


def compliances(axes: Axes) -> list[str]:
    """Draw where SET ends, by compliance; the fast model says in proportion to it."""
    limits = np.geomspace(30e-6, 400e-6, 8)
    ends = np.array([
        float(conductance(CELL, ramp(CELL, OFF, ([0, 1], [0, 1]), compliance=limit).vacancies[-1]))
        for limit in limits
    ])  # fmt: skip
    axes.loglog(limits * 1e6, ends * 1e6, "o-", color=INK[0], ms=4, label="JART v1b, 1 V/s to 1 V")
    scale = ends[0] / limits[0]
    axes.loglog(limits * 1e6, scale * limits * 1e6, "--", color="0.5", label="in proportion")
    low = limits < 120e-6
    slope = np.polyfit(np.log(limits[low]), np.log(ends[low]), 1)[0]
    axes.set(xlabel="compliance (µA)", ylabel="conductance after SET (µS)")
    axes.set_title("SET: the current limit decides its end", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    return [f"SET ends at G ~ compliance^{slope:.2f} below 120 uA, {scale:.2f} /V at 30 uA"]


def main() -> None:
    """Draw the picture."""
    mpl.use("agg")
    figure = Figure(figsize=(11, 8), layout="constrained")
    panels = (loops, times, resets, compliances)
    for axes, draw in zip(figure.subplots(2, 2).flat, panels, strict=True):
        sys.stdout.write("".join(f"{line}\n" for line in draw(axes)))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "pictures" / "physical-reference.png", dpi=100)


if __name__ == "__main__":
    main()
