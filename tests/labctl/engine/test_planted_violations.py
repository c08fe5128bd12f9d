"""What is asked beyond the envelope, by whatever way: found before an output is on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.bench_choice import BenchChoice
from labctl.engine import RunError, run
from labctl.rehearsal import rehearse
from labctl_data.cells import Cells
from labctl_data.mac_plan import MacPlan
from labctl_instruments import open_bench
from labctl_instruments.bench.loading import find_bench
from labctl_instruments.errors import EnvelopeError
from labctl_instruments.station import Station
from labctl_procedures import catalogue
from labctl_procedures.parameters import CellsParameter, ChoiceParameter
from labctl_procedures.procedure import (
    ADDRESS,
    TIME,
    ChipProcedure,
    Demand,
    Rows,
    address_columns,
)

BY_PARAMETER: Mapping[str, tuple[str, dict[str, Any]]] = {
    "voltage": ("WriteVerify", {"set_amplitude": "3.6 V"}),
    "gate_voltage": ("WriteVerify", {"reset_gate": "5.1 V"}),
    "energy": ("WriteVerify", {"width": "1 us"}),
    "pulses": ("WriteVerify", {"limit": 500, "levels": 300 // 100, "assignment": "all"}),
    "current": ("IVSweep", {"compliance": "2 mA"}),
    "power": ("IVSweep", {"compliance": "1 mA", "positive": "2.5 V"}),
}
"""Violations of each limit by parameters of the catalogue's procedures, on `strict`."""


@pytest.fixture(params=["sim-board", "sim-smu"])
def strict(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A shipped bench with a low limit of pulses and of power."""
    text = find_bench(request.param).read_text(encoding="utf-8")
    for key, value in (("pulses", "1000"), ("power", "2e-3")):
        text = re.sub(rf"(?m)^{key} = \S+", f"{key} = {value}", text)
    path = tmp_path / f"{request.param}.toml"
    path.write_text(text, encoding="utf-8")
    return path


class Liar(ChipProcedure[int]):
    """Demand little, and ask for more than the envelope allows."""

    COLUMNS = (TIME, *ADDRESS)
    cells = CellsParameter("Cells", default="0/0/0:2")
    breaks = ChoiceParameter(
        "Breaks", choices=("voltage", "gate_voltage", "energy", "current"), default="voltage"
    )

    def points(self) -> Iterator[int]:
        yield 0

    def demand(self) -> Demand:
        return Demand(read_voltage=0.2)

    def measure(self, point: int) -> Rows:
        _ask_too_much(self.station, self.cells, self.breaks)
        return address_columns(self.cells)


def _ask_too_much(station: Station, cells: Cells, key: str) -> None:
    if key == "current":
        station.sweep(cells[:1], [0.1], gate=1.8, compliance=2e-3)
    amplitude = 3.6 if key == "voltage" else 2.0
    gate = 5.1 if key == "gate_voltage" else 1.8
    width = 1e-6 if key == "energy" else 50e-9
    station.pulse(cells, 0, amplitude, width, gate)


def messages(station: Station) -> list[str]:
    rack = station._instruments[0].adapter.connection.visalib.rack  # type: ignore[attr-defined]
    return [e.message.decode("latin-1") for e in rack.log if e.direction.value == ">"]


def puts_on(told: list[str]) -> list[str]:
    return [one for one in told if re.search(r":OUTP\d? (1|ON)|channel\.(close|exclusive)", one)]


@pytest.mark.parametrize("key", BY_PARAMETER)
def test_a_parameter_beyond_the_envelope_is_refused_before_an_output_is_on(
    strict: Path, key: str, tmp_path: Path
) -> None:
    name, values = BY_PARAMETER[key]

    with open_bench(strict) as station:
        with pytest.raises(EnvelopeError) as caught:
            run(catalogue.make(name, {"cells": "0/0/0", **values}), station, tmp_path / "run.h5")
        told = messages(station)

    assert caught.value.excess.key == key
    assert puts_on(told) == []
    assert not (tmp_path / "run.h5").exists()


@pytest.mark.parametrize("key", BY_PARAMETER)
def test_a_dry_run_finds_a_parameter_beyond_the_envelope(strict: Path, key: str) -> None:
    name, values = BY_PARAMETER[key]

    with pytest.raises(EnvelopeError) as caught:
        rehearse(catalogue.make(name, {"cells": "0/0/0", **values}), BenchChoice(str(strict)))

    assert caught.value.excess.key == key


@pytest.mark.parametrize("key", ["voltage", "gate_voltage", "energy", "current"])
def test_a_dry_run_finds_a_procedure_that_demands_less_than_it_asks(strict: Path, key: str) -> None:
    with pytest.raises(RunError) as caught:
        rehearse(Liar(breaks=key), BenchChoice(str(strict)))

    fault = caught.value.faults[0]
    assert isinstance(fault, EnvelopeError)
    assert fault.excess.key == key


@pytest.mark.parametrize("key", ["voltage", "gate_voltage", "energy", "current"])
def test_a_procedure_that_demands_less_than_it_asks_puts_no_output_on(
    strict: Path, key: str, tmp_path: Path
) -> None:
    with open_bench(strict) as station:
        with pytest.raises(RunError):
            run(Liar(breaks=key), station, tmp_path / "run.h5")
        told = messages(station)

    assert puts_on(told) == []


def test_a_plan_of_sums_beyond_the_envelope_puts_no_output_on(strict: Path) -> None:
    plan = MacPlan(
        columns=np.array([[0, 1]]),
        outputs=np.array([[0]]),
        signs=np.array([[1]]),
        adc_full_scale=1e-5,
        read_voltage=3.6,
    )

    with open_bench(strict) as station:
        with pytest.raises(EnvelopeError):
            station.mac(np.zeros((1, 2), np.uint8), [[0]], plan)
        told = messages(station)

    assert puts_on(told) == []
