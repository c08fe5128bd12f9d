"""PyMeasure's Keithley2600, as it is, on a served 2636B."""

import numpy as np
import pytest

keithley = pytest.importorskip("pymeasure.instruments.keithley")


def opened(bench):
    return keithley.Keithley2600(
        bench.instruments["bit"],
        visa_library="@py",
        read_termination="\n",
        write_termination="\n",
        includeSCPI=False,
    )


def test_a_sweep_reads_what_the_model_says(bench_2636b, sweep) -> None:
    smu = opened(bench_2636b)
    channel = smu.ChA
    channel.source_mode = "voltage"
    channel.compliance_current = 1e-3
    channel.source_output = "ON"

    found = []
    for voltage in sweep:
        channel.source_voltage = voltage
        found.append(channel.current)

    assert np.allclose(found, bench_2636b.expected(), rtol=1e-3, atol=0)
    assert smu.next_error[0] == 0


def test_its_limit_of_100_na_is_refused_and_not_taken_for_zero(bench_2636b) -> None:
    smu = opened(bench_2636b)
    before = smu.ChA.compliance_current

    smu.ChA.compliance_current = 1e-7  # sent with %f: 0.000000

    assert smu.ChA.compliance_current == before
    assert smu.next_error[0] == 1102
