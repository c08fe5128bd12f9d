"""The SMU station on 2400s does what it does on 2450s."""

from __future__ import annotations

import pytest

import labctl_instruments as li
from labctl_data.cells import Cells
from labctl_data.pulse import PulseKind
from labctl_instruments.bench.loading import find_bench

CELLS = Cells.of([[0, 5, 5], [0, 5, 6], [0, 90, 1]])


@pytest.fixture
def open_with(tmp_path):
    """Open the shipped SMU bench, without noise, with SMUs of one driver."""
    opened = []

    def open_one(driver: str):
        text = find_bench("sim-smu").read_text(encoding="utf-8") + "noise = false\n"
        path = tmp_path / f"{driver}.toml"
        path.write_text(text.replace("keithley-2450", driver), encoding="utf-8")
        opened.append(li.open_bench(path))
        return opened[-1]

    yield open_one
    for station in opened:
        station.rest()
        station.close()


def test_both_models_measure_and_program_the_same_chip(open_with):
    found = {}
    for driver in ("keithley-2400", "keithley-2450"):
        station = open_with(driver)
        before = station.read(CELLS)
        station.pulse(CELLS, PulseKind.RESET, 1.8, 50e-9, 4.7)
        swept = station.sweep(CELLS[:1], [0.1, 0.2, 0.3], gate=3.0, compliance=1e-6)
        found[driver] = (*before, *station.read(CELLS), *swept.currents)
        assert swept.in_compliance.tolist() == [True, True, True]

    # The 2400 has 5 1/2 digits and 1 uA as its lowest range: 5e-6 of range.
    assert found["keithley-2400"] == pytest.approx(found["keithley-2450"], rel=1e-3)


def test_the_limit_of_a_2400_stands_after_ten_reads(open_with):
    station = open_with("keithley-2400")
    for _ in range(10):
        station.read(CELLS)

    assert station._use.bit.current_limit == station.bench.envelope.current
