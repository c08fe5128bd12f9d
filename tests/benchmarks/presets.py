"""What the presets show, beside what is published: every figure by procedures on a simulated bench.

    PYTHONPATH=.:procedures:instruments:data:gui python tests/benchmarks/presets.py [SEED]

One array of 128 x 16 cells behind the board bench, a chip of its own for each question. A, D: the
sections of the project's collection of published figures; what is in brackets is derived there by
simulation from published steps, not published itself.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import labctl_data as ld
import labctl_instruments
from labctl.engine import run
from labctl.measured import loops, watched, written
from labctl_data.fit import fit
from labctl_data.fit.curvature import fit_curvature
from labctl_data.fit.observations import geometry_of, sweeps_of
from labctl_data.model import SoftBoundModel, preset
from labctl_data.run_file import Run, open_run
from labctl_instruments.station import Station
from labctl_procedures.catalogue import make

PRESETS = ("yao", "yao-quiet", "neurram", "stanford-1t1r")
READ = 0.2
"""Read voltage, in V: 1 uS carries 200 nA."""
CELLS = "0/:/:"
PLANTED = 0.05e-6
"""Mean read disturb a decade that the fit must find again, in S."""


@dataclass
class Bench:
    """A bench with one chip behind it, and a folder for its runs."""

    station: Station
    folder: Path
    made: int = 0

    def run(self, name: str, **values: Any) -> Run:
        """Make a run."""
        self.made += 1
        path = self.folder / f"{self.made}-{name}.h5"
        run(make(name, {"cells": CELLS, **values}), self.station, path)
        return open_run(path)


@contextmanager
def bench(model: SoftBoundModel, seed: int) -> Iterator[Bench]:
    """Open the board bench with a model behind it."""
    shipped = Path(labctl_instruments.__file__).with_name("benches") / "sim-board.toml"
    with tempfile.TemporaryDirectory() as folder:
        ld.write_chip(Path(folder) / "chip.h5", model)
        text = shipped.read_text().replace('preset = "yao"', 'file = "chip.h5"')
        (Path(folder) / "bench.toml").write_text(text.replace("pes = 8", "pes = 1"))
        with labctl_instruments.open_bench(Path(folder) / "bench.toml", seed=seed) as station:
            yield Bench(station, Path(folder))


def pulses_of(model: SoftBoundModel) -> Mapping[str, float]:
    """Return the reference pulses of a model, as WriteVerify takes them."""
    return {
        "set_amplitude": model.set_voltage,
        "set_gate": model.set_gate,
        "reset_amplitude": model.reset_voltage,
        "reset_gate": model.reset_gate,
        "width": model.pulse_width,
    }


def levels_of(model: SoftBoundModel) -> Mapping[str, float]:
    """Return the range of levels: the window, whose lower end conducts at least 2 uS here."""
    return {"g_min": max(model.window_low, 2e-6), "g_max": model.window_high}


def writing(name: str, seed: int, window: float) -> None:
    """Print pulses to eight levels, and the error at the verify read and ten minutes later."""
    model = preset(name)
    settings = {**pulses_of(model), **levels_of(model), "levels": 8, "window": window}
    with bench(model, seed) as at:
        done = at.run("WriteVerify", **settings, after="0s, 10min")
        table, summary = written(done), done.summary
    means = [table.pulses[table.targets == level].mean() for level in table.levels]
    later = table.maps[-1].conductance - table.map_targets
    fresh = table.fresh - table.targets
    good = np.abs(fresh) < 3 * window
    print(
        f"{name:14s} +-{window * 1e6:.2f} uS: pulses to 8 levels "
        f"{' '.join(f'{mean:.0f}' for mean in means)}; converged {summary['converged']:.1%}; "
        f"error (std) judged {fresh[good].std() * READ * 1e9:.0f} nA, after 10 min "
        f"{later[np.abs(table.map_fresh - table.map_targets) < 3 * window].std() * READ * 1e9:.0f}"
        " nA",
        flush=True,
    )


def unread_control(name: str, seed: int) -> None:
    """Print how far a million reads moved the means of eight states from those of unread cells."""
    model = preset(name)
    half = "0/0:64/:"
    with bench(model, seed) as at:
        at.run("WriteVerify", **pulses_of(model), **levels_of(model), levels=8, window="0.25uS")
        first = watched(at.run("Retention", levels=0, duration="1ms"))
        at.run("ReadDisturb", levels=0, cells=half, total=1_000_000)
        run_of_last = at.run("Retention", levels=0, duration="1ms")
        last = watched(run_of_last)
        read = run_of_last.record("row")[: first.conductance.shape[1]] < 64
    wanted = levels_of(model)
    levels = np.linspace(wanted["g_min"], wanted["g_max"], 8)
    state = np.abs(first.conductance[0][:, None] - levels).argmin(axis=1)
    # The change since before the reads, for a mean of cells that were not at one place before.
    change = last.conductance[0] - first.conductance[0]
    off = []
    for k, level in enumerate(levels):
        stressed, control = change[read & (state == k)], change[~read & (state == k)]
        off.append((stressed.mean() - control.mean()) / level)
    n = np.bincount(state[read], minlength=8).min()
    print(
        f"{name:14s} 1e6 reads at 0.2 V: means of 8 states off the unread control by "
        f"{' '.join(f'{100 * x:+.2f}' for x in off)} %; worst {100 * np.abs(off).max():.2f} % "
        f"(asked 2); {n} cells a state and side at least",
        flush=True,
    )


def planted(seed: int) -> None:
    """Print the read disturb that a fit finds where some was planted."""
    model = preset("yao").with_parameters(disturb_drift=PLANTED)
    with bench(model, seed) as at:
        runs = [at.run("WriteVerify"), at.run("Retention"), at.run("ReadDisturb")]
        found = next(each for each in fit(runs).parameters if each.name == "disturb_drift")
    value, error = float(found.value), float(found.uncertainty)
    print(
        f"planted disturb {PLANTED * 1e9:.1f} nS a decade: found {value * 1e9:.2f} +- "
        f"{error * 1e9:.2f}, off {abs(value / PLANTED - 1):.1%} (asked 10 %)",
        flush=True,
    )


def thirty_days(name: str, seed: int) -> None:
    """Print whether the means of the fifteen weights of cell pairs keep their order for 30 days."""
    model = preset(name)
    with bench(model, seed) as at:
        wrote = at.run("WriteVerify", **pulses_of(model), **levels_of(model), levels=8,
                       window="0.25uS", after="")  # fmt: skip
        targets = written(wrote).map_targets.reshape(-1, 2, 16)
        seen = watched(at.run("Retention", levels=0, first="1s", duration="30d"))
    step = np.ptp(targets) / 7
    weight = np.rint((targets[:, 0] - targets[:, 1]) / step).astype(int).ravel()
    pairs = seen.conductance.reshape(len(seen.conductance), -1, 2, 16)
    difference = (pairs[:, :, 0] - pairs[:, :, 1]).reshape(len(pairs), -1)
    means = np.stack([difference[:, weight == k].mean(axis=1) for k in range(-7, 8)], axis=-1)
    gap = np.diff(means, axis=1).min()
    ordered = bool(gap > 0)
    print(
        f"{name:14s} 30 days: 15 mean traces of pairs {'in order' if ordered else 'NOT in order'} "
        f"at all {len(means)} looks; least gap {gap * 1e6:.2f} of {step * 1e6:.2f} uS",
        flush=True,
    )


def sweep(name: str, seed: int) -> None:
    """Print the currents of DC loops at 1.5 and -1.2 V, and the curvature at low voltage."""
    model = preset(name)
    with bench(model, seed) as at:
        gates = {"set_gate": model.set_gate, "reset_gate": model.reset_gate}
        swept = at.run("IVSweep", cells="0/0:4/:", cycles=3, compliance="900uA", **gates)
        curves = loops(swept)
        low = fit_curvature(sweeps_of(swept, geometry_of([swept])))
    currents = {
        volts: np.median([np.abs(i[np.argmin(np.abs(v - volts))])
                          for v, i in zip(curves.voltages, curves.currents, strict=True)])
        for volts in (1.5, -1.2)
    }  # fmt: skip
    value, error = (low.value, low.error) if low else (np.nan, np.nan)
    print(
        f"{name:14s} DC loop: {currents[1.5] * 1e6:.0f} uA at 1.5 V (60), "
        f"{currents[-1.2] * 1e6:.0f} uA at -1.2 V (45); "
        f"b below 0.6 V {value:.2f} +- {error:.2f} /V",
        flush=True,
    )


def main(seed: int) -> None:
    """Print all figures."""
    print("A, D: yao about 250 190 150 90 50 30 15 15 pulses (derived); 54 nA growing to 108 nA")
    for name in PRESETS:
        writing(name, seed, 0.25e-6)
    writing("yao", seed, 0.47e-6)  # of which 54 nA is the deviation
    print("D: +-1 uS is the tolerance of NeuRRAM's own write")
    writing("neurram", seed, 1e-6)
    writing("stanford-1t1r", seed, 1e-6)
    for name in PRESETS:
        unread_control(name, seed)
    planted(seed)
    for name in PRESETS:
        thirty_days(name, seed)
    print("A: SET 60 uA at 1.5 V, RESET 45 uA at -1.2 V; D: b 3.8 /V below 15 uS up to 0.35 V")
    for name in PRESETS:
        sweep(name, seed)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
