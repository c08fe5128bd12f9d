"""What hybrid training recovers on the simulated chip, paired over chips.

    python tests/benchmarks/hybrid_training.py [IMAGES] [CHIPS]

IMAGES is `mnist` (default) or `digits`, CHIPS how many seeds (5 by default). For each chip of the
preset `yao`, and for each condition, the five-layer network is programmed through the board's
dialogue, left alone for ten minutes of bench time (in which the preset relaxes to Yao's 108 nA),
judged on all test images with read noise on, trained in place on a tenth of the training images,
and judged again. Conditions:

* plain: the programming error the chip makes by itself;
* 3x error: every write, in training too, aims beside its target by a Gaussian error (cut where no
  cell can follow), of a size that makes the root mean square of all errors three times 108 nA;
* 2 % stuck: 45 % of them low, 45 % high, 5 % open, 5 % short, unknown to the controller.

Recovery is (trained - programmed) / (quantised - programmed), of the sums over all chips.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

from labctl_instruments import load_bench, open_bench
from labctl_procedures.network import (
    ErrorSource,
    ProgramSettings,
    TrainSettings,
    accuracy_quantized,
    accuracy_software,
    infer,
    load_images,
    load_network,
    map_network,
    program,
    train_in_situ,
)

YAO_ERROR = 108e-9 / 0.2
"""Yao's programming error, in S."""
SETTLE = 600.0


@dataclass(frozen=True)
class Condition:
    """What is wrong with a chip."""

    name: str
    added_error: float = 0.0
    stuck: float = 0.0


def sigma_for(error: float, targets: np.ndarray) -> float:
    """Return the sigma of aims that adds an error of `error` (S, root mean square) to targets."""

    def added(sigma: float) -> float:
        aims = ErrorSource(sigma).aims(targets, np.random.default_rng(0))
        return float(np.sqrt(np.mean(np.square(aims - targets))))

    return float(brentq(lambda sigma: added(sigma) - error, error, 10 * error, rtol=1e-3))


def bench_file(folder: Path, condition: Condition) -> Path:
    text = load_bench("sim-board").text.split("[virtual]")[0]
    path = folder / f"board-{condition.stuck:g}.toml"
    path.write_text(f'{text}\n[virtual]\npreset = "yao"\nstuck = {condition.stuck}\n', "utf-8")
    return path


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "mnist"
    chips = range(1, 1 + int(sys.argv[2] if len(sys.argv) > 2 else 5))
    images = load_images(name)
    network = load_network("mcnn", name)
    plan = map_network(network, load_bench("sim-board").geometry.geometry(), images.train_images)
    test = images.test_images, images.test_labels
    quantised = accuracy_quantized(plan, *test)
    sigma = sigma_for(np.sqrt(3**2 - 1) * YAO_ERROR, plan.targets)
    conditions = (
        Condition("plain"),
        Condition("3x error", added_error=sigma),
        Condition("2 % stuck", stuck=0.02),
    )
    print(f"{name}: software {accuracy_software(network, *test):.4f}, 15 levels {quantised:.4f}")
    print("condition   chip  programmed  trained   error uS  failed  pairs   pulses  seconds")
    with tempfile.TemporaryDirectory() as folder:
        for condition in conditions:
            path = bench_file(Path(folder), condition)
            results = np.array([row(path, condition, seed, plan, images) for seed in chips])
            lost = quantised - results[:, 0]
            won = results[:, 1] - results[:, 0]
            print(
                f"{condition.name:<10}  mean  {results[:, 0].mean():.4f}      "
                f"{results[:, 1].mean():.4f}    recovery {won.sum() / lost.sum():.2f} of the loss "
                f"of {100 * lost.mean():.2f} points; chips with half or more recovered: "
                f"{np.count_nonzero(won >= lost / 2)} of {len(results)}"
            )


def row(path, condition, seed, plan, images) -> tuple[float, float]:
    begun = time.perf_counter()
    with open_bench(path, seed=seed) as station:
        settings = ProgramSettings(error=ErrorSource(condition.added_error, seed), settle=SETTLE)
        written = program(station, plan, settings)
        before = infer(station, plan, images.test_images, images.test_labels)
        learning = TrainSettings(error=ErrorSource(condition.added_error, 1000 + seed))
        report = train_in_situ(station, plan, images, learning)
        after = infer(station, plan, images.test_images, images.test_labels)
    print(
        f"{condition.name:<10}  {seed:>4}  {before.accuracy:.4f}      {after.accuracy:.4f}    "
        f"{written.error * 1e6:.3f}     {np.count_nonzero(written.failed):>4}  {report.writes:>6}  "
        f"{report.pulses:>7}  {time.perf_counter() - begun:.1f} (training {report.seconds:.1f})",
        flush=True,
    )
    return before.accuracy, after.accuracy


if __name__ == "__main__":
    main()
