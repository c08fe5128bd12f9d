"""The combinations of instruments that groups own, as shipped: one chip, whoever measures it."""

from pathlib import Path

import numpy as np
import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_instruments.bench.loading import load_bench
from labctl_instruments.bench.writing import write_reaching
from labctl_instruments.errors import BenchError
from labctl_instruments.virtual.opening import open_rack
from labctl_instruments.virtual.serving.server import BenchServer

REAL = {
    "sim-2636b-707b": "smu-2636b-707b",
    "sim-2450-3706a": "smu-2450-3706a",
    "sim-b1500a-707b": "b1500a-707b",
}
"""Real benches by their simulated twins."""
COMBINATIONS = list(REAL)
ADDRESSES = np.array([[0, 0, 0], [0, 37, 5], [0, 127, 15]])


def without_noise(name: str, folder: Path) -> Path:
    """Write a shipped bench whose reads have no noise; its last table is [virtual]."""
    path = folder / f"{name}-quiet.toml"
    path.write_text(f"{load_bench(name).text}\nnoise = false\n", encoding="utf-8")
    return path


def read(bench: Path) -> np.ndarray:
    station = li.open_bench(bench)
    try:
        return station.read(Cells(ADDRESSES))
    finally:
        station.rest()
        station.close()


@pytest.mark.parametrize("name", COMBINATIONS)
def test_cells_conduct_the_same_whoever_measures_them(name: str, tmp_path: Path) -> None:
    assert read(without_noise(name, tmp_path)) == pytest.approx(
        read(without_noise("sim-smu", tmp_path)), rel=1e-3
    )


@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_real_bench_has_the_wiring_of_its_twin(name: str) -> None:
    twin, real = load_bench(name), load_bench(REAL[name])

    assert real.virtual is None
    assert real.wiring == twin.wiring
    for each, table in real.instruments.items():
        assert twin.instruments[each] == table


@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_served_bench_reads_as_the_one_in_process(name: str, tmp_path: Path) -> None:
    path = without_noise(name, tmp_path)
    file = load_bench(path)
    addresses = {each: table.address for each, table in file.instruments.items()}
    server = BenchServer(open_rack(file), addresses)
    reaching = tmp_path / "reaching.toml"
    write_reaching(file, server.instruments, reaching)

    try:
        found = read(reaching)
    finally:
        server.close()

    assert found == pytest.approx(read(path), rel=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('channel = "b"', 'channel = "a"', "address 'GPIB0::26::INSTR' is also used by"),
        ('channel = "b"', 'channel = "c"', "needs channel 'a' or 'b', found 'c'"),
        ('channel = "b"\n', "", "needs channel 'a' or 'b', found ''"),
    ],
)
def test_two_channels_of_one_instrument_are_two(tmp_path: Path, old, new, problem) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(load_bench("sim-2636b-707b").text.replace(old, new), encoding="utf-8")

    with pytest.raises(BenchError, match=problem):
        load_bench(path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('channel = "2"', 'channel = "1"', "address 'GPIB0::17::INSTR' is also used by"),
        ('channel = "5"', 'channel = "1"', "address 'GPIB0::17::INSTR' is also used by"),
        ('channel = "2"', 'channel = "11"', "needs channel '1' or '2' or .* found '11'"),
        ('address = "GPIB0::1::INSTR"', 'address = "GPIB0::17::INSTR"', "is also used by"),
        ('role = "pulser"', 'role = "bit-line"', "role 'bit-line' needs driver"),
    ],
)
def test_modules_of_one_mainframe_are_in_slots_of_their_own(tmp_path, old, new, problem) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(load_bench("sim-b1500a-707b").text.replace(old, new), encoding="utf-8")

    with pytest.raises(BenchError, match=problem):
        load_bench(path)


def test_a_3706a_has_six_rows(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    text = load_bench("sim-2450-3706a").text.replace('E = "pulser:1"', 'G = "pulser:1"')
    path.write_text(text, encoding="utf-8")

    with pytest.raises(BenchError, match="G: 'matrix1' has rows A to F only"):
        load_bench(path)
