"""Tektronix's tm_devices, as it is: its SMU2450 on a served 2450 that speaks TSP."""

import numpy as np
import pytest

from tests.clients.tsp.conftest import GATE, say

tm_devices = pytest.importorskip("tm_devices")
BIT = "GPIB0::18::INSTR"


@pytest.fixture
def bench(serve):
    """2450 and a 707B: the 2450 `bit` speaks TSP and is on cell (0, 0), whose word line is on."""
    served = serve()
    say(served, "matrix", 'channel.close("1B01,1A02:1A12,2D01,2A02:2A08")')
    say(served, "gate", f":SOUR:VOLT {GATE}", ":OUTP ON")
    served.rack.exchange(BIT, b"*LANG TSP\n")
    return served


@pytest.fixture
def smu(bench):
    with tm_devices.DeviceManager(verbose=False) as manager:
        manager.visa_library = "@py"
        _, host, port, _ = bench.instruments["bit"].split("::")
        yield manager.add_smu(address=host, connection_type="SOCKET", port=int(port))


def within(found, bench) -> float:
    """Return the largest deviation from the model's currents."""
    return float(np.abs(np.array(found) / bench.expected() - 1.0).max())


def test_a_sweep_of_readings_is_what_the_model_says(bench, smu, sweep) -> None:
    commands = smu.commands.smu
    smu.ieee_cmds.cls()  # the event of its having been switched on
    commands.reset()
    commands.source.func = commands.FUNC_DC_VOLTAGE
    commands.source.ilimit.level = 1e-3
    commands.measure.func = commands.FUNC_DC_CURRENT
    commands.measure.nplc = 1
    commands.source.output = commands.ON

    found = []
    for voltage in sweep:
        commands.source.level = voltage
        found.append(float(commands.measure.read()))
    commands.source.output = commands.OFF

    print(f"tm_devices SMU2450, readings: at most {within(found, bench):.2e} from the model")
    assert within(found, bench) < 1e-3
    assert smu.expect_esr(0)
    assert float(smu.query("print(eventlog.getcount())")) == 0


def test_a_sweep_of_the_instrument_fills_the_buffer_that_it_exports(bench, smu, sweep) -> None:
    commands = smu.commands.smu
    commands.source.ilimit.level = 1e-3
    commands.source.sweeplinear("sweep", sweep[0], sweep[-1], len(sweep), 0.001)
    smu.commands.trigger.model.initiate()
    smu.commands.waitcomplete()

    columns = smu.get_buffers("defbuffer1.sourcevalues", "defbuffer1.readings")

    assert columns["defbuffer1.sourcevalues"] == pytest.approx(sweep)
    assert within(columns["defbuffer1.readings"], bench) < 1e-3
    assert float(smu.query("print(eventlog.getcount())")) == 0
