"""Fits of two public sets of measurements: what they tell, and what they say they cannot."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from labctl_data.errors import FitError
from labctl_data.fit import FitResult, fit
from labctl_data.fit.aging import fit_aging, predict_change
from labctl_data.fit.imported import aged_model, looks_of_retention, relaxed_model
from labctl_data.fit.jumps import changes_of, draw_changes
from labctl_data.fit.offset_sweeps import fit_offset_curvature
from labctl_data.importing import import_table
from labctl_data.model import preset
from labctl_data.run_file import Run, open_run
from labctl_data.statistics import ks_distance

QUANTILES = ("05", "25", "50", "75", "95")
MAPPINGS = Path(__file__).parent / "measured"


def tables() -> Path:
    """Return the folder of the measured tables; skip where there is none."""
    named = os.environ.get("LABCTL_MEASURED")
    beside = Path(os.environ.get("LABCTL_DATASETS", "datasets")).parent / "measured"
    folder = Path(named) if named else beside
    if not (folder / "stanford_1t1r_levy").is_dir():
        pytest.skip("the measured tables are not here: set LABCTL_MEASURED to their folder")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder, where = tmp_path_factory.mktemp("measured"), tables()
    found = {}
    for mapping in sorted(MAPPINGS.glob("*.toml")):
        import_table(mapping, folder / f"{mapping.stem}.h5", folder=where)
        found[mapping.stem] = open_run(folder / f"{mapping.stem}.h5")
    return found


@pytest.fixture(scope="module")
def result(runs: dict[str, Run]) -> FitResult:
    return fit([runs[name] for name in ("retention", "set", "iv", "forming")], prior="neurram")


def test_the_preset_is_what_the_fit_makes_of_the_tables(result: FitResult) -> None:
    shipped = preset("stanford-1t1r")

    told = {each.name for each in result.parameters if each.identifiable}
    for name in told - {"set_voltage", "set_step"}:
        assert result.model.parameters[name] == pytest.approx(
            np.asarray(shipped.parameters[name]), rel=0.01, abs=1e-9
        ), name
    assert {"relaxation_sigma", "set_slope", "gate_slope", "curvature", "formed_low"} <= told


def test_reads_up_to_a_second_predict_the_spread_at_four(runs: dict[str, Run]) -> None:
    looks = looks_of_retention(runs["retention"])
    prior = preset("neurram")
    model = aged_model(prior, fit_aging(looks.keep(looks.elapsed <= 1.0), prior))
    first = np.searchsorted(looks.series, looks.series)
    level, change = looks.conductance[first], looks.conductance - looks.conductance[first]

    # Above 12.5 uS the cells read at 4 s are a third of all, chosen by nothing that moved.
    rows = (looks.elapsed == 4.0) & (level >= 12.5e-6) & (level < 40e-6)
    _, sigma = predict_change(model, level[rows], 4.0)

    # 3,000 cells with a kurtosis of ten know their standard deviation to 3 %.
    assert np.sqrt(np.mean(sigma**2)) == pytest.approx(np.std(change[rows]), rel=0.09)


def test_the_prediction_on_file_is_that_of_the_fit(runs: dict[str, Run]) -> None:
    looks = looks_of_retention(runs["retention"])
    prior = preset("neurram")
    model = aged_model(prior, fit_aging(looks.keep(looks.elapsed <= 1.0), prior))
    level = looks.conductance[looks.elapsed == 0.0]

    with (MAPPINGS / "prediction_1e5_s.csv").open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == 16
    for row in rows:
        inside = level[(level >= row["low_S"]) & (level < row["high_S"])]
        mean, sigma = predict_change(model, inside, 1e5)
        assert row["mean_change_S"] == pytest.approx(mean.mean(), abs=2e-8)
        whole = np.sqrt(np.mean(sigma**2) + np.var(mean))
        assert row["sigma_change_S"] == pytest.approx(whole, rel=2e-3)
        middle = [row[f"q{share}_S"] for share in QUANTILES]
        assert middle == sorted(middle)
        # Most cells that move rarely lie nearer to the middle than a normal law would have them.
        assert row["q75_S"] - row["q25_S"] < 0.9 * 1.349 * row["sigma_change_S"]


def test_the_law_of_jumps_is_nearer_to_cells_and_times_it_never_saw(runs: dict[str, Run]) -> None:
    looks = looks_of_retention(runs["retention"])
    held = looks.series % 5 == 0
    early = looks.keep(~held & (looks.elapsed <= 1.0))
    model = relaxed_model(preset("neurram"), early)
    changes = changes_of(looks.keep(held), model)
    at = changes.elapsed == 4.0

    def distance(share: float) -> float:
        rng = np.random.default_rng(1)
        drawn = np.stack([draw_changes(changes, model, share, rng)[at] for _ in range(8)])
        return ks_distance(changes.change[at], drawn)

    # 1,250 cells: chance alone makes 0.04 in one of twenty.
    assert distance(model.relaxation_share) < 0.1 < distance(1.0)


def test_curvature_by_conductance_is_that_read_off_by_hand(runs: dict[str, Run]) -> None:
    rows = runs["iv"].records()
    sweep = rows["row"].astype(np.int64) * 256 + rows["column"]

    classes = fit_offset_curvature(sweep, rows["voltage"], rows["current"])

    for found, expected in zip(classes, (3.8, 3.0, 1.9, 0.9), strict=True):
        assert abs(found.value - expected) < 3 * found.error + 0.05
        assert found.offset == pytest.approx(0.6e-6, abs=0.15e-6)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("reset", "cells respond at 1 of 6 amplitudes"),
        ("bake", "the mapping states no duration"),
        ("endurance", "too little to time wear"),
    ],
)
def test_what_a_table_cannot_tell_is_said_and_not_invented(
    runs: dict[str, Run], name: str, reason: str
) -> None:
    with pytest.raises(FitError, match="tell no parameter") as refused:
        fit([runs[name]])
    assert reason in str(refused.value)


def test_one_cell_read_ten_thousand_times_tells_read_noise(runs: dict[str, Run]) -> None:
    result = fit([runs["reads"]])

    # 1.7 % in all, of which 1.3 % from one read to the next: what neighbours share is 1/f noise.
    model, noted = result.model, result.quality["reads reads.h5"]
    assert noted["neighbours"] == pytest.approx(0.0126, rel=0.03)
    decades = np.log10(0.0466 / 1e-6) + 1 / np.log(10)
    assert np.hypot(model.read_noise, model.flicker_noise * decades**0.5) == pytest.approx(
        0.0126, rel=0.03
    )
    whole = np.log10(466 / 1e-6)
    assert np.hypot(model.read_noise, model.flicker_noise * whole**0.5) == pytest.approx(
        0.0155, rel=0.1
    )
    assert noted["held_out_ks"]["the last fifth"]["distance"] < 0.08
