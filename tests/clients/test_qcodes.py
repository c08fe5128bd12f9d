"""QCoDeS's own drivers over a socket: source a voltage, measure the current, no error queued."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("qcodes")
    from qcodes.instrument_drivers.Keithley import Keithley2400, Keithley2450

pytestmark = pytest.mark.filterwarnings("ignore")
LEVELS = (-0.2, -0.1, 0.05, 0.1, 0.15, 0.2)


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """Instruments that are closed at the end."""
    instruments: list[Any] = []
    yield instruments
    for instrument in instruments:
        instrument.close()


def test_a_voltage_sweep_of_the_2400_measures_the_models_currents(serve, opened) -> None:
    bench = serve("keithley-2400")
    smu = Keithley2400("smu", bench.resources["bit"], visalib="@py", terminator="\n")
    opened.append(smu)
    smu.mode("VOLT")
    smu.compliancei(1e-3)
    smu.nplci(0.1)
    smu.output(1)

    for level in LEVELS:
        smu.volt(level)
        assert smu.curr() == pytest.approx(bench.current(level), rel=1e-3)

    assert smu.compliancei() == 1e-3
    assert bench.errors().startswith("0,")


def test_a_voltage_sweep_of_the_2450_measures_the_models_currents(serve, opened) -> None:
    bench = serve("keithley-2450")
    smu = Keithley2450("smu", bench.resources["bit"], visalib="@py", terminator="\n")
    opened.append(smu)
    smu.source.function("voltage")
    smu.source.limit(1e-3)
    smu.sense.function("current")
    smu.sense.nplc(0.1)

    with smu.output_enabled.set_to(True):
        for level in LEVELS:
            smu.source.voltage(level)
            assert smu.sense.current() == pytest.approx(bench.current(level), rel=1e-3)

    assert smu.source.limit() == 1e-3
    assert bench.errors().startswith("0,")


def test_a_sweep_setup_of_the_2450_fills_its_buffer(serve, opened) -> None:
    bench = serve("keithley-2450")
    smu = Keithley2450("smu", bench.resources["bit"], visalib="@py", terminator="\n")
    opened.append(smu)
    smu.source.function("voltage")
    smu.source.limit(1e-3)
    smu.sense.function("current")
    smu.source.sweep_setup(0.0, 0.2, 11)
    smu.sense.four_wire_measurement(False)

    with smu.output_enabled.set_to(True):
        found = smu.sense.sweep()

    assert len(found) == 11
    for level, current in zip(smu.source.get_sweep_axis(), found, strict=True):
        assert current == pytest.approx(bench.current(float(level)), rel=1e-3, abs=1e-12)
    assert bench.errors().startswith("0,")
