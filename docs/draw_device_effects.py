"""Draw docs/pictures/device-effects.png: what can be switched on in the soft-bound model.

    python docs/draw_device_effects.py

Every curve is the simulated chip's or the equations' own; nothing is measured.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labctl_data.cells import Geometry
from labctl_data.model import preset, vectors
from labctl_data.pulse import PulseKind
from labctl_instruments.chip import Chip

HERE = Path(__file__).parent
YAO = preset("yao")
STILL = YAO.without_noise().without_variation()
CLOSED = {"set_rate": 0.362 / 18, "set_exponent": 2.03,
          "reset_rate": 0.634 / 18, "reset_exponent": 4.76,
          "bound_low": 2e-6, "bound_high": 20e-6, "gate_slope": 20e-6 / 1.1}  # fmt: skip
SET = {"kind": 0, "amplitude": 2.0, "width": 50e-9, "gate": 1.8}
RESET = {"kind": 1, "amplitude": 1.8, "width": 50e-9, "gate": 4.7}
GEOMETRY = Geometry(1, 64, 16)
CELLS = np.arange(GEOMETRY.n_cells)
INK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def steps(axes: Axes) -> None:
    """Draw the mean step of the reference pulses by tables and by the closed law."""
    g = np.linspace(2.1e-6, 19.9e-6, 200)
    closed = STILL.with_parameters(**CLOSED)
    for kind, pulse, ink in ((PulseKind.SET, SET, INK[0]), (PulseKind.RESET, RESET, INK[1])):
        shape = {name: pulse[name] for name in ("amplitude", "width", "gate")}
        for model, line in ((STILL, "-"), (closed, "--")):
            step = vectors.pulse_step(model, g, kind, **shape)[0] * 1e6
            way = "table" if model is STILL else "closed law"
            axes.plot(g * 1e6, step, line, color=ink, lw=1.5, label=f"{kind.name}, {way}")
    axes.set(xlabel="conductance (µS)", ylabel="mean step (µS)", title="Tables and closed law")
    axes.legend(fontsize=8, frameon=False)


def forming(axes: Axes) -> None:
    """Draw the share of cells that one pulse forms, and kills, by its voltage."""
    volts = np.linspace(2.4, 4.0, 33)
    model = YAO.with_parameters(overforming_rate=2.0, frailty_spread=0.3)
    for gate, line in ((1.8, "-"), (1.25, "--")):
        formed, dead = [], []
        for each in volts:
            chip = Chip(model, GEOMETRY, seed=1, state="fresh")
            chip.pulse(CELLS, 0, each, 1e-6, gate, 0.0)
            formed.append((chip.state()["formed"] == 1).mean())
            dead.append((chip.state()["stuck"] == 4).mean())
        if gate == 1.8:
            axes.plot(volts, formed, color=INK[0], lw=1.5, label="formed")
        axes.plot(volts, dead, line, color=INK[1], lw=1.5, label=f"shorted, gate {gate:g} V")
    axes.set(xlabel="one forming pulse of (V)", ylabel="share of cells", title="Forming too far")
    axes.legend(fontsize=8, frameon=False)


def endurance(axes: Axes) -> None:
    """Draw both ends of the window of some cells against full cycles."""
    model = STILL.with_parameters(
        set_rate=1.0, reset_rate=1.0, wear_rate=1 / 300, wear_exponent=3.0, frailty_spread=0.4,
        worn_low_share=0.25,
    )  # fmt: skip
    chip = Chip(model, Geometry(1, 1, 12), seed=5)
    cells, ends = np.arange(12), []
    for _ in range(800):
        chip.pulse(cells, **(SET | {"width": 5e-6}), time=0.0)
        high = chip.conductances(cells, 0.0)
        chip.pulse(cells, **(RESET | {"width": 5e-6}), time=0.0)
        ends.append((high, chip.conductances(cells, 0.0)))
    ends = np.array(ends) * 1e6
    turns = np.arange(1, len(ends) + 1)
    for cell in cells:
        ink = INK[2] if chip.cell_parameters()["worn_class"].reshape(-1)[cell] == 1 else INK[1]
        axes.plot(turns, ends[:, 0, cell], color=ink, lw=0.8)
        axes.plot(turns, ends[:, 1, cell], color=ink, lw=0.8)
    axes.axvline(300, color="0.6", lw=0.8, ls=":")
    axes.set(xscale="log", yscale="log", xlabel="full cycles", ylabel="after SET, RESET (µS)")
    axes.set_title("Wear: 12 cells, median endurance 300")


def half_select(axes: Axes) -> None:
    """Draw the creep of half-selected cells, mean and spread, against writes elsewhere."""
    writes = np.unique(np.geomspace(1, 3000, 25).astype(int))
    for part, ink in ((2, INK[1]), (3, INK[0])):
        chip = Chip(YAO.without_noise(), GEOMETRY, seed=2)
        chip.imprint(CELLS, 5e-6)
        mean, spread, done = [], [], 0
        for count in writes:
            for _ in range(count - done):
                chip.pulse(CELLS, 0, 2.0 / part, 1e-6, 4.7, 0.0)
            done = count
            moved = (chip.conductances(CELLS, 0.0) - 5e-6) * 1e9
            mean.append(moved.mean())
            spread.append(moved.std())
        axes.plot(writes, spread, color=ink, lw=1.5, label=f"V/{part}: spread")
        axes.plot(writes, np.maximum(mean, 1e-3), "--", color=ink, lw=1.5, label=f"V/{part}: mean")
    axes.set(xscale="log", yscale="log", ylim=(1e-2, None), xlabel="writes of a neighbour, 1 µs")
    axes.set(ylabel="change from 5 µS (nS)", title="Half-selected at V/2 and V/3 of 2 V")
    axes.legend(fontsize=8, frameon=False)


def flicker(axes: Axes) -> None:
    """Draw the spectrum of reads with 1/f noise and its law."""
    model = STILL.with_parameters(flicker_noise=0.005)
    chip = Chip(model, GEOMETRY, seed=3)
    truth = 0.2 * chip.conductances(CELLS, 0.0)
    for step, ink in ((1e-6, INK[0]), (1e-3, INK[2]), (1.0, INK[1])):
        times = step * np.arange(1024)
        reads = np.stack([chip.currents(CELLS, 0.2, 1, at) / truth - 1.0 for at in times])
        taper = np.hanning(len(times))[:, np.newaxis]
        power = (np.abs(np.fft.rfft(reads * taper, axis=0)) ** 2).mean(axis=1)
        frequency = np.fft.rfftfreq(len(times), step)[4:]
        axes.plot(frequency, 2 * step * power[4:] / (taper**2).sum(), color=ink, lw=0.8,
                  label=f"a read each {step:g} s")  # fmt: skip
    at = np.geomspace(4e-3, 5e5, 50)
    axes.plot(at, 0.005**2 / (at * np.log(10)), "k--", lw=1, label="a²/(f ln 10)")
    axes.set(xscale="log", yscale="log", xlabel="frequency (Hz)", ylabel="relative power (1/Hz)")
    axes.set_title("1/f noise, a = 0.5 % a root decade")
    axes.legend(fontsize=8, frameon=False)


def disturb(axes: Axes) -> None:
    """Draw what reads do, beside what an hour does anyway."""
    counts = np.geomspace(1, 1e9, 40)
    still = np.zeros(10)
    model = YAO.with_parameters(relaxation_drift=still, relaxation_sigma=still)
    for volts, ink in ((0.2, INK[0]), (0.3, INK[2]), (0.4, INK[1])):
        spread = []
        for count in counts:
            chip = Chip(model, GEOMETRY, seed=4)
            chip.imprint(CELLS, 8e-6)
            chip.stress(CELLS, volts, 50e-9, int(count), 0.0)
            spread.append(chip.conductances(CELLS, 0.0).std() * 1e9)
        axes.plot(counts, spread, color=ink, lw=1.5, label=f"reads at {volts:g} V")
    for name, line in (("yao", "--"), ("yao-quiet", ":")):
        hour = float(vectors.relaxation(preset(name), 8e-6, 3600.0)[1]) * 1e9
        axes.axhline(hour, color="0.4", lw=1, ls=line, label=f"an hour alone, {name}")
    axes.set(xscale="log", yscale="log", xlabel="reads", ylabel="spread of change (nS)")
    axes.set_title("Read disturb")
    axes.legend(fontsize=8, frameon=False)


def main() -> None:
    """Draw the picture."""
    mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    panels = (steps, forming, endurance, half_select, flicker, disturb)
    for axes, draw in zip(figure.subplots(2, 3).flat, panels, strict=True):
        draw(axes)
        axes.title.set_fontsize(10)
    figure.savefig(HERE / "pictures" / "device-effects.png", dpi=110)


if __name__ == "__main__":
    main()
