"""Does the fit find the truth, and are its error bars right? Many simulated chips, one campaign.

    PYTHONPATH=.:procedures:instruments:data:gui python tests/benchmarks/fit_coverage.py [SEEDS]

Each chip is 64 x 32 cells of the yao preset behind the board bench: write-verify to 32 levels, maps
of SET and RESET pulses, retention, read disturb, I-V. Every identifiable number (each entry of a
table is one) is held against the truth: within its 95 % interval, within 10 %.
"""

import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

import labctl_instruments
from labctl.engine import run
from labctl_data.fit import FitResult, fit
from labctl_data.model import preset
from labctl_procedures.catalogue import make

CAMPAIGN = (
    ("IVSweep", {}),
    ("WriteVerify", {"cells": "0/:/:"}),
    ("PulseMap", {"cells": "0/:/:", "g_min": "4uS"}),
    (
        "PulseMap",
        {
            "cells": "0/:/:",
            "kind": "RESET",
            "g_min": "18uS",
            "gates": "2.5,2.8,3.1,4.7",
            "amplitudes": "1.6,1.8,2.0,2.2,2.4",
        },
    ),
    ("Retention", {"cells": "0/:/:", "duration": "1d"}),
    ("ReadDisturb", {"cells": "0/:/:"}),
)
COMMANDED = {"set_voltage", "set_gate", "reset_voltage", "reset_gate", "pulse_width"}
LEVEL = 1.96


def chip(folder: Path, seed: int) -> FitResult:
    """Measure one chip and fit it."""
    shipped = Path(labctl_instruments.__file__).with_name("benches") / "sim-board.toml"
    text = shipped.read_text()
    for old, new in (
        ("pes = 8", "pes = 1"),
        ("rows = 128", "rows = 64"),
        ("columns = 16", "columns = 32"),
    ):
        text = text.replace(old, new)
    bench = folder / "bench.toml"
    bench.write_text(text)
    files = []
    with labctl_instruments.open_bench(bench, seed=seed) as station:
        for number, (name, values) in enumerate(CAMPAIGN):
            files.append(folder / f"{number}.h5")
            run(make(name, values), station, files[-1])
    started = time.process_time()
    result = fit(files)
    print(f"seed {seed}: fit {time.process_time() - started:.1f} s", file=sys.stderr, flush=True)
    return result


def main(seeds: int) -> None:
    """Print coverage by parameter and pooled."""
    truth = preset("yao").parameters
    deviations: dict[str, list[np.ndarray]] = defaultdict(list)
    relative: dict[str, list[np.ndarray]] = defaultdict(list)
    for seed in range(1, seeds + 1):
        with tempfile.TemporaryDirectory() as folder:
            result = chip(Path(folder), seed)
        for each in result.parameters:
            if not each.identifiable or each.name in COMMANDED:
                continue
            error = np.atleast_1d(np.asarray(each.uncertainty, np.float64))
            off = np.atleast_1d(np.asarray(each.value) - np.asarray(truth[each.name]))
            z = np.where(error > 0, off / np.maximum(error, 1e-30), np.nan)
            deviations[each.name].append(z)
            relative[each.name].append(off / np.atleast_1d(truth[each.name]))
    print(
        "parameter             chips  in 95 %  either   worst entry   mean z  rms z  median |rel|"
    )
    inside, count, worst = 0, 0, seeds
    for name, values in deviations.items():
        z, rel = np.array(values), np.array(relative[name])
        hit = np.abs(z) <= LEVEL
        known = np.isfinite(z)
        entry = int(np.min(hit.sum(axis=0) + (~known).sum(axis=0)))
        either = (hit | (np.abs(rel) <= 0.1))[known].mean()
        inside += int(hit[known].sum())
        count += int(known.sum())
        worst = min(worst, entry + seeds - len(z))
        shares = f"{hit[known].mean():8.1%} {either:7.1%} {entry:6d} of {len(z)}"
        sizes = f"{np.nanmean(z):9.2f} {np.sqrt(np.nanmean(z**2)):6.2f}"
        print(f"{name:20s} {len(z):6d} {shares} {sizes} {np.nanmedian(np.abs(rel)):9.2%}")
    share = inside / count
    print(f"pooled: {inside} of {count} intervals cover, {share:.1%}; fewest: {worst} of {seeds}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
