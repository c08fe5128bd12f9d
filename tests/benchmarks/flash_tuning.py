"""Tune floating-gate cells on the simulated flash bench: by a model of the cell, and by trains.

Run as `python tests/benchmarks/flash_tuning.py [CHIPS]`. By model, 100 cells of each chip: before a
write pulse the cell is read, the model says which amplitude takes it to its target, and what the
pulse did corrects the cell's own rate. Published (Merrikh Bayat et al., DRC 2016, abstract): 100
cells, a range of four decades, mean error about 3 % after 10 write pulses, about 0.3 % after 35.
By trains: WriteVerify with identical pulses, 30 % of the cells of three chips, beside the published
mean errors of 4.4, 5.6 and 3.6 % of three chips of which about 30 % of the cells were tuned.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from labctl.engine import run
from labctl_data.cells import Cells
from labctl_data.model import FloatingGateModel, preset
from labctl_data.model.floating_gate_tuning import amplitude_for, strength_for, threshold
from labctl_data.pulse import PulseKind
from labctl_data.run_file import open_run
from labctl_instruments import open_bench
from labctl_procedures import WriteVerify

MODEL: FloatingGateModel = preset("flash-180nm")
LOW, HIGH = 0.3e-9, 1.4e-6
"""Range of the targets, in S: most of the cell's four decades."""
CELLS = 100
AVERAGES = 64
JUDGING = 4096
WIDTH = 10e-6
GATES = {PulseKind.SET: 6.0, PulseKind.RESET: 1.5}
CEILING = 5.0
"""Highest amplitude of the bench, in V."""
LOOKS = (1, 2, 3, 5, 10, 20, 35)


class Rates:
    """What is known of each cell's rate: its logarithm's mean and variance."""

    def __init__(self, n: int) -> None:
        self.mean = np.zeros(n)
        self.variance = np.full(n, MODEL.rate_spread**2)

    def learn(self, wanted: np.ndarray, found: np.ndarray, noise: np.ndarray) -> None:
        """Correct by the ratio of strengths found and wanted; `noise` is that of its logarithm."""
        seen = (found > 0) & (wanted > 0) & (noise < 1.0)
        surprise = np.log(np.where(seen, found / np.where(seen, wanted, 1.0), 1.0))
        gain = self.variance / (self.variance + MODEL.cycle_spread**2 + noise**2)
        self.mean += np.where(seen, gain * surprise, 0.0)
        self.variance *= np.where(seen, 1.0 - gain, 1.0)


def tune(seed: int, n: int, last: int) -> dict[int, np.ndarray]:
    """Tune n cells by the model; return the relative errors after each number of pulses."""
    rng = np.random.default_rng(seed)
    targets = np.exp(rng.uniform(np.log(LOW), np.log(HIGH), n))
    aim, errors, rates = threshold(MODEL, targets), {}, Rates(n)
    with open_bench("sim-flash", seed=seed) as station:
        cells = Cells.from_index(np.arange(n), station.geometry)
        at = threshold(MODEL, station.read(cells, 0.2, AVERAGES))
        for pulse in range(1, last + 1):
            kinds, needed = strength_for(MODEL, at, aim)
            gates = np.where(kinds == PulseKind.SET, *GATES.values())
            asked = np.maximum(needed / np.exp(rates.mean), 1e-12)
            amplitude = amplitude_for(MODEL, kinds, asked, width=WIDTH, gate=gates)
            limited = amplitude > CEILING
            station.pulse(cells, kinds, np.minimum(amplitude, CEILING), WIDTH, gates)
            after = threshold(MODEL, station.read(cells, 0.2, AVERAGES))
            _, found = strength_for(MODEL, at, after)
            moved = np.sign(after - at) == np.where(kinds == PulseKind.RESET, 1, -1)
            noise = 1.6 * 0.0257 * MODEL.read_noise * np.sqrt(2 / AVERAGES) / np.abs(after - at)
            expected = asked * np.exp(rates.mean)
            rates.learn(np.where(limited, 0.0, expected), np.where(moved, found, 0.0), noise)
            at = after
            if pulse in LOOKS:
                judged = station.read(cells, 0.2, JUDGING)
                errors[pulse] = np.abs(judged / targets - 1.0)
    return errors


def train(seed: int, folder: Path) -> tuple[float, float, float]:
    """Write 30 % of the cells to within 5 % by identical pulses; return errors and pulses."""
    path = folder / f"{seed}.h5"
    shape = {"set_amplitude": 3.5, "set_gate": 6.0, "reset_amplitude": 4.2, "reset_gate": 1.5}
    procedure = WriteVerify(
        cells="0/0:38/:", levels=8, g_min=0.2e-6, g_max=1.2e-6, window=10e-9, width=WIDTH, after=(),
        limit=2000, **shape,
    )  # fmt: skip
    with open_bench("sim-flash", seed=seed) as station:
        run(procedure, station, path)
    rows = open_run(path).records()
    fresh = rows["stage"] == 2
    error = np.abs(rows["conductance"][fresh] / rows["target"][fresh] - 1.0)
    return float(error.mean()), float(rows["pulses"][fresh].mean()), float(fresh.sum())


def main(chips: int) -> None:
    """Print one line a figure."""
    tuned = [tune(seed, CELLS, LOOKS[-1]) for seed in range(1, chips + 1)]
    for pulses in LOOKS:
        told = {10: " (published: about 3 %)", 35: " (published: about 0.3 %)"}.get(pulses, "")
        means = [each[pulses].mean() for each in tuned]
        middle = np.median(np.concatenate([each[pulses] for each in tuned]))
        print(
            f"by model, {chips} chips of {CELLS} cells, after {pulses} pulses: mean error "
            f"{np.mean(means):.2%}, of chips {min(means):.2%} to {max(means):.2%}, "
            f"median of cells {middle:.2%}{told}"
        )
    with tempfile.TemporaryDirectory() as folder:
        for seed, published in ((1, 4.4), (2, 5.6), (3, 3.6)):
            error, pulses, cells = train(seed, Path(folder))
            print(
                f"by trains, chip {seed}: {cells:.0f} cells, mean error {error:.2%} "
                f"(published: {published} %), {pulses:.0f} pulses on average"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
