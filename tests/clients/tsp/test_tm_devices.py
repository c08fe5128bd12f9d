"""Tektronix's tm_devices, as it is: SMU2636B and SS3706A on served benches."""

import numpy as np
import pytest

from tests.clients.tsp.conftest import ROUTE, read_current

tm_devices = pytest.importorskip("tm_devices")


@pytest.fixture
def devices():
    with tm_devices.DeviceManager(verbose=False) as manager:
        manager.visa_library = "@py"
        yield manager


def place(resource: str) -> dict:
    _, host, port, _ = resource.split("::")
    return {"address": host, "connection_type": "SOCKET", "port": int(port)}


def test_a_sweep_of_its_2636b_reads_what_the_model_says(devices, bench_2636b, sweep) -> None:
    smu = devices.add_smu(**place(bench_2636b.instruments["bit"]))
    channel = smu.commands.smu["a"]
    channel.source.func = 1
    channel.source.limiti = 1e-3
    channel.source.output = 1

    found = []
    for voltage in sweep:
        channel.source.levelv = voltage
        found.append(float(channel.measure.i()))

    assert np.allclose(found, bench_2636b.expected(), rtol=1e-3, atol=0)
    assert float(smu.query("print(errorqueue.count)")) == 0


def test_what_its_3706a_closes_is_joined(devices, bench_3706a) -> None:
    switch = devices.add_ss(**place(bench_3706a.instruments["matrix"]))

    switch.commands.channel.close(",".join(ROUTE))

    assert "1201" in switch.commands.channel.getclose("allslots").split(";")
    assert read_current(bench_3706a) == pytest.approx(float(bench_3706a.expected(0.2)[0]), rel=1e-3)
    assert float(switch.query("print(errorqueue.count)")) == 0
