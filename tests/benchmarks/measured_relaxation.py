"""Relaxation of 13,000 real cells: fit reads up to 1 s, predict 4 s and 1e5 s by conductance bin.

    PYTHONPATH=.:procedures:instruments:data:gui \\
        python tests/benchmarks/measured_relaxation.py TABLES

TABLES is the folder of the measured tables. Above 9 uS only a third of the cells were read at 4 s,
below 9 uS (as last read) all of them: a bin across that edge is not a fair sample, and is marked.
The prediction for 1e5 s is written to tests/data/measured/prediction_1e5_s.csv: mean and standard
deviation of the change, and five quantiles of it.
"""

import csv
import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np

import labctl_data as ld
from labctl_data.fit.aging import fit_aging, predict_change
from labctl_data.fit.imported import aged_model, looks_of_retention
from labctl_data.fit.jumps import Changes, draw_changes, fit_share
from labctl_data.importing import import_table
from labctl_data.model import preset

MAPPINGS = Path(__file__).parents[1] / "data" / "measured"
EDGES = np.arange(0.0, 42.5e-6, 2.5e-6)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SELECTED = (5e-6, 12.5e-6)


def main(tables: Path) -> None:
    """Print predicted beside measured, and write the far prediction."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "retention.h5"
        import_table(MAPPINGS / "retention.toml", run, folder=tables)
        looks = looks_of_retention(ld.open_run(run))
    prior = preset("neurram")
    early = looks.keep(looks.elapsed <= 1.0)
    aging = fit_aging(early, prior)
    model = aged_model(prior, aging)
    print(
        f"effective onset {aging.onset * 1e3:.2f} +- {aging.onset_error * 1e3:.2f} ms, read noise"
    )
    print(f"{aging.read_noise:.2%}, mean squared residual {aging.misfit:.2f}, {aging.cells} cells")
    first = np.searchsorted(looks.series, looks.series)
    level, change = looks.conductance[first], looks.conductance - looks.conductance[first]
    print("bin uS        cells  sigma at 4 s: predicted measured  ratio | mean: predicted measured")
    within = []
    for low, high in itertools.pairwise(EDGES):
        rows = (looks.elapsed == 4.0) & (level >= low) & (level < high)
        found = change[rows]
        mean, sigma = _of_bin(model, level[rows], 4.0)
        fair = not SELECTED[0] <= low < SELECTED[1]
        ratio = sigma / found.std()
        within += [abs(ratio - 1) <= 0.15] if fair else []
        # The error of a standard deviation with the tails that these have.
        kurtosis = np.mean((found - found.mean()) ** 4) / found.var() ** 2
        doubt = np.sqrt((kurtosis - 1) / 4 / len(found))
        print(
            f"{low * 1e6:4.1f}-{high * 1e6:4.1f} {len(found):8d} {sigma * 1e6:18.2f} "
            f"{found.std() * 1e6:8.2f} {ratio:7.2f} +- {doubt:.2f} | {mean * 1e6:9.2f} "
            f"{found.mean() * 1e6:8.2f} +- {found.std() / len(found) ** 0.5 * 1e6:.2f}"
            f"{'' if fair else '  selected cells'}"
        )
    print(f"{sum(within)} of {len(within)} fair bins: sigma within 15 %")
    share = fit_share(early, model)
    jumping = model.with_parameters(relaxation_share=share[0]) if share else model
    print(f"share of half decades in which a cell moves: {jumping.relaxation_share:.3f}")
    _write(jumping, level[looks.elapsed == 0.0])


def _of_bin(model, level, elapsed):
    mean, sigma = predict_change(model, level, elapsed)
    return mean.mean(), np.sqrt(np.mean(sigma**2) + np.var(mean))


def _write(model, level) -> None:
    names = ["low_S", "high_S", "mean_change_S", "sigma_change_S"]
    with (MAPPINGS / "prediction_1e5_s.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, *(f"q{100 * share:02.0f}_S" for share in QUANTILES)])
        for low, high in itertools.pairwise(EDGES):
            inside = level[(level >= low) & (level < high)]
            mean, sigma = _of_bin(model, inside, 1e5)
            quantiles = np.quantile(_drawn(model, inside, 1e5), QUANTILES)
            writer.writerow([f"{x:.4g}" for x in (low, high, mean, sigma, *quantiles)])
            print(
                f"1e5 s, {low * 1e6:4.1f}-{high * 1e6:4.1f} uS: {mean * 1e6:+.2f} {sigma * 1e6:.2f}"
                f" | quantiles {' '.join(f'{q * 1e6:+.2f}' for q in quantiles)}"
            )


def _drawn(model, level, elapsed):
    """Draw changes of cells, a hundred times each, reads' noise included."""
    many = np.repeat(level, 100)
    still, later = np.zeros(len(many)), np.full(len(many), elapsed)
    decades = np.log10(1 + later / model.relaxation_time)
    changes = Changes(np.arange(len(many)), many, still, still, decades, later, 2 * many**2)
    return draw_changes(changes, model, model.relaxation_share, np.random.default_rng(1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
