"""PyMeasure's own drivers over a socket: source a voltage, measure the current, no error queued."""

from __future__ import annotations

import warnings

import pytest
from pymeasure.adapters import VISAAdapter
from pymeasure.instruments.keithley import Keithley2400, Keithley2450
from pymeasure.instruments.keithley.keithley2400_legacy import Keithley2400Legacy

LEVELS = (-0.2, -0.1, 0.05, 0.1, 0.15, 0.2)
SMUS = [
    pytest.param("keithley-2400", Keithley2400, id="Keithley2400"),
    pytest.param("keithley-2400", Keithley2400Legacy, id="Keithley2400Legacy"),
    pytest.param("keithley-2450", Keithley2450, id="Keithley2450"),
]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(("persona", "driver"), SMUS)
def test_a_voltage_sweep_measures_the_models_currents(serve, persona, driver) -> None:
    bench = serve(persona)
    adapter = VISAAdapter(
        bench.resources["bit"], visa_library="@py", read_termination="\n", write_termination="\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smu = driver(adapter)
    smu.apply_voltage(compliance_current=1e-3)
    smu.measure_current(nplc=0.1)
    smu.enable_source()

    for level in LEVELS:
        smu.source_voltage = level
        assert smu.current == pytest.approx(bench.current(level), rel=1e-3)

    assert smu.check_errors() == []
    assert bench.errors().startswith("0,")
    adapter.close()
