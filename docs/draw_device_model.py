"""Draw docs/pictures/device-model.png: the model's laws against measured 1T1R arrays.

    python docs/draw_device_model.py TABLES

TABLES is the folder of the measured tables that `tests/data/measured/*.toml` map.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import labctl_data as ld
from labctl_data.fit.aging import predict_change
from labctl_data.fit.imported import looks_of_retention
from labctl_data.fit.kinetics import pulse_map_of
from labctl_data.fit.pulse_laws import median_after
from labctl_data.fit.pulse_map import medians_of
from labctl_data.importing import import_table
from labctl_data.model import preset, vectors
from labctl_data.pulse import PulseKind
from labctl_data.run_file import Run

HERE = Path(__file__).parent
MAPPINGS = HERE.parent / "tests" / "data" / "measured"
MODEL = preset("stanford-1t1r")
INK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def relaxation(axes: Axes, run: Run) -> None:
    """Draw the spread of the change since the first look, by time, for four levels."""
    looks = looks_of_retention(run)
    first = np.searchsorted(looks.series, looks.series)
    level, change = looks.conductance[first], looks.conductance - looks.conductance[first]
    times = np.geomspace(3e-3, 1e5, 80)
    for low, ink in zip((2.5e-6, 10e-6, 20e-6, 35e-6), INK, strict=True):
        rows = (level >= low) & (level < low + 2.5e-6)
        seen = [at for at in np.unique(looks.elapsed) if at > 0]
        found = [np.std(change[rows & (looks.elapsed == at)]) * 1e6 for at in seen]
        axes.plot(seen, found, "o", color=ink, ms=5)
        law = [np.sqrt(np.mean(predict_change(MODEL, level[rows], at)[1] ** 2)) for at in times]
        label = f"{low * 1e6:g}\u2013{low * 1e6 + 2.5:g} µS"
        axes.plot(times, np.array(law) * 1e6, color=ink, lw=1.5, label=label)
    axes.axvline(4.0, color="0.6", lw=0.8, ls=":")
    axes.set(xscale="log", xlabel="time since the first read (s)", ylabel="spread of ΔG (µS)")
    axes.legend(fontsize=8, title="as first read", title_fontsize=8, frameon=False)
    axes.set_title("Relaxation: measured to 4 s, law beyond", fontsize=10)


def gate_law(axes: Axes, run: Run) -> None:
    """Draw the median conductance after one SET, by gate voltage, for three amplitudes."""
    medians = medians_of(pulse_map_of(run), PulseKind.SET)
    model = MODEL.with_parameters(set_voltage=1.5, set_step=np.full(10, 108.7e-6), set_gate=2.5)
    after = median_after(medians, model)
    for volts, ink in zip((1.0, 1.5, 3.0), INK, strict=False):
        rows = (medians.amplitude == volts) & (medians.width == 1e-7)
        order = np.argsort(medians.gate[rows])
        gate = medians.gate[rows][order]
        axes.plot(gate, medians.after[rows][order] * 1e6, "o", color=ink, ms=4)
        axes.plot(gate, after[rows][order] * 1e6, color=ink, lw=1.5, label=f"{volts:g} V")
    axes.set(xlabel="word-line voltage (V)", ylabel="conductance after one SET (µS)")
    axes.legend(fontsize=8, title="100-ns SET of", title_fontsize=8, frameon=False)
    axes.set_title("SET: threshold and gate law", fontsize=10)


def curvature(axes: Axes, run: Run) -> None:
    """Draw the current of cells near 25 uS, less the meter's offset, against the sinh law."""
    rows = run.records()
    cell = rows["row"].astype(np.int64) * 256 + rows["column"]
    voltage = np.round(rows["voltage"], 3)
    g = {each: np.polyfit(voltage[cell == each], rows["current"][cell == each], 1)[0]
         for each in np.unique(cell)}  # fmt: skip
    like = np.array([15e-6 < g[each] < 40e-6 for each in cell])
    at = np.unique(voltage)
    ratio = np.array([g[each] for each in cell])
    found = [np.median(rows["current"][like & (voltage == v)] / ratio[like & (voltage == v)])
             for v in at]  # fmt: skip
    law = vectors.current(MODEL, 1.0, at)
    design = np.column_stack([np.ones(len(at)), law])
    offset, slope = np.linalg.lstsq(design, np.array(found), rcond=None)[0]
    axes.plot(at, np.array(found) - offset, "o", color=INK[0], ms=4, label="median of 186 cells")
    axes.plot(at, slope * law, color=INK[1], lw=1.5, label="sinh law, b = 3.2 /V")
    axes.plot(at, slope * law[20] / at[20] * at, color="0.6", lw=1, ls="--", label="ohmic")
    axes.set(xlabel="voltage (V)", ylabel="current / slope (V)")
    axes.legend(fontsize=8, frameon=False)
    axes.set_title("Current of cells of 15\u201340 µS", fontsize=10)


def main(tables: Path) -> None:
    """Draw the picture."""
    mpl.use("agg")
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    with tempfile.TemporaryDirectory() as folder:
        panels = zip(
            figure.subplots(1, 3),
            ((relaxation, "retention"), (gate_law, "set"), (curvature, "iv")),
            strict=True,
        )
        for axes, (draw, name) in panels:
            path = Path(folder) / f"{name}.h5"
            import_table(MAPPINGS / f"{name}.toml", path, folder=tables)
            draw(axes, ld.open_run(path))
            axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "pictures" / "device-model.png", dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
