"""Compare what a dry run predicts with what the run then takes, for each procedure and bench.

Run as `python tests/benchmarks/predictions.py [SEED]`. The chip of the prediction is another one
than that of the run (another seed of the same model): a prediction on the very chip of the run
would be the run. Prints predicted beside obtained, with the worst misses at the end.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from labctl.bench_choice import BenchChoice
from labctl.engine import run
from labctl.rehearsal import rehearse
from labctl_data.run_file import open_run
from labctl_procedures import catalogue

CELLS = {"sim-board": "0/0:64/:", "sim-smu": "0/0:16/:"}
FEW = {"sim-board": "0/0:2/0:4", "sim-smu": "0/0/0:2"}
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "IVSweep": {"cycles": "1"},
    "WriteVerify": {"levels": "8", "after": "10 min"},
    "ReadDisturb": {"levels": "4", "total": "10000"},
    "Retention": {"levels": "4", "duration": "1 h"},
    "DifferentialMAC": {"levels": "4", "vectors": "4"},
}
"""Parameters of each procedure; those of the catalogue that are not named run as they are."""


def compare(name: str, bench: str, seed: int, folder: Path) -> tuple[float, float]:
    """Print one line; return the misses of time and of pulses, as parts of what was obtained."""
    cells = FEW if name == "IVSweep" else CELLS
    values = {"cells": cells[bench], **SETTINGS.get(name, {})}
    predicted = rehearse(catalogue.make(name, values), BenchChoice(bench, seed + 1000))
    file = folder / f"{name}-{bench}.h5"
    with BenchChoice(bench, seed).open() as station:
        began, closed = station.now(), station.relay_closures
        result = run(catalogue.make(name, values), station, file)
        seconds, closures = station.now() - began, station.relay_closures - closed
    if result.status != "complete":
        raise SystemExit(f"{name} on {bench} ended as '{result.status}': nothing to compare with")
    pulses = int(open_run(file).ledger["count"].sum())
    misses = _miss(predicted.time, seconds), _miss(predicted.pulses, pulses)
    print(
        f"{name:16}{bench:10} "
        f"time {predicted.time:11.4g} s / {seconds:11.4g} s ({misses[0]:+6.1%}), "
        f"pulses {predicted.pulses:8d} / {pulses:8d} ({misses[1]:+6.1%}), "
        f"rows {predicted.rows} / {result.rows}, relays {predicted.relay_closures} / {closures}, "
        f"file {predicted.file_size} / {file.stat().st_size} B"
    )
    return misses


def _miss(predicted: float, obtained: float) -> float:
    return predicted / obtained - 1 if obtained else float(predicted != obtained)


def main(seed: int) -> None:
    print("predicted / obtained")
    with tempfile.TemporaryDirectory() as name:
        misses = [
            compare(procedure, bench, seed, Path(name))
            for procedure in catalogue.names()
            for bench in CELLS
        ]
    times, pulses = zip(*misses, strict=True)
    print(f"worst miss: time {max(map(abs, times)):.1%}, pulses {max(map(abs, pulses)):.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
