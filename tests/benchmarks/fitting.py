"""Measure the fit of a PE: `python tests/benchmarks/fitting.py` runs the procedures, then fits."""

import tempfile
import time
from pathlib import Path

import labctl_instruments
from labctl.engine import run
from labctl_data.fit import fit
from labctl_data.run_file import open_run
from labctl_procedures.catalogue import make


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        files = []
        with labctl_instruments.open_bench("sim-board", seed=1) as station:
            for procedure in ("IVSweep", "WriteVerify", "Retention", "ReadDisturb"):
                files.append(Path(name) / f"{procedure}.h5")
                run(make(procedure, {}), station, files[-1])
        fit(files[:1])  # imports
        for chosen in (files[1:2], files):
            rows = sum(open_run(file).rows for file in chosen)
            wall, processor = time.perf_counter(), time.process_time()
            fit(chosen)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            print(f"{len(chosen)} runs, {rows:,} rows: {wall:.2f} s, processor {processor:.2f} s")


if __name__ == "__main__":
    main()
