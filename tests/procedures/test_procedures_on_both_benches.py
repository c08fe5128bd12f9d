"""Each of the five procedures, unchanged, on the array-test board and on the SMU bench."""

from pathlib import Path

import numpy as np
import pytest

from labctl.engine import run
from labctl_data.run_file import Run, open_run
from labctl_data.statistics import two_sample_test
from labctl_instruments import open_bench
from labctl_procedures import catalogue

SMALL: dict[str, dict[str, object]] = {
    "IVSweep": {"cells": "0/0/0:2", "step": "0.1V", "cycles": 1},
    "WriteVerify": {"cells": "0/0/0:4", "levels": 4, "window": "1uS", "after": "1min"},
    "ReadDisturb": {"cells": "0/0/0:4", "levels": 2, "window": "1uS", "total": 10_000},
    "Retention": {"cells": "0/0/0:4", "levels": 2, "window": "1uS", "duration": "1h"},
    "DifferentialMAC": {"cells": "0/0:2/0:4", "vectors": 2},
}


@pytest.fixture(params=["sim-board", "sim-smu"])
def bench(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def measured(bench: str, name: str, path: Path, **values: object) -> Run:
    procedure = catalogue.make(name, {**SMALL[name], **values})
    with open_bench(bench, seed=5) as station:
        result = run(procedure, station, path)
    assert result.status == "complete"
    return open_run(path)


@pytest.mark.parametrize("name", SMALL)
def test_a_procedure_runs_to_its_end_and_stores_its_columns(
    bench: str, name: str, tmp_path: Path
) -> None:
    stored = measured(bench, name, tmp_path / "run.h5")

    assert stored.status == "complete"
    assert stored.procedure == name
    assert stored.rows > 0
    assert stored.columns == catalogue.load(name).COLUMNS
    times = stored.record("time")
    assert np.all(np.diff(times) >= 0)
    assert times[0] > 0


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_on_the_same_bench_gives_the_same_rows(
    bench: str, name: str, tmp_path: Path
) -> None:
    first = measured(bench, name, tmp_path / "first.h5").records()
    second = measured(bench, name, tmp_path / "second.h5").records()

    for column, values in first.items():
        assert np.array_equal(values, second[column], equal_nan=values.dtype.kind == "f"), column


def test_a_loop_ends_where_it_began_and_keeps_below_its_compliance(
    bench: str, tmp_path: Path
) -> None:
    records = measured(bench, "IVSweep", tmp_path / "iv.h5", compliance="30uA").records()

    voltages = records["voltage"]
    assert (voltages.max(), voltages.min()) == (1.5, -1.2)
    assert voltages[0] == voltages[-1] == 0.0
    assert np.abs(records["current"]).max() <= 30e-6 * 1.05
    assert records["in_compliance"].any()


def test_reads_are_counted_and_leave_a_cell_nearly_unchanged(bench: str, tmp_path: Path) -> None:
    records = measured(bench, "ReadDisturb", tmp_path / "disturb.h5").records()

    assert list(np.unique(records["reads"])) == [0, 1, 10, 100, 1000, 10_000]
    first = records["conductance"][records["reads"] == 0]
    last = records["conductance"][records["reads"] == 10_000]
    # Yao: distributions are nearly unchanged after 1e6 reads; here drift and noise of 1e4.
    assert np.abs(last - first).max() < 2e-6


def test_the_looks_of_a_retention_run_are_late_by_what_elapsed_says(
    bench: str, tmp_path: Path
) -> None:
    records = measured(bench, "Retention", tmp_path / "retention.h5").records()

    assert records["elapsed"].min() > 0
    assert records["elapsed"].max() == pytest.approx(3600, rel=0.05)
    one = (records["row"] == 0) & (records["column"] == 0)
    assert np.diff(records["elapsed"][one]) == pytest.approx(np.diff(records["time"][one]))


def test_measured_sums_are_what_the_conductances_give(bench: str, tmp_path: Path) -> None:
    records = measured(bench, "DifferentialMAC", tmp_path / "mac.h5", vectors=8).records()

    span = 255 * 255
    assert np.abs(records["expected"]).max() > 0.02 * span
    # 8 bits a slot: half a step in each of 8 slots and 2 lines is at most 255 of 65,025.
    assert np.abs(records["reference"] - records["expected"]).max() <= 256
    assert np.abs(records["measured"] - records["expected"]).max() < 0.05 * span


def test_a_reference_line_is_subtracted_from_every_other_line(bench: str, tmp_path: Path) -> None:
    asked = {"cells": "0/0:4/0:4", "vectors": 8, "full_scale": "20uA"}
    paired = measured(bench, "DifferentialMAC", tmp_path / "pairs.h5", **asked).records()
    stored = measured(
        bench, "DifferentialMAC", tmp_path / "line.h5", reference_line=True, **asked
    ).records()

    assert set(stored["minus_row"]) == {3}
    first, second, third = (stored["row"] == row for row in range(3))
    # First less second is what the pair of the two gives; the third with the last is a pair.
    between = stored["expected"][first] - stored["expected"][second]
    assert between == pytest.approx(paired["expected"][paired["row"] == 0])
    assert stored["expected"][third] == pytest.approx(paired["expected"][paired["row"] == 2])
    assert np.abs(stored["reference"] - stored["expected"]).max() <= 256
    errors = stored["measured"] - stored["expected"]
    assert np.abs(errors).max() < 0.05 * 255 * 255


def test_cells_need_as_many_pulses_on_the_smu_bench_as_on_the_board(tmp_path: Path) -> None:
    values = {"cells": "0/0:4/:", "levels": 4, "g_min": "8uS", "window": "0.4uS", "after": ""}
    board = measured("sim-board", "WriteVerify", tmp_path / "board.h5", **values)
    smu = measured("sim-smu", "WriteVerify", tmp_path / "smu.h5", **values)

    pulses = [stored.record("pulses")[stored.record("stage") == 2] for stored in (board, smu)]
    # 64 cells a bench; 512 cells in tests/benchmarks/write_verify.py
    assert two_sample_test(*pulses).agrees(level=0.01)
