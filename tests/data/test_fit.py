"""The fit finds the truth behind runs of a simulated chip, and says what it cannot know."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import labctl_instruments
from labctl.engine import run
from labctl_data.cells import Geometry
from labctl_data.chip_file import FittedParameter, read_chip, write_chip
from labctl_data.errors import FitError
from labctl_data.fit import FitResult, fit
from labctl_data.fit.residuals import binned, residuals_of
from labctl_data.model import StuckClass, preset
from labctl_data.run_file import Column, RunWriter, open_run
from labctl_data.statistics import ks_distance, ks_distance_by_level, two_sample_test
from labctl_procedures.catalogue import make

BENCHES = Path(labctl_instruments.__file__).with_name("benches")
PLAN = ("IVSweep", "WriteVerify", "Retention", "ReadDisturb")
CARRIED = {
    "set_slope",
    "reset_slope",
    "width_exponent",
    "gate_threshold",
    "activation_energy",
    "cycle_spread",
    "relaxation_time",
    "disturb_slope",
    "rtn_fraction",
}
ENDURED = 4.5
"""Standard errors a fitted value may be off: 40 values at once leave 4 to chance in 400 runs."""


def written(folder: Path, bench: Path | str, names: tuple[str, ...], **chip: object) -> list[Path]:
    files = []
    with labctl_instruments.open_bench(bench, **chip) as station:  # type: ignore[arg-type]
        for name in names:
            files.append(folder / f"{name}.h5")
            run(make(name, {}), station, files[-1])
    return files


@pytest.fixture(scope="module")
def stuck_bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = (BENCHES / "sim-board.toml").read_text()
    path = tmp_path_factory.mktemp("bench") / "stuck.toml"
    path.write_text(text.replace("[virtual]", "[virtual]\nstuck = 0.02"))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, stuck_bench: Path) -> list[Path]:
    return written(tmp_path_factory.mktemp("runs"), stuck_bench, PLAN, seed=11)


@pytest.fixture(scope="module")
def result(runs: list[Path]) -> FitResult:
    return fit(runs)


def standing(result: FitResult) -> Mapping[str, FittedParameter]:
    return {parameter.name: parameter for parameter in result.parameters}


@pytest.mark.parametrize(
    "name",
    [
        "set_step",
        "set_sigma",
        "reset_step",
        "reset_sigma",
        "relaxation_drift",
        "relaxation_sigma",
        "read_noise",
        "rate_spread",
        "curvature",
        "disturb_drift",
        "formed_low",
        "formed_high",
    ],
)
def test_what_is_told_is_the_truth_within_its_error(result: FitResult, name: str) -> None:
    told = standing(result)[name]

    truth = np.asarray(preset("yao").parameters[name])
    assert told.identifiable
    off = np.abs(np.asarray(told.value) - truth) / np.asarray(told.uncertainty)
    assert np.max(off) < ENDURED
    assert "h5" in told.source


def test_errors_are_not_exaggerated(result: FitResult) -> None:
    truth = preset("yao").parameters
    off = [
        (np.asarray(p.value) - truth[p.name]) / np.asarray(p.uncertainty)
        for name, p in standing(result).items()
        if name.endswith(("_step", "_sigma")) and p.identifiable
    ]

    # 50 values of unit variance: their mean square lies within 0.4 to 2.5.
    assert 0.4 < np.mean(np.square(np.concatenate(off[:4]))) < 2.5


def test_what_the_procedures_cannot_part_is_carried_from_the_named_prior(
    result: FitResult,
) -> None:
    parameters = standing(result)

    assert not any(parameters[name].identifiable for name in CARRIED)
    assert {parameters[name].source for name in CARRIED} == {"preset yao"}
    assert parameters["gate_slope"].source == "preset yao, scaled to bound_high at set_gate"
    assert all(np.isnan(parameters[name].uncertainty) for name in CARRIED)


def test_the_upper_bound_is_found_where_cells_met_it(result: FitResult) -> None:
    bound = standing(result)["bound_high"]

    assert bound.identifiable
    assert float(bound.value) == pytest.approx(26e-6, rel=0.08)


def test_stuck_cells_are_found_and_obeying_cells_are_not(
    result: FitResult, runs: list[Path]
) -> None:
    failed = {fault["cell"] for fault in open_run(runs[1]).summary["failed"]}
    found = {"/".join(str(k) for k in cell) for cell in np.argwhere(result.stuck)}

    # 2 % of one PE; a cell stuck near its target looks written, and one more may fail by chance.
    assert 20 <= len(found) <= 65
    assert len(failed - found) <= 2
    assert not result.stuck[1:].any()
    assert set(np.unique(result.stuck)) <= {int(kind) for kind in StuckClass}


def test_a_twin_writes_like_the_original(
    result: FitResult, runs: list[Path], tmp_path: Path
) -> None:
    write_chip(tmp_path / "chip.h5", result.fitted, cells=result.cells)

    (file,) = written(tmp_path, "sim-board", ("WriteVerify",), seed=99, chip=tmp_path / "chip.h5")

    original, twin = pulses_and_drift(runs[1]), pulses_and_drift(file)
    for of_original, of_twin in zip(original[1:], twin[1:], strict=True):
        assert ks_distance_by_level(of_original, original[0], of_twin, twin[0]) < 0.1
        assert two_sample_test(of_original, of_twin).agrees(level=0.001)


def pulses_and_drift(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return target, pulses, and drift from the judging read to the last map, of obeying cells."""
    rows = open_run(path).records()
    cell = rows["row"].astype(int) * 16 + rows["column"]
    pulses, fresh, last, target = (np.zeros(2048) for _ in range(4))
    np.maximum.at(pulses, cell, rows["pulses"].astype(float))
    for stage, values in ((2, fresh), (3, last)):
        at = rows["stage"] == stage
        values[cell[at]] = rows["conductance"][at]
    target[cell] = rows["target"]
    good = np.abs(fresh - target) < 0.6e-6
    return target[good], pulses[good], (last - fresh)[good]


