"""QCoDeS's Keithley2636B, as it is, with its binary fast sweep, on a served 2636B."""

import numpy as np
import pytest

keithley = pytest.importorskip("qcodes.instrument_drivers.Keithley")


@pytest.fixture
def smu(bench_2636b):
    instrument = keithley.Keithley2636B(
        "smu", bench_2636b.instruments["bit"], visalib="@py", terminator="\n"
    )
    yield instrument
    instrument.close()


def test_a_sweep_reads_what_the_model_says(smu, bench_2636b, sweep) -> None:
    smu.smua.mode("voltage")
    smu.smua.limiti(1e-3)
    smu.smua.output("on")

    found = []
    for voltage in sweep:
        smu.smua.volt(voltage)
        found.append(smu.smua.curr())

    assert np.allclose(found, bench_2636b.expected(), rtol=1e-3, atol=0)
    assert float(smu.ask("errorqueue.count")) == 0


def test_a_fast_sweep_reads_what_the_model_says(smu, bench_2636b, sweep) -> None:
    linear = pytest.importorskip("qcodes.dataset").LinSweep
    smu.smua.setup_fastsweep(linear(smu.smua.volt, sweep[0], sweep[-1], len(sweep)))

    found = smu.smua.fastsweep()

    assert np.allclose(found, bench_2636b.expected(), rtol=1e-3, atol=0)
    assert float(smu.ask("errorqueue.count")) == 0


def test_a_snapshot_of_all_settings_queues_no_error(smu) -> None:
    smu.snapshot(update=True)

    assert float(smu.ask("errorqueue.count")) == 0
