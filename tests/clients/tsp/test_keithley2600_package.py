"""The package keithley2600, which walks all that the instrument defines, on a served 2636B."""

import numpy as np
import pytest

from tests.clients.tsp.conftest import say

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


@pytest.mark.parametrize("pulsed", [False, True])
def test_its_triggered_sweep_of_one_channel_reads_what_the_model_says(
    smu, bench_2636b, sweep, pulsed
) -> None:
    voltages, currents = smu.voltage_sweep_single_smu(
        smu.smua, sweep, t_int=0.02, delay=-1, pulsed=pulsed
    )

    assert np.allclose(voltages, sweep, rtol=1e-4, atol=0)
    assert np.allclose(currents, bench_2636b.expected(), rtol=1e-3, atol=0)
    assert smu.read_error_queue() == []


def test_a_long_triggered_sweep_is_sent_in_pieces_and_reads_the_same(smu, bench_2636b) -> None:
    long = np.linspace(0.05, 0.3, smu.CHUNK_SIZE + 1)

    _, currents = smu.voltage_sweep_single_smu(
        smu.smua, [float(each) for each in long], t_int=0.001, delay=0, pulsed=False
    )

    assert np.allclose(currents, bench_2636b.expected(long), rtol=1e-3, atol=0)
    assert smu.read_error_queue() == []


def test_its_triggered_sweep_of_two_channels_sees_one_current_at_both_ends(
    smu, bench_2636b, sweep
) -> None:
    say(bench_2636b, "matrix", 'channel.open("1A05") channel.close("1C05")')  # SL[0] to smub
    other = [0.0] * len(sweep)

    found = smu.voltage_sweep_dual_smu(
        smu.smua, smu.smub, sweep, other, t_int=0.02, delay=-1, pulsed=False
    )

    assert np.allclose(found[1], bench_2636b.expected(), rtol=1e-3, atol=0)
    assert np.allclose(found[3], -bench_2636b.expected(), rtol=1e-3, atol=0)
    assert smu.read_error_queue() == []