def test_residuals_of_the_fit_are_those_that_the_model_gives(
    result: FitResult, runs: list[Path]
) -> None:
    found = {each.name: each for each in residuals_of([open_run(p) for p in runs], result.model)}

    assert found.keys() == {"SET pulses", "RESET pulses", "relaxation"}
    for each in found.values():
        # A thousand values or more: chance makes 0.05 of a true model in one of twenty.
        assert ks_distance(each.z, each.expected) < 0.06, each.name
        _, quantiles, count = binned(each, 5)
        full = quantiles[count > 200]
        assert np.all(np.abs(full[:, 1]) < 0.25)
        assert np.all(full[:, 2] - full[:, 0] < 2.5)
        assert np.all(full[:, 2] - full[:, 0] > 1.5)


def test_residuals_show_where_a_model_is_wrong(result: FitResult, runs: list[Path]) -> None:
    doubled = result.model.with_parameters(reset_step=2 * np.asarray(result.model.reset_step))

    found = {each.name: each for each in residuals_of([open_run(runs[1])], doubled)}

    # RESETs are stronger the higher the cell: that is where too strong ones are missed most.
    _, quantiles, _ = binned(found["RESET pulses"], 5)
    assert quantiles[-1, 1] > 0.3
    assert abs(quantiles[1, 1]) < 0.2


def test_the_chip_file_gives_the_fit_back(result: FitResult, tmp_path: Path) -> None:
    write_chip(tmp_path / "chip.h5", result.fitted, cells=result.cells)

    chip = read_chip(tmp_path / "chip.h5")

    assert chip.model == result.model
    assert chip.cells is not None
    np.testing.assert_array_equal(chip.cells.stuck, result.stuck)
    assert [p.identifiable for p in chip.parameters] == [p.identifiable for p in result.parameters]


def test_a_sweep_alone_tells_the_curvature_alone(runs: list[Path]) -> None:
    told = {p.name for p in fit(runs[:1]).parameters if p.identifiable}

    assert told == {"curvature"}


def test_retention_alone_tells_no_step(runs: list[Path]) -> None:
    told = {p.name for p in fit([runs[2]]).parameters if p.identifiable}

    assert {"relaxation_drift", "relaxation_sigma"} <= told
    assert not told & {"set_step", "reset_step", "rate_spread", "bound_high", "curvature"}


def test_the_same_runs_give_the_same_fit(runs: list[Path], result: FitResult) -> None:
    assert fit(runs).model == result.model


def test_nothing_to_fit_is_refused() -> None:
    with pytest.raises(FitError, match="no run"):
        fit([])


def empty_run(path: Path, procedure: str, chip: str) -> Path:
    facts = {"procedure": procedure, "chip": chip, "geometry": list(Geometry(1, 2, 2).shape)}
    columns = (Column("pe", "", "PE", "i2"), Column("conductance", "S", "Conductance"))
    with RunWriter.create(path, columns=columns, attributes=facts) as writer:
        writer.append({"time": 0.0, "pe": 0, "conductance": 1e-6})
    return path


def test_runs_of_two_chips_are_refused(tmp_path: Path) -> None:
    one = empty_run(tmp_path / "one.h5", "Other", "a")
    two = empty_run(tmp_path / "two.h5", "Other", "b")

    with pytest.raises(FitError, match=r"one\.h5 is of chip .*a.*two\.h5 of chip .*b"):
        fit([one, two])


def test_a_run_without_the_columns_it_needs_is_named(tmp_path: Path) -> None:
    path = empty_run(tmp_path / "odd.h5", "WriteVerify", "a")

    with pytest.raises(FitError, match=r"odd\.h5.*WriteVerify.*without columns.*target"):
        fit([path])


def test_runs_that_tell_nothing_are_refused(tmp_path: Path) -> None:
    path = empty_run(tmp_path / "other.h5", "Other", "a")

    with pytest.raises(FitError, match=r"Other.* tell no parameter"):
        fit([path])
