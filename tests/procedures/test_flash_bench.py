"""The shipped flash bench: cells are written, baked, and refused by a fit of another kind."""

from pathlib import Path

import numpy as np
import pytest

from labctl.engine import run
from labctl_data.errors import FitError, LabctlError
from labctl_data.fit import fit
from labctl_data.run_file import open_run
from labctl_instruments import load_bench, open_bench
from labctl_procedures import Retention, WriteVerify
from labctl_procedures.closed_loop import Stage

CELLS = "0/0:2/0:32"
PULSES = {
    "set_amplitude": "3.5V",
    "set_gate": "6V",
    "reset_amplitude": "4.5V",
    "reset_gate": "1.5V",
    "width": "10us",
}
"""SET erases: 9.5 V over the oxide. RESET programs: 4.5 V at the drain of an open channel."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A write to levels and a bake of the same cells at 125 C."""
    written, baked = (tmp_path_factory.mktemp("flash") / name for name in ("w.h5", "b.h5"))
    levels = {"levels": 4, "g_min": "0.1uS", "g_max": "1uS", "window": "10nS"}
    with open_bench("sim-flash", seed=4) as station:
        run(WriteVerify(cells=CELLS, after=(), **levels, **PULSES), station, written)
        bake = Retention(cells=CELLS, levels=0, duration="1000h", temperature="398.15K")
        run(bake, station, baked)
        assert station.temperature() == pytest.approx(298.15, abs=1.0)
    return written, baked


def test_identical_pulses_write_floating_gate_cells_to_levels(runs: tuple[Path, Path]) -> None:
    written = open_run(runs[0])
    rows = written.records()
    fresh = rows["stage"] == Stage.FRESH

    assert written.summary["converged"] == 1.0
    errors = rows["conductance"][fresh] - rows["target"][fresh]
    assert np.sqrt(np.mean(errors**2)) < 10e-9


def test_cells_are_read_hot_and_drift_little_in_a_thousand_hours(runs: tuple[Path, Path]) -> None:
    cold = open_run(runs[0]).records()
    rows = open_run(runs[1]).records()
    looks = np.unique(rows["elapsed"])
    first, last = (rows["conductance"][rows["elapsed"] == at] for at in (looks[0], looks[-1]))

    room = np.median(cold["conductance"][cold["stage"] == Stage.MAP])
    assert np.median(first) > 3 * room
    assert looks[-1] >= 3.6e6
    assert np.abs(np.log(last / first)).max() < 0.15


def test_a_fit_refuses_cells_that_its_prior_never_met(runs: tuple[Path, Path]) -> None:
    with pytest.raises(FitError, match=r"w\.h5: cells of .* none ever inside the window of the"):
        fit([runs[0]])


@pytest.mark.parametrize(
    ("bench", "kelvin", "complaint"),
    [
        ("sim-board", "398K", "parameter 'temperature' is 398 K, but the bench sim-board has no"),
        ("sim-flash", "500K", "temperature 500 K exceeds temperature = 430 K"),
    ],
)
def test_heat_that_a_bench_has_not_is_refused_before_anything_is_begun(
    bench: str, kelvin: str, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.h5"
    procedure = Retention(cells="0/0/0:4", levels=0, temperature=kelvin)

    with open_bench(bench, seed=1) as station, pytest.raises(LabctlError, match=complaint):
        run(procedure, station, path)

    assert not path.exists() or open_run(path).rows == 0


def test_a_bench_that_would_read_at_another_gate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "smu.toml"
    path.write_text(load_bench("sim-smu").text.replace('preset = "yao"', 'preset = "flash-180nm"'))

    with pytest.raises(
        LabctlError, match=r"smu\.toml \[measurement\]: read_gate is 3 V, but .* 2.5 V"
    ):
        open_bench(path, seed=1)


def test_an_array_without_gates_has_no_floating_gate_cells(tmp_path: Path) -> None:
    path = tmp_path / "passive.toml"
    path.write_text(load_bench("sim-flash").text + "\n[passive]\n")

    with pytest.raises(LabctlError, match=r"passive\.toml: \[passive\] has no gates"):
        open_bench(path, seed=1)
