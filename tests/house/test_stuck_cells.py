"""The stuck-cell map, carried from run to run by chip files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import labctl_instruments as li
from labctl.chip_fitting import fit_to_file
from labctl.engine import run
from labctl_data.chip_file import CellState, read_chip, write_chip
from labctl_data.errors import LabctlError
from labctl_data.model import StuckClass, preset
from labctl_data.run_file import Run, open_run
from labctl_procedures import WriteVerify
from labctl_procedures.network import load_images, load_network, map_network, program

CELLS = "0/0:16/:"
SHIPPED = Path(li.__file__).parent / "benches"


def bench_with(folder: Path, *changes: tuple[str, str], name: str = "bench") -> Path:
    """Write the shipped board bench with some texts changed."""
    text = (SHIPPED / "sim-board.toml").read_text(encoding="utf-8")
    for old, new in changes:
        text = text.replace(old, new, 1)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


PLANTED = ("[virtual]\n", "[virtual]\nstuck = 0.02\n")
NAMED = ("[identity]\n", '[identity]\nchip_file = "chip.h5"\n')


def written(bench: Path, path: Path, chip: Path | None = None) -> Run:
    with li.open_bench(bench, chip=chip) as station:
        run(WriteVerify(cells=CELLS, levels=8), station, path)
    return open_run(path)


def named_stuck(run: Run, reason: str) -> set[str]:
    return {
        event.text.split(":")[0]
        for event in run.events
        if event.kind == "write-failed" and reason in event.text
    }


def most_pulses(run: Run, addresses: set[str]) -> int:
    places = zip(*(run.record(name) for name in ("pe", "row", "column")), strict=True)
    mine = np.array(["/".join(map(str, place)) in addresses for place in places])
    return int(run.record("pulses")[mine].max())


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A chip with 2 % of its cells stuck, written without knowing, and fitted."""
    folder = tmp_path_factory.mktemp("stuck")
    before = written(bench_with(folder, PLANTED), folder / "first.h5")
    fit_to_file([folder / "first.h5"], folder / "chip.h5")
    return folder, before


def test_cells_that_one_run_found_stuck_get_no_pulse_in_the_next_with_its_chip_file(first) -> None:
    folder, before = first
    found = named_stuck(before, "stuck")

    after = written(bench_with(folder), folder / "twin.h5", chip=folder / "chip.h5")

    assert len(found) >= 2
    assert named_stuck(after, "known stuck") == found
    assert most_pulses(before, found) >= 100
    assert most_pulses(after, found) == 0


def test_a_bench_file_that_names_a_chip_file_spares_the_cells_it_calls_stuck(first) -> None:
    folder, before = first
    found = named_stuck(before, "stuck")

    bench = bench_with(folder, PLANTED, NAMED, name="knowing")
    after = written(bench, folder / "again.h5")

    assert named_stuck(after, "known stuck") == found
    assert most_pulses(after, found) == 0
    assert after.attributes["stuck_file"] == str(folder / "chip.h5")


def test_a_fit_of_a_run_that_spared_its_stuck_cells_still_names_them(first) -> None:
    folder, _ = first
    bench = bench_with(folder, PLANTED, NAMED, name="third")
    written(bench, folder / "third.h5")

    fit_to_file([folder / "third.h5"], folder / "next.h5")

    np.testing.assert_array_equal(stuck_of(folder / "next.h5"), stuck_of(folder / "chip.h5"))


def test_a_network_is_programmed_without_a_pulse_on_a_known_stuck_cell(tmp_path: Path) -> None:
    stuck = np.zeros((8, 128, 16), np.int8)
    images = load_images("digits")
    with li.open_bench("sim-board") as station:
        plan = map_network(load_network("mcnn", "digits"), station.geometry, images.train_images)
    stuck[tuple(plan.cells[::1000].addresses.T)] = StuckClass.STUCK_LOW
    write_chip(tmp_path / "chip.h5", preset("yao"), cells=CellState(stuck))

    with li.open_bench(bench_with(tmp_path, NAMED)) as station:
        report = program(station, plan)

    expected = len(plan.cells[::1000])
    assert report.known_stuck == expected
    assert report.result.pulses[::1000].max() == 0
    assert sum("known stuck" in failure for failure in report.failures()) == expected


def test_a_chip_file_of_another_geometry_is_refused_by_name(tmp_path: Path) -> None:
    cells = CellState(np.zeros((1, 2, 2), np.int8))
    write_chip(tmp_path / "chip.h5", preset("yao"), cells=cells)

    with pytest.raises(LabctlError, match=r"chip\.h5.*\(1, 2, 2\)"):
        li.open_bench(bench_with(tmp_path, NAMED))


def test_a_run_remembers_the_whole_path_of_its_chip_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_chip(tmp_path / "chip.h5", preset("yao"))
    monkeypatch.chdir(tmp_path)

    with li.open_bench("sim-board", chip="chip.h5") as station:
        run(WriteVerify(cells="0/0/0:4", levels=4), station, "write.h5")

    assert open_run("write.h5").attributes["chip_file"] == str(tmp_path / "chip.h5")


def stuck_of(path: Path) -> npt.NDArray[np.int8]:
    cells = read_chip(path).cells
    assert cells is not None
    return cells.stuck
