"""The package keithley2600, which walks all that the instrument defines, on a served 2636B."""

import numpy as np
import pytest

keithley2600 = pytest.importorskip("keithley2600")


@pytest.fixture
def smu(bench_2636b):
    instrument = keithley2600.Keithley2600(
        bench_2636b.instruments["bit"],
        visa_library="@py",
        raise_keithley_errors=True,
        write_termination="\n",
    )
    yield instrument
    instrument.disconnect()


def test_a_sweep_reads_what_the_model_says(smu, bench_2636b, sweep) -> None:
    found = []
    for voltage in sweep:
        smu.apply_voltage(smu.smua, float(voltage))
        found.append(smu.measure_current(smu.smua))

    assert np.allclose(found, bench_2636b.expected(), rtol=1e-3, atol=0)
    assert smu.read_error_queue() == []


def test_a_buffer_holds_the_readings_of_a_sweep(smu, bench_2636b, sweep) -> None:
    buffer = smu.smua.nvbuffer1
    buffer.clear()
    buffer.appendmode = 1
    for voltage in sweep:
        smu.apply_voltage(smu.smua, float(voltage))
        smu.smua.measure.i(buffer)

    found = smu.read_buffer(buffer)

    assert np.allclose(found, bench_2636b.expected(), rtol=1e-3, atol=0)
    assert smu.read_error_queue() == []
